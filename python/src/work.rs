//! Long computations: on threads of their own, without the interpreter's lock, and stopped by Ctrl-C.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
    time::{Duration, Instant},
};

use llmpr::data::stop::{Stopped, Token};
use pyo3::prelude::*;

use crate::errors;

/// How often signals are looked for.
const EVERY: Duration = Duration::from_millis(50);
/// How long work that was asked to end may take for it.
const GRACE: Duration = Duration::from_millis(700);

/// What is done on the thread that waits, with the interpreter's lock.
type Job = Box<dyn FnOnce(Python<'_>) + Send>;

/// Lets work call back to the thread that waits for it: functions of Python run where they were given, so that Ctrl-C ends
/// them.
#[derive(Clone)]
pub struct Caller(mpsc::Sender<Job>);

impl Caller {
    /// What `f` gives on the thread that waits; `None` where nobody waits any more.
    pub fn call<T: Send + 'static>(
        &self,
        f: impl FnOnce(Python<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = mpsc::channel();
        let job = move |py: Python<'_>| {
            // Whoever asked waits below.
            let _ = sender.send(f(py));
        };
        self.0.send(Box::new(job)).ok()?;
        receiver.recv().ok()
    }
}

/// What happens while work goes on.
pub trait Watch {
    /// Called with the interpreter's lock, some twenty times a second.
    ///
    /// # Errors
    ///
    /// What ends the work, and is raised when it has ended.
    fn tick(&mut self, py: Python<'_>) -> PyResult<()>;

    /// Asks the work to end by itself; whether it may be given a second for that.
    fn stop(&mut self) -> bool;
}

/// Work that has nothing to say and ends at its next step.
struct Silent;

impl Watch for Silent {
    fn tick(&mut self, _py: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    fn stop(&mut self) -> bool {
        false
    }
}

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
    work_with(py, threads, &mut Silent, |_| f())
}

/// [`work`] that is watched, and that may call back.
///
/// # Errors
///
/// Those of [`work`], and what `watch` raised.
pub fn work_with<T: Send>(
    py: Python<'_>,
    threads: Option<usize>,
    watch: &mut (dyn Watch + Send),
    f: impl FnOnce(Caller) -> T + Send,
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
            let (sender, receiver) = mpsc::channel::<Job>();
            let caller = Caller(sender);
            let pool = &pool;
            let worker = scope.spawn(move || {
                // The sender goes when the work has ended, whatever became of it.
                catch_unwind(AssertUnwindSafe(|| pool.install(move || f(caller))))
            });
            let raised = wait(&receiver, &token, watch);
            let result = worker.join().unwrap_or_else(Err);
            raised.map_or(Ok(result), Err)
        })
    })?;
    outcome.map_err(of_panic)
}

/// Does the jobs of the work until it has ended; what a signal or `watch` raised meanwhile.
fn wait(
    jobs: &mpsc::Receiver<Job>,
    token: &Token,
    watch: &mut (dyn Watch + Send),
) -> Option<PyErr> {
    let mut raised: Option<(PyErr, Instant)> = None;
    loop {
        match jobs.recv_timeout(EVERY) {
            Ok(job) => Python::attach(job),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                // The last that there is to hear.
                let last = Python::attach(|py| watch.tick(py)).err();
                return raised.map(|(error, _)| error).or(last);
            }
        }
        match &raised {
            None => {
                let looked = |py: Python<'_>| py.check_signals().and_then(|()| watch.tick(py));
                if let Err(error) = Python::attach(looked) {
                    if !watch.stop() {
                        token.stop();
                    }
                    raised = Some((error, Instant::now()));
                }
            }
            Some((_, since)) if since.elapsed() > GRACE => token.stop(),
            Some(_) => {}
        }
    }
}

/// A panic as an exception: that of a stop is none of the library's.
fn of_panic(panic: Box<dyn Any + Send>) -> PyErr {
    if panic.is::<Stopped>() {
        return errors::wrong("stopped");
    }
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    errors::wrong(format!("llmpr itself failed ({text}); please report it with what was given"))
}
