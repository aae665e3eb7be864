//! Where a model comes from: what a person may write for MODEL, and what it stands for.

use std::path::{Path, PathBuf};

use super::hub::{Hub, HubId};
use crate::{data::secret::without_logins, lm::LmError};

#[cfg(test)]
mod tests;

/// What a MODEL argument stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// A folder in Hugging Face's layout.
    Folder(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
    /// A repository of the hub, in the cache or to be fetched.
    Hub(HubId),
    /// A server that speaks OpenAI's protocol.
    Server {
        /// Address up to and including `/v1`, without a slash behind.
        url: String,
        /// The name under which the server knows the model.
        model: String,
        /// What a person calls the model, whatever server it is behind.
        alias: Option<String>,
    },
}

impl ModelSource {
    /// Decides what `model` stands for: an existing path first, then a bundled name, then a hub id. A folder or file
    /// that holds no model does not stand in the way of a bundled one of its name.
    ///
    /// # Errors
    ///
    /// [`LmError::Model`] when it is none of these, with names that are spelled alike.
    pub fn parse(model: &str) -> Result<Self, LmError> {
        let no = |what: String| LmError::Model { model: model.into(), what };
        if let Some(server) = model.strip_prefix("openai:") {
            let no = |what: String| LmError::Model { model: without_logins(model), what };
            let form = || {
                let form = "a server is written openai:http://host:port/v1#model-name, with ?as=ID behind where \
                            you name the model yourself";
                no(form.into())
            };
            let (url, name) = server.split_once('#').ok_or_else(form)?;
            let (name, alias) = match name.split_once('?') {
                None => (name, None),
                Some((name, rest)) => {
                    let id = rest.strip_prefix("as=").filter(|id| !id.is_empty());
                    (name, Some(id.ok_or_else(form)?.to_owned()))
                }
            };
            let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if host.is_none_or(str::is_empty) || name.is_empty() {
                return Err(form());
            }
            let url = url.trim_end_matches('/').to_owned();
            return Ok(Self::Server { url, model: name.into(), alias });
        }
        let path = Path::new(model);
        let gguf = path.extension().is_some_and(|extension| extension == "gguf");
        if holds_model(path) {
            return Ok(Self::Folder(path.to_owned()));
        }
        if gguf && path.is_file() {
            return Ok(Self::Gguf(path.to_owned()));
        }
        if let Some(folder) = super::bundled::folder(model)?.or_else(|| bundled(model)) {
            return Ok(Self::Folder(folder));
        }
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        if path.exists() {
            let what = "is a file; a model is a folder with config.json, or a .gguf file";
            return Err(no(what.into()));
        }
        let no_id =
            || no("names no model of the hub; write hf:[org/]name[@revision][/file.gguf]".into());
        if model.starts_with("hf:") {
            return HubId::parse(model).map(Self::Hub).ok_or_else(no_id);
        }
        let is_path = path.is_absolute() || model.starts_with('.') || model.starts_with('~');
        if let Some(id) = HubId::parse(model).filter(|id| !is_path && is_meant(id)) {
            return Ok(Self::Hub(id));
        }
        let near = near(model);
        let hint = match near.is_empty() {
            true => "a model is a folder, a .gguf file, a hub id (org/name, hf:name), a bundled name or openai:URL#NAME".into(),
            false => format!("did you mean {}?", near.join(" or ")),
        };
        let kind = if gguf { "no such file" } else { "no such folder, file or bundled model" };
        Err(no(format!("{kind}; {hint}")))
    }
}

/// Old models of the hub without an organisation, which people write as they are.
const CANONICAL: [&str; 14] = [
    "gpt2",
    "gpt2-medium",
    "gpt2-large",
    "gpt2-xl",
    "distilgpt2",
    "bert-base-uncased",
    "bert-base-cased",
    "bert-large-uncased",
    "bert-large-cased",
    "bert-base-multilingual-uncased",
    "bert-base-multilingual-cased",
    "distilbert-base-uncased",
    "distilbert-base-cased",
    "distilroberta-base",
];

/// Whether an id is one and no misspelled name: a word alone is where it is well known or in the cache.
fn is_meant(id: &HubId) -> bool {
    let known = || CANONICAL.contains(&id.repository.as_str());
    id.repository.contains('/') || known() || Hub::from_env().snapshot(id).is_some()
}

/// Whether a folder has a configuration or weights, whole or not.
fn holds_model(folder: &Path) -> bool {
    let is_weights = |name: &String| name.ends_with(".safetensors");
    folder.join("config.json").exists() || entries(folder).iter().any(is_weights)
}

/// The folder of a model that lies beside the program.
///
/// Looked for as `models/NAME` beside the program and in `../share/llmpr` from there.
pub fn bundled(name: &str) -> Option<PathBuf> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\']);
    let found =
        |folder: PathBuf| Some(folder.join(name)).filter(|f| f.join("config.json").exists());
    shelves().into_iter().filter(|_| plain).find_map(found)
}

/// Names of the bundled models, in alphabetical order.
pub fn bundled_names() -> Vec<String> {
    let mut names: Vec<String> = shelves().iter().flat_map(|shelf| entries(shelf)).collect();
    names.retain(|name| bundled(name).is_some());
    names.extend(super::bundled::names().map(str::to_owned));
    names.sort();
    names.dedup();
    names
}

/// Folders that may hold bundled models.
fn shelves() -> Vec<PathBuf> {
    let mut shelves = Vec::new();
    if let Some(beside) =
        std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned))
    {
        shelves.push(beside.join("models"));
        shelves.push(beside.join("../share/llmpr/models"));
    }
    shelves
}

/// Names of what lies in a folder.
fn entries(parent: &Path) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(parent) else { return Vec::new() };
    found.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// At most three names spelled like `model`: bundled models, and entries of the folder it points into.
fn near(model: &str) -> Vec<String> {
    let path = Path::new(model);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let wanted = path.file_name().and_then(|name| name.to_str()).unwrap_or(model);
    // Comparing costs time by both lengths, and nothing on a disk has a longer name.
    if wanted.len() > 255 {
        return Vec::new();
    }
    let mut candidates: Vec<(usize, String)> = Vec::new();
    let mut consider = |name: String, shown: String| {
        let distance = edits(wanted, &name);
        if distance <= wanted.chars().count().max(4) / 3 {
            candidates.push((distance, format!("`{shown}`")));
        }
    };
    for name in entries(parent.unwrap_or(Path::new("."))) {
        // A folder without a model would be refused next.
        let there = parent.unwrap_or(Path::new(".")).join(&name);
        if there.extension().is_none_or(|extension| extension != "gguf") && !holds_model(&there) {
            continue;
        }
        let shown = parent.map_or(name.clone(), |parent| parent.join(&name).display().to_string());
        consider(name, shown);
    }
    if parent.is_none() {
        for name in bundled_names() {
            consider(name.clone(), name);
        }
        for name in CANONICAL {
            consider(name.into(), name.into());
        }
    }
    candidates.sort();
    candidates.dedup();
    candidates.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Levenshtein distance in characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
