//! The hub's cache on disk, shared with Python: `models--org--name/{blobs,refs,snapshots}`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lm::LmError;

mod blob;
mod id;
mod listing;
mod local;
mod pull;
mod refusal;
mod remote;
#[cfg(test)]
mod tests;

pub use id::{HubId, HubKind};
pub(crate) use local::aloud;
pub use local::local;

/// Where the cache lies and how the hub is reached.
#[derive(Clone, Debug)]
pub struct Hub {
    /// The folder that holds `models--org--name`.
    pub cache: PathBuf,
    /// Address of the hub or a mirror, without a slash behind.
    pub endpoint: String,
    /// Sent with every request to the endpoint, and to nobody it redirects to.
    pub token: Option<String>,
    /// Never open a connection.
    pub offline: bool,
    /// What is waited before a request is tried again; twice as long each further time.
    pub pause: Duration,
}

/// `XDG_CACHE_HOME`, else `~/.cache`.
pub(crate) fn user_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let xdg = set("XDG_CACHE_HOME").map(PathBuf::from);
    xdg.or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache")))
}

impl Hub {
    /// The settings of `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`,
    /// `HF_HUB_DISABLE_IMPLICIT_TOKEN`, `HF_HUB_OFFLINE` and `TRANSFORMERS_OFFLINE`.
    pub fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let on = |name: &str| {
            let value = set(name).map(|value| value.to_ascii_lowercase());
            value.is_some_and(|value| matches!(value.as_str(), "1" | "true" | "yes" | "on"))
        };
        let home = set("HF_HOME").map(PathBuf::from);
        let home = home.or_else(|| user_cache().map(|cache| cache.join("huggingface")));
        let home = home.unwrap_or_else(|| PathBuf::from(".huggingface"));
        let token = || {
            let path = set("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
            std::fs::read_to_string(path).ok()
        };
        let token = set("HF_TOKEN").or_else(token).map(|token| token.trim().to_owned());
        Self {
            cache: set("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            endpoint: set("HF_ENDPOINT").map_or_else(
                || "https://huggingface.co".into(),
                |endpoint| endpoint.trim_end_matches('/').to_owned(),
            ),
            token: token.filter(|token| !token.is_empty() && !on("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            offline: on("HF_HUB_OFFLINE") || on("TRANSFORMERS_OFFLINE"),
            pause: Duration::from_secs(1),
        }
    }

    fn repository(&self, id: &HubId) -> PathBuf {
        self.cache.join(id.folder())
    }

    /// The folder of the files of a revision, if the cache has that revision.
    pub fn snapshot(&self, id: &HubId) -> Option<PathBuf> {
        let repository = self.repository(id);
        let reference = std::fs::read_to_string(repository.join("refs").join(&id.revision));
        let commit = reference.map_or_else(|_| id.revision.clone(), |text| text.trim().to_owned());
        let plain = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric());
        Some(repository.join("snapshots").join(commit)).filter(|folder| plain && folder.is_dir())
    }

    /// The file that the cache lacks of a model, or the model's folder or the one file.
    fn find(&self, id: &HubId) -> Result<PathBuf, String> {
        let first = id.file.as_deref().unwrap_or("config.json");
        let Some(folder) = self.snapshot(id) else { return Err(first.into()) };
        if !folder.join(first).exists() {
            return Err(first.into());
        }
        if id.file.is_some() {
            return Ok(folder.join(first));
        }
        let index = folder.join("model.safetensors.index.json");
        if folder.join("model.safetensors").exists() {
            return Ok(folder);
        }
        let Ok(text) = std::fs::read_to_string(&index) else {
            return Err("model.safetensors".into());
        };
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let shards = json.get("weight_map").and_then(|map| map.as_object());
        let mut names: Vec<&str> =
            shards.into_iter().flatten().filter_map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        match names.into_iter().find(|name| !folder.join(name).exists()) {
            Some(name) => Err(name.into()),
            None => Ok(folder),
        }
    }

    /// The model's folder, or the one file: from the cache, else fetched.
    ///
    /// # Errors
    ///
    /// [`LmError::NotCached`] naming the missing file when offline, [`LmError::Fetch`] when the hub
    /// cannot be reached, [`LmError::Refused`] when it has or gives no such thing.
    pub fn resolve(&self, id: &HubId, progress: &mut Progress<'_>) -> Result<PathBuf, LmError> {
        match self.find(id) {
            Ok(found) => Ok(found),
            Err(_) => {
                self.pull(id, progress)?;
                self.find(id).map_err(|file| LmError::Refused {
                    id: id.to_string(),
                    why: format!("the repository has no `{file}`"),
                })
            }
        }
    }

    /// Models whose files are complete in the cache, in alphabetical order: those of every revision that
    /// has a name, and GGUF files by themselves.
    pub fn cached(&self) -> Vec<HubId> {
        listing::cached(self)
    }
}

/// Told a file's name, the bytes it has and the bytes it will have.
pub type Progress<'a> = dyn FnMut(&str, u64, Option<u64>) + 'a;
