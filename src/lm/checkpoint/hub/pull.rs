//! Repositories into the cache: which files, and when they become a revision.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Hub, HubId, HubKind, Progress,
    blob::{create_parent, failed},
    remote::Remote,
};
use crate::{
    data::secret::without_logins,
    lm::{LmError, checkpoint::notes},
};

/// Files beside the weights that a language model or sentence encoder is made of.
const COMPANIONS: [&str; 12] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "model.safetensors.index.json",
    "model.safetensors",
];

/// The most names that a sentence lists.
const LISTED: usize = 12;

impl Hub {
    /// Fetches a model's files into the cache, or one file, and gives the snapshot's folder. Offline it is what
    /// the cache holds.
    ///
    /// What an interrupted download left is continued. A file appears only after its size, and
    /// where the hub gives one its hash, were right; the revision only after all its files.
    ///
    /// # Errors
    ///
    /// [`LmError::Fetch`] saying what was asked and what came back, [`LmError::Refused`] when the hub has or
    /// gives no such thing, [`LmError::NotCached`] offline, [`LmError::Write`] when the cache cannot be written.
    pub fn pull(&self, id: &HubId, progress: &mut Progress<'_>) -> Result<PathBuf, LmError> {
        if self.offline {
            self.find(id).map_err(|file| self.not_cached(id, file))?;
            return Ok(self.snapshot(id).unwrap_or_default());
        }
        // What is said may end in a log that others read.
        self.fetch(id, progress).map_err(|error| match error {
            LmError::Fetch { what, why } => {
                LmError::Fetch { what: without_logins(&what), why: without_logins(&why) }
            }
            LmError::Refused { id, why } => LmError::Refused { id, why: without_logins(&why) },
            other => other,
        })
    }

    fn fetch(&self, id: &HubId, progress: &mut Progress<'_>) -> Result<PathBuf, LmError> {
        let remote = Remote::new(self)?;
        let (commit, names) = remote.listing(id)?;
        let wanted =
            wanted(id, &names).map_err(|why| LmError::Refused { id: id.to_string(), why })?;
        let repository = self.repository(id);
        let pulled = remote.snapshot(id, &commit, &wanted, progress);
        if pulled.is_err() {
            // Python takes a repository without `snapshots` for a broken one: it goes last, and only where no part
            // of a file is left.
            let empty = |folder: &str| match fs::remove_dir(repository.join(folder)) {
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
                Ok(()) => true,
            };
            let _ = empty("blobs") && empty("snapshots") && empty("");
        }
        pulled
    }
}

impl Hub {
    /// What to say offline of a model whose `file` the cache lacks.
    fn not_cached(&self, id: &HubId, file: String) -> LmError {
        let apart = |other: &HubId| HubId { file: None, ..other.clone() } == *id;
        let gguf: Vec<String> =
            self.cached().iter().filter(|other| apart(other)).map(ToString::to_string).collect();
        match gguf.is_empty() {
            true => {
                let cache = self.cache.display().to_string();
                LmError::NotCached { id: id.to_string(), file, cache }
            }
            false => {
                let why = format!("the cache holds GGUF files of it; name one: {}", listed(&gguf));
                LmError::Refused { id: id.to_string(), why }
            }
        }
    }
}

