//! Folders that `save_to_disk` of Hugging Face `datasets` writes: a data set, or one for each split.

use std::{fs, path::Path};

use serde_json::Value;

use super::arrow;
use crate::text::read::{Reading, TextError, object, source::Source};

/// The texts of the folder `path`, in the order of its files.
///
/// * `field`: a split where the folder has several, else the field of the text.
///
/// # Errors
///
/// [`TextError::Folder`] for a folder that is no data set, or in which a split has to be chosen;
/// [`TextError::Columns`], [`TextError::Open`] for its files.
pub fn texts(path: &str, field: Option<&str>) -> Result<Reading, TextError> {
    let folder = Path::new(path);
    let refused = |hint: String| TextError::Folder { path: path.to_owned(), hint };
    let json = |name: &str| -> Result<Option<Value>, TextError> {
        let Ok(text) = fs::read_to_string(folder.join(name)) else { return Ok(None) };
        let whole = serde_json::from_str(&text);
        whole.map(Some).map_err(|error| refused(format!(", and its {name} is no JSON ({error})")))
    };
    if let Some(dictionary) = json("dataset_dict.json")? {
        let splits = dictionary["splits"].as_array().into_iter().flatten();
        let splits: Vec<&str> = splits.filter_map(Value::as_str).filter(|s| is_name(s)).collect();
        let named = |name: &&str| splits.contains(name);
        return match (field.filter(named), splits.as_slice()) {
            (Some(split), _) => texts(&format!("{path}/{split}"), None),
            (None, [only]) => texts(&format!("{path}/{only}"), field),
            _ => Err(refused(format!(
                " of several splits: {}; name one, as FOLDER:SPLIT or FOLDER/SPLIT:FIELD",
                splits.join(", ")
            ))),
        };
    }
    let Some(state) = json("state.json")? else {
        return Err(refused(", not a file of texts".to_owned()));
    };
    if state["_indices_files"].as_array().is_some_and(|files| !files.is_empty()) {
        let hint =
            " in which rows are chosen by an index; write it again, `flatten_indices()` first";
        return Err(refused(hint.to_owned()));
    }
    let files = state["_data_files"].as_array().into_iter().flatten();
    let files: Vec<&str> = files.filter_map(|file| file["filename"].as_str()).collect();
    if let Some(outside) = files.iter().find(|name| !is_name(name)) {
        return Err(refused(format!(" whose state.json names `{outside}`, which is not in it")));
    }
    let mut texts = object::Reader::new(field);
    for name in files {
        let file = folder.join(name);
        let shown = file.display().to_string();
        let open = |source| TextError::Open { path: shown.clone(), source };
        let source = Source::new(fs::File::open(&file).map_err(open)?).map_err(open)?;
        arrow::read_into(&mut texts, &shown, source)?;
    }
    Ok(texts.done())
}

/// Whether it names something inside of a folder.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['/', '\\']) && name != ".." && name != "."
}
