//! Stopping on request: Ctrl-C, a terminated job, Slurm's warning before the time limit.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether a stop was asked for; clones share one answer.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that nothing but [`Stop::ask`] sets.
    pub fn never() -> Self {
        Self::default()
    }

    /// One that SIGINT, SIGTERM and SIGUSR1 set. A second SIGINT or SIGTERM ends the process at once
    /// with exit code 75: whatever is on the disk stays good.
    ///
    /// # Errors
    ///
    /// When the handlers cannot be installed.
    #[cfg(all(feature = "cli", unix))]
    pub fn on_signals() -> std::io::Result<Self> {
        use signal_hook::{
            consts::{SIGINT, SIGTERM, SIGUSR1},
            flag,
        };
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 75, stop.0.clone())?;
        }
        for signal in [SIGINT, SIGTERM, SIGUSR1] {
            flag::register(signal, stop.0.clone())?;
        }
        Ok(stop)
    }

    /// Where there are no such signals, one that nothing sets.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(all(feature = "cli", not(unix)))]
    pub fn on_signals() -> std::io::Result<Self> {
        Ok(Self::default())
    }

    /// The same answer, as the engine asks for it.
    #[cfg(feature = "lm")]
    pub fn interrupt(&self) -> crate::lm::engine::network::Interrupt {
        crate::lm::engine::network::Interrupt::on(self.0.clone())
    }

    /// Asks for a stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a stop was asked for.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_asked_for_once_and_all_its_clones_know() {
        let stop = Stop::never();
        let other = stop.clone();
        assert!(!other.asked());
        stop.ask();
        assert!(stop.asked() && other.asked() && !Stop::never().asked());
    }
}