impl Remote<'_> {
    /// All of `wanted` under their names, then the revision's name.
    fn snapshot(
        &self,
        id: &HubId,
        commit: &str,
        wanted: &[&str],
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf, LmError> {
        let repository = self.hub.repository(id);
        let snapshots = repository.join("snapshots");
        fs::create_dir_all(&snapshots).map_err(|source| failed(&snapshots, source))?;
        let snapshot = snapshots.join(commit);
        for name in wanted {
            if !snapshot.join(name).exists() {
                let blob = self.blob(id, commit, name, progress)?;
                link(&blob, &snapshot.join(name), name)?;
            }
        }
        if id.revision != commit {
            let reference = repository.join("refs").join(&id.revision);
            create_parent(&reference)?;
            // Made outside of `refs`, where every file counts as a reference.
            let temporary =
                repository.join("blobs").join(format!("ref.{}.tmp", std::process::id()));
            create_parent(&temporary)?;
            fs::write(&temporary, commit)
                .and_then(|()| fs::rename(&temporary, &reference))
                .map_err(|source| failed(&reference, source))?;
        }
        Ok(snapshot)
    }

    /// The commit of a revision and the names of its files.
    fn listing(&self, id: &HubId) -> Result<(String, Vec<String>), LmError> {
        let url = self.listing_url(id);
        let mut answer = self.accepted(self.get(&url, 0)?, id)?;
        let bad = |why: String| LmError::Fetch { what: url.clone(), why };
        let body = answer.response.body_mut().with_config().limit(1 << 30).read_to_string();
        let text = body.map_err(|e| bad(e.to_string()))?;
        let json: Value = serde_json::from_str(&text).map_err(|error| {
            let begin: String = text.trim_start().chars().take(40).collect();
            bad(format!(
                "no listing came back ({error}) but text that begins with {begin:?}; is HF_ENDPOINT a hub, and does \
                 no proxy ask for a login?"
            ))
        })?;
        let plain = |sha: &&str| !sha.is_empty() && sha.chars().all(|c| c.is_ascii_alphanumeric());
        let commit = json["sha"].as_str().filter(plain);
        let commit = commit.ok_or_else(|| bad("no commit in the answer".into()))?;
        let files =
            json["siblings"].as_array().ok_or_else(|| bad("no files in the answer".into()))?;
        if let Some(now) = json["id"].as_str().filter(|now| *now != id.repository) {
            notes::tell(&format!("the hub calls `{}` `{now}` now", id.repository));
        }
        let names = files.iter().filter_map(|file| file["rfilename"].as_str());
        // A name that would leave the snapshot is not a repository's file.
        let inside = |name: &&str| {
            name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
                && !name.contains('\\')
        };
        Ok((commit.into(), names.filter(inside).map(str::to_owned).collect()))
    }
}

/// The files to fetch, weights last: where they are, everything is. Else why there are none.
fn wanted<'a>(id: &HubId, names: &'a [String]) -> Result<Vec<&'a str>, String> {
    let all = || names.iter().map(String::as_str);
    if let Some(file) = &id.file {
        let found: Vec<&str> = all().filter(|name| name == file).collect();
        return if found.is_empty() { Err(no_file(id, file, names)) } else { Ok(found) };
    }
    let is_weights = |name: &&str| name.ends_with(".safetensors");
    let mut wanted: Vec<&str> = all().filter(|name| is_wanted(name, names)).collect();
    wanted.sort_by_key(is_weights);
    let (weights, config) = (wanted.iter().any(is_weights), wanted.contains(&"config.json"));
    if weights && config {
        return Ok(wanted);
    }
    let gguf: Vec<&str> = all().filter(|name| name.ends_with(".gguf")).collect();
    let pickled = |name: &&str| name.starts_with("pytorch_model") && name.ends_with(".bin");
    if !gguf.is_empty() {
        let named: Vec<String> = gguf.iter().map(|file| named(id, file)).collect();
        return Err(format!("the repository holds GGUF files; name one: {}", listed(&named)));
    }
    if all().any(|name| name == "adapter_config.json") {
        return Err("the repository holds an adapter alone; merge it into its model (peft's merge_and_unload), save \
                    that with save_pretrained and name the folder"
            .into());
    }
    if let Some(name) = all().find(pickled) {
        let id = &id.repository;
        return Err(format!(
            "its weights are `{name}` alone, a pickle, which can run code and is not read; convert it with: python -c \
             \"from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; \
             M.from_pretrained('{id}').save_pretrained('DIR'); T.from_pretrained('{id}').save_pretrained('DIR')\" and \
             name DIR, or look for safetensors among its pull requests ({id}@refs/pr/N)"
        ));
    }
    let lacks = match (config, weights) {
        (true, _) => "no safetensors",
        (_, true) => "no config.json",
        _ => "neither config.json nor safetensors",
    };
    Err(format!("the repository has {lacks}, so it is no model that can be read"))
}

