//! Ending a computation that nobody waits for any more.
//!
//! Long loops call [`check`] once a block, a few milliseconds apart at most. Where the thread watches a [`Token`] that was
//! stopped, the call unwinds with [`Stopped`] as its payload, through rayon to whoever started the computation and catches it:
//! nothing of it is left half done, as everything that it had is dropped. Threads that watch nothing never stop.

use std::{
    cell::RefCell,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::memory;

thread_local! {
    /// What this thread watches.
    static WATCHED: RefCell<Option<Token>> = const { RefCell::new(None) };
}

/// Whether a computation shall go on; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Token(Arc<AtomicBool>);

/// The payload of the panic that ends a stopped computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl Token {
    /// Ends what the threads that watch this token compute, at their next [`check`].
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The flag that is up once the token was stopped.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    /// Makes this thread watch the token, for as long as it lives.
    pub fn watch(&self) {
        WATCHED.with(|watched| *watched.borrow_mut() = Some(self.clone()));
    }
}

/// What this thread watches, for work that it starts on threads of its own.
pub fn watched() -> Option<Token> {
    WATCHED.with(|watched| watched.borrow().clone())
}

/// Goes on, or unwinds with [`Stopped`]: no message is printed. Gives pages back where memory has a limit.
#[inline]
pub fn check() {
    memory::keep();
    let stopped = |watched: &RefCell<Option<Token>>| {
        watched.borrow().as_ref().is_some_and(|token| token.0.load(Ordering::Relaxed))
    };
    if WATCHED.with(stopped) {
        resume_unwind(Box::new(Stopped));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn a_stopped_pool_unwinds_to_who_started_it_and_others_go_on() {
        let token = Token::default();
        let of_threads = token.clone();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(2)
            .start_handler(move |_| of_threads.watch())
            .build()
            .unwrap();
        let sum = || -> u64 {
            (0..1000u64)
                .into_par_iter()
                .map(|i| {
                    check();
                    if i == 500 {
                        token.stop();
                    }
                    i
                })
                .sum()
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.install(sum)));
        // The thread that met 500 last may have been the only one left.
        if let Err(payload) = outcome {
            assert_eq!(payload.downcast_ref(), Some(&Stopped));
        }
        let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.install(sum)));
        assert_eq!(again.unwrap_err().downcast_ref(), Some(&Stopped));
        check();
    }
}
