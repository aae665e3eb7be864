//! Panics of libraries, as values.
//!
//! A damaged file may reach an `unwrap` inside a library that expects whole ones. For a person that is a bad file like
//! any other.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::Once,
};

thread_local! {
    /// How many guards this thread is inside of.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

/// What `work` gives, or what it said as it panicked. Nothing is printed meanwhile by this thread.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |info| {
            if INSIDE.get() == 0 {
                usual(info);
            }
        }));
    });
    INSIDE.set(INSIDE.get() + 1);
    // What a panic left half done is dropped with the closure, or belongs to a file that is now refused.
    let result = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(INSIDE.get() - 1);
    result.map_err(|panic| said(&*panic))
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_what_it_said_and_guards_may_lie_in_each_other() {
        assert_eq!(caught(|| 3), Ok(3));
        let inner = || caught(|| -> u8 { panic!("{}\nmore", 7) });
        assert_eq!(caught(inner), Ok(Err("7".to_owned())));
        assert_eq!(INSIDE.get(), 0);
    }
}
