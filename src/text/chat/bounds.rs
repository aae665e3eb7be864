//! What a template may keep and write: a model's files come from anywhere, and a few words of Jinja double a string
//! until no memory is left.

use std::{cell::Cell, io};

use minijinja::{Error, ErrorKind, Value, value::Rest};

/// The most bytes of a string that is kept; prompts are far below.
const LONGEST: usize = 16 << 20;
/// The most items of a list that is kept.
const MOST_ITEMS: usize = 1 << 20;
/// The most bytes of all strings together, each time that one is made: a step may copy a long one.
const MOST_KEPT: usize = 1 << 30;
/// The most bytes that are written in all.
const MOST_WRITTEN: usize = 64 << 20;

thread_local! {
    /// Bytes that this thread's template has written, into variables and macros too.
    static WRITTEN: Cell<usize> = const { Cell::new(0) };
    /// Bytes of strings that it has made.
    static KEPT: Cell<usize> = const { Cell::new(0) };
}

fn too_long(what: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{what}, which no prompt needs"))
}

/// What is said of a template that writes without an end.
pub(super) fn too_much() -> String {
    format!("it writes more than {} MiB, which no prompt needs", MOST_WRITTEN >> 20)
}

/// The value, unless nothing that is kept is as long.
///
/// # Errors
///
/// [`ErrorKind::InvalidOperation`].
pub(super) fn bounded(value: Value) -> Result<Value, Error> {
    let size = value.as_str().map_or(0, str::len);
    KEPT.set(KEPT.get().saturating_add(size));
    if KEPT.get() > MOST_KEPT {
        return Err(too_long(&format!("it makes strings of {} MiB together", MOST_KEPT >> 20)));
    }
    match value.as_str() {
        Some(text) if text.len() > LONGEST => {
            Err(too_long(&format!("it makes a string of {} MiB", text.len() >> 20)))
        }
        None if value.len().is_some_and(|n| n > MOST_ITEMS) => {
            Err(too_long("it makes a list of more than a million items"))
        }
        _ => Ok(value),
    }
}

/// What stands on the right of `{% set … = … %}`; several values are a tuple.
pub(super) fn kept(mut values: Rest<Value>) -> Result<Value, Error> {
    match values.len() {
        1 => bounded(values.0.remove(0)),
        _ => values.0.drain(..).map(bounded).collect::<Result<Vec<_>, _>>().map(Value::from),
    }
}

/// Counts bytes that are written.
///
/// # Errors
///
/// [`ErrorKind::InvalidOperation`] beyond all that a prompt has.
pub(super) fn count(bytes: usize) -> Result<(), Error> {
    WRITTEN.set(WRITTEN.get().saturating_add(bytes));
    match WRITTEN.get() > MOST_WRITTEN {
        true => Err(Error::new(ErrorKind::InvalidOperation, too_much())),
        false => Ok(()),
    }
}

/// Where a template writes to.
pub(super) struct Bounded {
    bytes: Vec<u8>,
    /// Whether it was more than there is room for.
    pub(super) is_full: bool,
}

impl Bounded {
    /// Begins to count.
    pub(super) fn new() -> Self {
        WRITTEN.set(0);
        KEPT.set(0);
        Self { bytes: Vec::new(), is_full: false }
    }

    pub(super) fn into_text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MOST_WRITTEN {
            self.is_full = true;
            return Err(io::Error::other(too_much()));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
