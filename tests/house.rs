//! What holds for the source as a whole, read from its files.

#[path = "house/dependencies.rs"]
mod dependencies;
#[path = "house/examples.rs"]
mod examples;
#[path = "house/pages.rs"]
mod pages;
#[path = "house/printing.rs"]
mod printing;
#[path = "house/sizes.rs"]
mod sizes;

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every Rust file below a folder, with its text, in the order of paths.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![Path::new(ROOT).join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(ROOT).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}
