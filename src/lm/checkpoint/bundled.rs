//! Models that are part of the program, and model cards that say what the files must be.

use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
};

use super::hub::user_cache;
use crate::{data::hex::hex, lm::LmError};

/// A bundled model: its name and its files.
type Model = (&'static str, &'static [(&'static str, &'static [u8])]);

macro_rules! bundle {
    ($($name:literal),*) => {
        &[$(($name, bundle!(@files $name;
            "README.md", "config.json", "generation_config.json",
            "model.safetensors", "tokenizer.json", "tokenizer_config.json"
        ))),*]
    };
    (@files $name:literal; $($file:literal),*) => {
        &[$(($file, include_bytes!(concat!("../../../models/", $name, "/", $file)))),*]
    };
}

const MODELS: &[Model] = bundle!("tiny-bio", "tiny-bio-chat", "tiny-gpt2");

/// Names of the models inside the program, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.iter().map(|(name, _)| *name)
}

/// The folder of a bundled model, unpacked into llmpr's cache; `None` for other names.
///
/// The folder's name holds a hash of the contents, so that versions of the program do not disturb each
/// other. It appears whole: files are written to a folder beside it, which is then renamed. Where no
/// cache can be written the temporary folder serves.
///
/// # Errors
///
/// [`LmError::Write`] when neither can be written.
pub fn folder(name: &str) -> Result<Option<PathBuf>, LmError> {
    let Some((_, files)) = MODELS.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let card = hex(Sha256::digest(files[0].1));
    let inside =
        |parent: PathBuf| parent.join("llmpr/models").join(format!("{name}-{}", &card[..12]));
    let mut places: Vec<PathBuf> = user_cache().into_iter().map(inside).collect();
    places.push(inside(std::env::temp_dir()));
    let mut failure = None;
    for place in places {
        match unpack(files, &place) {
            Ok(()) => return Ok(Some(place)),
            Err(source) => {
                failure = Some(LmError::Write { path: place.display().to_string(), source });
            }
        }
    }
    failure.map_or(Ok(None), Err)
}

fn unpack(files: &[(&str, &[u8])], place: &Path) -> std::io::Result<()> {
    let whole = |(name, bytes): &(&str, &[u8])| {
        fs::metadata(place.join(name)).is_ok_and(|found| found.len() == bytes.len() as u64)
    };
    if files.iter().all(whole) {
        return Ok(());
    }
    let extension = format!("{}.tmp", std::process::id());
    let partial = place.with_extension(extension);
    fs::create_dir_all(&partial)?;
    for (name, bytes) in files {
        fs::write(partial.join(name), bytes)?;
    }
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    match fs::rename(&partial, place) {
        Err(error) if !files.iter().all(whole) => Err(error),
        // Another process was faster.
        Err(_) => fs::remove_dir_all(&partial),
        Ok(()) => Ok(()),
    }
}

/// Compares a folder's files with the hashes in its model card, where the card has a `sha256` block:
/// lines of a hash, two spaces and a file name, as `sha256sum` prints them.
///
/// # Errors
///
/// [`LmError::BadFile`] with the card's line for a file that differs, [`LmError::Read`] for one that
/// is missing.
pub fn check_card(folder: &Path) -> Result<(), LmError> {
    let card = folder.join("README.md");
    let Ok(text) = fs::read_to_string(&card) else { return Ok(()) };
    let lines = text.lines().enumerate().skip_while(|(_, line)| *line != "```sha256").skip(1);
    for (index, line) in lines.take_while(|(_, line)| *line != "```") {
        let Some((wanted, name)) = line.split_once("  ") else { continue };
        let path = folder.join(name);
        let bytes = fs::read(&path)
            .map_err(|source| LmError::Read { path: path.display().to_string(), source })?;
        let found = hex(Sha256::digest(&bytes));
        if found != wanted {
            let what = format!(
                "line {} says that {name} has SHA-256 {}…, and it has {}…; fetch the model again, or \
                 remove the line if the change is meant",
                index + 1,
                &wanted.get(..12).unwrap_or(wanted),
                &found[..12],
            );
            return Err(LmError::BadFile { path: card.display().to_string(), what });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lm::checkpoint::load::Checkpoint;

    #[test]
    fn every_bundled_model_unpacks_to_a_folder_that_matches_its_card() {
        let place = tempfile::tempdir().unwrap();
        for (name, files) in MODELS {
            let folder = place.path().join(name);
            unpack(files, &folder).unwrap();
            check_card(&folder).unwrap();
            let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(size < 5 << 20, "{name} has {size} bytes");
            assert!(Checkpoint::open_folder(&folder).unwrap().tokenizer.is_some());
        }
    }

    #[test]
    fn unpacking_again_repairs_a_file_that_was_cut() {
        let place = tempfile::tempdir().unwrap();
        let files: &[(&str, &[u8])] = &[("a", b"whole"), ("b", b"too")];
        let folder = place.path().join("model-1");
        unpack(files, &folder).unwrap();
        fs::write(folder.join("a"), "wh").unwrap();
        unpack(files, &folder).unwrap();
        assert_eq!(fs::read(folder.join("a")).unwrap(), b"whole");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn weights_that_differ_from_their_card_are_refused_with_its_line() {
        let place = tempfile::tempdir().unwrap();
        let (_, files) = MODELS[0];
        unpack(files, place.path()).unwrap();
        let weights = place.path().join("model.safetensors");
        let mut bytes = fs::read(&weights).unwrap();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        fs::write(&weights, bytes).unwrap();
        let message = match Checkpoint::open_folder(place.path()) {
            Err(error) => error.to_string(),
            Ok(_) => String::new(),
        };
        let card = fs::read_to_string(place.path().join("README.md")).unwrap();
        let at = card.lines().position(|line| line.ends_with("  model.safetensors")).unwrap() + 1;
        assert!(
            message.contains(&format!("README.md`: line {at} says that model.safetensors")),
            "{message}"
        );
    }
}
