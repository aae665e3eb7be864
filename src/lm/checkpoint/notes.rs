//! What a person should hear while a model is loaded. The library prints nothing; who runs it listens.
//!
//! Notes come from the depth of loading, which a dozen places begin: a listener of the process spares
//! all of them an argument that none reads.

use std::sync::OnceLock;

static LISTENER: OnceLock<fn(&str)> = OnceLock::new();

/// Hands every note from now on to `listener`, a sentence each; the first listener stays. Without one
/// notes are dropped.
pub fn listen(listener: fn(&str)) {
    // A second listener is refused, as the doc says.
    let _ = LISTENER.set(listener);
}

/// Tells the listener.
pub(crate) fn tell(note: &str) {
    if let Some(listener) = LISTENER.get() {
        listener(note);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn the_first_listener_hears_every_note() {
        listen(|note| HEARD.lock().unwrap().push(note.to_owned()));
        listen(|_| panic!("a second listener hears nothing"));
        tell("weights are widened");
        assert!(HEARD.lock().unwrap().contains(&"weights are widened".to_owned()));
    }
}