/// A file that is not there is answered with those of its kind.
fn no_file(id: &HubId, file: &str, names: &[String]) -> String {
    let ending = |name: &str| name.rsplit_once('.').map(|(_, ending)| ending.to_owned());
    let alike = names.iter().filter(|name| ending(name) == ending(file));
    let alike: Vec<String> = alike.map(|name| format!("`{name}`")).collect();
    let has = match (alike.is_empty(), names.is_empty()) {
        (false, _) => format!("it has {}", listed(&alike)),
        (true, false) => {
            let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("it has {}", listed(&all))
        }
        (true, true) => "it is empty".to_owned(),
    };
    let kind = match id.kind {
        HubKind::Dataset => "data set",
        HubKind::Model => "repository",
    };
    format!("the {kind} has no such file at `{}`; {has}", id.revision)
}

fn named(id: &HubId, file: &str) -> String {
    HubId { file: Some(file.to_owned()), ..id.clone() }.to_string()
}

fn listed(names: &[String]) -> String {
    let more = match names.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ") + &more
}

/// Whether a repository's file belongs to its model; one file of weights wins over shards.
fn is_wanted(name: &str, all: &[String]) -> bool {
    let single = all.iter().any(|name| name == "model.safetensors");
    let shard = name.starts_with("model-") && name.ends_with(".safetensors") && !name.contains('/');
    match name {
        "model.safetensors.index.json" => !single,
        _ if name.starts_with("additional_chat_templates/") => name.ends_with(".jinja"),
        _ => COMPANIONS.contains(&name) || (shard && !single),
    }
}

/// Puts a blob under its name, as a relative link where links exist.
fn link(blob: &Path, at: &Path, name: &str) -> Result<(), LmError> {
    create_parent(at)?;
    let file = blob.file_name().unwrap_or_default();
    let up = "../".repeat(2 + name.matches('/').count());
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(Path::new(&up).join("blobs").join(file), at);
    #[cfg(not(unix))]
    let made = {
        let _ = (up, file);
        fs::copy(blob, at).map(|_| ())
    };
    match made {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(at, e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(id: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let id = HubId::parse(id).or_else(|| Some(HubId::parse_file(id)?.0)).unwrap();
        wanted(&id, &names).unwrap_err()
    }

    #[test]
    fn what_is_no_model_is_answered_with_what_to_do() {
        let message = why("org/x@v1", &["README.md", "a.Q4.gguf", "b/c.gguf"]);
        assert!(message.ends_with("name one: org/x@v1/a.Q4.gguf, org/x@v1/b/c.gguf"), "{message}");
        // One file is asked for by name, too: a second one may be there tomorrow.
        assert!(why("org/x", &["config.json", "a.gguf"]).ends_with("name one: org/x/a.gguf"));
        let message = why("org/x", &["config.json", "pytorch_model-00001-of-00002.bin"]);
        assert!(
            message.contains("a pickle") && message.contains("M.from_pretrained('org/x')"),
            "{message}"
        );
        assert!(
            why("org/x", &["adapter_config.json", "adapter_model.safetensors"])
                .contains("merge it")
        );
        assert!(why("org/x", &["README.md"]).contains("neither config.json nor safetensors"));
        assert!(why("org/x", &["config.json"]).contains("no safetensors"));
        let message = why("hf:org/d/test.parquet", &["a.parquet", "b/c.parquet", "x.csv"]);
        assert_eq!(
            message,
            "the data set has no such file at `main`; it has `a.parquet`, `b/c.parquet`"
        );
        assert!(why("org/x/y.gguf", &["x.csv"]).ends_with("it has `x.csv`"));
        let many: Vec<String> = (0..20).map(|i| format!("{i}.gguf")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(why("org/x", &many).ends_with("org/x/11.gguf and 8 more"));
    }

    #[test]
    fn weights_come_last() {
        let names = ["model.safetensors", "config.json", "README.md", "tokenizer.json"];
        let names = names.map(str::to_owned);
        let wanted = wanted(&HubId::parse("org/x").unwrap(), &names).unwrap();
        assert_eq!(wanted, ["config.json", "tokenizer.json", "model.safetensors"]);
    }
}
