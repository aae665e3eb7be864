//! Where tests find the golden values and real texts that lie beside a checkout, if they do.

use std::path::PathBuf;

/// The path of `relative` beside the checkout, or `None` with a message where it is absent.
///
/// With `LLMPR_SKIPPED` set, the absence is also noted in that file, so that a run of the tests
/// can say how many skipped.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(relative);
    if path.exists() {
        return Some(path);
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    skipped(&test, &format!("`{}` is absent", path.display()));
    None
}

/// Says that `test` did not run, and why.
pub fn skipped(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
    if let Some(log) = std::env::var_os("LLMPR_SKIPPED") {
        use std::io::Write;
        if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(log) {
            let _ = writeln!(file, "{test}: {why}");
        }
    }
}
