//! Long computations: on threads of their own, without the interpreter's lock, and stopped by Ctrl-C.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::mpsc,
    time::Duration,
};

use llmpr::data::stop::{Stopped, Token};
use pyo3::prelude::*;

use crate::errors;

/// How often signals are looked for.
const EVERY: Duration = Duration::from_millis(50);

/// What `f` gives, computed by `threads` threads (all processors for `None`) that live as long as this call: a forked
/// process has none of its parent's threads and may call this, too. The interpreter's lock is released; a signal
/// that raises in Python (Ctrl-C) stops the work at its next step, and is raised here once all threads have stopped.
///
/// # Errors
///
/// What a signal's handler raised; no threads to be had; a panic, as `llmpr.Error`.
pub fn work<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    f: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    if threads == Some(0) {
        return Err(errors::wrong("threads = 0 leaves nobody to compute; give 1 or more, or None"));
    }
    let token = Token::default();
    let of_threads = token.clone();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .start_handler(move |_| of_threads.watch())
        .build()
        .map_err(|error| errors::raised(&error))?;
    let outcome = py.detach(|| {
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            let pool = &pool;
            scope.spawn(move || {
                let result = catch_unwind(AssertUnwindSafe(|| pool.install(f)));
                // The receiver waits until it has it.
                let _ = sender.send(result);
            });
            let mut raised = None;
            loop {
                match receiver.recv_timeout(EVERY) {
                    Ok(result) => return raised.map_or(Ok(result), Err),
                    Err(_) if raised.is_none() => {
                        if let Err(error) = Python::attach(|py| py.check_signals()) {
                            token.stop();
                            raised = Some(error);
                        }
                    }
                    Err(_) => {}
                }
            }
        })
    })?;
    match outcome {
        Ok(value) => Ok(value),
        Err(panic) if panic.is::<Stopped>() => Err(errors::wrong("stopped")),
        Err(panic) => resume_unwind(panic),
    }
}
