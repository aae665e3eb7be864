//! Progress on stderr: bars with rate and time left on a terminal, a line a minute elsewhere.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::run::progress::{Progress, duration};

/// Where a phase stands.
#[derive(Clone, Debug)]
struct Phase {
    name: String,
    unit: &'static str,
    total: u64,
    /// Steps found finished, which tell nothing about the rate.
    found: u64,
    done: u64,
    tokens: u64,
    started: Instant,
    said: Instant,
}

impl Phase {
    /// `sampling tiny-bio: 812 of 1400 texts, 1204 tokens/s, 12 s left`.
    fn line(&self, now: Instant) -> String {
        let mut line = format!("{}: {} of {} {}", self.name, self.done, self.total, self.unit);
        let seconds = now.duration_since(self.started).as_secs_f64();
        let fresh = self.done - self.found;
        if seconds > 0.0 && fresh > 0 {
            let _ = write!(line, ", {}", self.rate(seconds));
            if self.done < self.total {
                let left = (self.total - self.done) as f64 * seconds / fresh as f64;
                let _ = write!(line, ", {} left", duration(left));
            } else {
                let _ = write!(line, ", took {}", duration(seconds));
            }
        }
        line
    }

    fn rate(&self, seconds: f64) -> String {
        match self.tokens {
            0 => format!("{}/s", rounded((self.done - self.found) as f64 / seconds)),
            tokens => format!("{} tokens/s", rounded(tokens as f64 / seconds)),
        }
    }
}

/// Three digits that mean something.
fn rounded(rate: f64) -> String {
    match rate {
        _ if rate >= 100.0 => format!("{rate:.0}"),
        _ if rate >= 10.0 => format!("{rate:.1}"),
        _ => format!("{rate:.2}"),
    }
}

/// Lines on stderr: one as a phase begins and ends, one a minute between.
#[derive(Debug, Default)]
struct Lines(Mutex<Option<Phase>>);

impl Lines {
    /// Time between two lines of a phase.
    const EVERY: Duration = Duration::from_secs(60);
}

impl Progress for Lines {
    fn begin(&self, phase: &str, unit: &'static str, total: u64, done: u64) {
        let now = Instant::now();
        let (name, found) = (phase.to_owned(), done);
        let phase = Phase { name, unit, total, found, done, tokens: 0, started: now, said: now };
        say!("{}", phase.line(now));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(phase);
    }

    fn advance(&self, steps: u64, tokens: u64) {
        if let Some(phase) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            phase.done += steps;
            phase.tokens += tokens;
            let now = Instant::now();
            if now.duration_since(phase.said) >= Self::EVERY {
                phase.said = now;
                say!("{}", phase.line(now));
            }
        }
    }

    fn end(&self) {
        if let Some(phase) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
            && phase.done > phase.found
        {
            say!("{}", phase.line(Instant::now()));
        }
    }

    fn say(&self, sentence: &str) {
        say!("{sentence}");
    }
}

/// A bar a phase on a terminal; finished phases leave a line.
#[derive(Debug, Default)]
struct Bars(Mutex<Option<(Phase, indicatif::ProgressBar)>>);

impl Progress for Bars {
    fn begin(&self, phase: &str, unit: &'static str, total: u64, done: u64) {
        let now = Instant::now();
        let bar = indicatif::ProgressBar::new(total).with_position(done);
        let style = indicatif::ProgressStyle::with_template(
            "{prefix} {wide_bar:.cyan/blue} {pos}/{len} {msg}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_prefix(phase.to_owned());
        bar.set_message(unit);
        bar.enable_steady_tick(Duration::from_millis(200));
        let (name, found) = (phase.to_owned(), done);
        let phase = Phase { name, unit, total, found, done, tokens: 0, started: now, said: now };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((phase, bar));
    }

    fn advance(&self, steps: u64, tokens: u64) {
        if let Some((phase, bar)) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            phase.done += steps;
            phase.tokens += tokens;
            bar.set_position(phase.done);
            let line = phase.line(Instant::now());
            // What stands before the first comma is in the bar already.
            let rest = line.split_once(", ").map_or("", |(_, rest)| rest);
            bar.set_message(format!("{} {rest}", phase.unit));
        }
    }

    fn end(&self) {
        if let Some((phase, bar)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
            if phase.done > phase.found {
                say!("{}", phase.line(Instant::now()));
            }
        }
    }

    fn say(&self, sentence: &str) {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((_, bar)) => bar.suspend(|| say!("{sentence}")),
            None => say!("{sentence}"),
        }
    }
}

/// Bars where stderr is a terminal, lines elsewhere.
pub(super) fn for_stderr() -> Box<dyn Progress> {
    use std::io::IsTerminal;
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if std::io::stderr().is_terminal() && !dumb {
        Box::<Bars>::default()
    } else {
        Box::<Lines>::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(found: u64, done: u64, tokens: u64, seconds: u64) -> String {
        let started = Instant::now();
        let phase = Phase {
            name: "sampling tiny".into(),
            unit: "texts",
            total: 100,
            found,
            done,
            tokens,
            started,
            said: started,
        };
        phase.line(started + Duration::from_secs(seconds))
    }

    #[test]
    fn a_line_has_rate_and_time_left() {
        assert_eq!(
            phase(0, 25, 5000, 10),
            "sampling tiny: 25 of 100 texts, 500 tokens/s, 30 s left"
        );
        assert_eq!(phase(0, 100, 0, 8), "sampling tiny: 100 of 100 texts, 12.5/s, took 8.0 s");
    }

    #[test]
    fn what_was_found_finished_does_not_raise_the_rate() {
        assert_eq!(phase(50, 50, 0, 10), "sampling tiny: 50 of 100 texts");
        assert_eq!(phase(50, 60, 0, 10), "sampling tiny: 60 of 100 texts, 1.00/s, 40 s left");
    }
}
