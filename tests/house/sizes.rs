//! No file too long, few at the root.

use super::files;

/// No file is longer.
const MOST_LINES: usize = 500;

/// Half of the files are shorter.
const MOST_LINES_OF_HALF: usize = 170;

/// lib.rs, main.rs and what has no room of its own.
const MOST_FILES_AT_THE_ROOT: usize = 4;

#[test]
fn no_source_file_is_long_and_half_are_short() {
    let lengths = files("src").into_iter().map(|(path, text)| (text.lines().count(), path));
    let mut lengths: Vec<_> = lengths.collect();
    lengths.sort();
    let long: Vec<_> = lengths.iter().filter(|(lines, _)| *lines > MOST_LINES).collect();
    assert!(long.is_empty(), "over {MOST_LINES} lines: {long:?}");
    let median = lengths[lengths.len() / 2].0;
    assert!(median < MOST_LINES_OF_HALF, "the median file has {median} lines");
}

#[test]
fn few_files_lie_at_the_root() {
    let at_root = files("src").into_iter().filter(|(path, _)| path.components().count() == 2);
    let at_root: Vec<_> = at_root.map(|(path, _)| path).collect();
    assert!(at_root.len() <= MOST_FILES_AT_THE_ROOT, "{at_root:?}");
}
