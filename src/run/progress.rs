//! How far a run is, for whoever listens.

/// Hears how far a run is.
pub trait Progress: Sync {
    /// A phase begins that takes `total` steps; `unit` is what a step is, in the plural. `done` of
    /// them were found finished.
    fn begin(&self, phase: &str, unit: &'static str, total: u64, done: u64);
    /// `steps` more are done, which took `tokens` tokens.
    fn advance(&self, steps: u64, tokens: u64);
    /// The phase is over.
    fn end(&self);
    /// A sentence for the person who watches.
    fn say(&self, sentence: &str);
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _phase: &str, _unit: &'static str, _total: u64, _done: u64) {}
    fn advance(&self, _steps: u64, _tokens: u64) {}
    fn end(&self) {}
    fn say(&self, _sentence: &str) {}
}

/// `8 s`, `2 min 5 s`, `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_person_says_them() {
        let said = [0.26, 9.0, 59.0, 125.0, 12_000.0].map(duration);
        assert_eq!(said, ["0.3 s", "9.0 s", "59 s", "2 min 5 s", "3 h 20 min"]);
    }
}
