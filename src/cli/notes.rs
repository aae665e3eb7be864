//! What a person should know about their input.

use std::{collections::HashSet, sync::Mutex};

/// Says sentences on stderr, each once however often a file is read.
pub fn note(sentences: &[String]) {
    static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let Ok(mut said) = SAID.lock() else { return };
    let said = said.get_or_insert_default();
    for sentence in sentences {
        if said.insert(sentence.clone()) {
            say!("note: {sentence}");
        }
    }
}
