//! Panics of libraries that read a model's files, as errors that name the file.
//!
//! A damaged file may reach an `unwrap` inside a library that expects whole ones. For a person that is a
//! bad file like any other: one sentence, and no report of a panic above it.

pub(crate) use crate::data::panics::caught;
use crate::lm::LmError;

/// Runs `read`, which works on the file `path`; its panic becomes [`LmError::BadFile`].
///
/// # Errors
///
/// Those of `read`, and the panic.
pub fn guarded<T, E: From<LmError>>(
    path: &str,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    caught(read).unwrap_or_else(|panic| {
        let what = format!("damaged: the library that reads it stopped with `{panic}`");
        Err(LmError::BadFile { path: path.to_owned(), what }.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_a_bad_file_by_name() {
        let none = "".bytes().next();
        let read = || -> Result<u8, LmError> { Ok(none.expect("a vocabulary")) };
        let error = guarded("some/tokenizer.json", read).unwrap_err();
        assert!(matches!(&error, LmError::BadFile { path, .. } if path == "some/tokenizer.json"));
        let says =
            "`some/tokenizer.json`: damaged: the library that reads it stopped with `a vocabulary`";
        assert_eq!(error.to_string(), says);
    }

    #[test]
    fn what_goes_well_and_what_fails_passes_through() {
        assert_eq!(guarded("x", || Ok::<_, LmError>(3)).unwrap(), 3);
        let error = guarded("x", || Err::<u8, _>(LmError::EmptyPrompt)).unwrap_err();
        assert!(matches!(error, LmError::EmptyPrompt));
        // A guard within a guard.
        let inner =
            || Ok::<_, LmError>(guarded("inner", || -> Result<u8, LmError> { panic!("{}", 7) }));
        assert!(guarded("outer", inner).unwrap().unwrap_err().to_string().contains("`inner`"));
    }
}
