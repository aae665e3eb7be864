//! Downloads into the cache: resumed where they stopped, checked, and only then visible.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::{Agent, Body, http::Response};

use super::{Hub, HubId, Progress};
use crate::{
    data::hex::hex,
    lm::{LmError, checkpoint::http},
};

/// What the hub says about a file.
struct Remote {
    etag: String,
    size: Option<u64>,
}

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

impl Hub {
    /// Fetches a model's files into the cache, or one GGUF file, and gives the snapshot's folder.
    ///
    /// What an interrupted download left is continued. A file appears only after its size, and
    /// where the hub gives one its SHA-256, were right.
    ///
    /// # Errors
    ///
    /// [`LmError::Fetch`] saying what was asked and what came back, [`LmError::Write`] when the
    /// cache cannot be written.
    pub fn pull(&self, id: &HubId, progress: &mut Progress<'_>) -> Result<PathBuf, LmError> {
        if self.offline {
            let why = "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set".into();
            return Err(LmError::Fetch { what: id.to_string(), why });
        }
        let agent = http::agent(8, Duration::from_secs(60))?;
        let (commit, names) = self.listing(&agent, id)?;
        let wanted: Vec<&String> = match &id.file {
            Some(file) => names.iter().filter(|name| *name == file).collect(),
            None => names.iter().filter(|name| is_wanted(name, &names)).collect(),
        };
        if wanted.is_empty() {
            let why = match &id.file {
                Some(_) => "the repository has no such file".to_owned(),
                None => "the repository has neither config.json nor safetensors".to_owned(),
            };
            return Err(LmError::Fetch { what: id.to_string(), why });
        }
        let repository = self.repository(id);
        let snapshot = repository.join("snapshots").join(&commit);
        for name in wanted {
            if !snapshot.join(name).exists() {
                let blob = self.blob(&agent, id, &commit, name, progress)?;
                link(&blob, &snapshot.join(name), name)?;
            }
        }
        let reference = repository.join("refs").join(&id.revision);
        if id.revision != commit {
            create_parent(&reference)?;
            fs::write(&reference, &commit).map_err(|source| failed(&reference, source))?;
        }
        Ok(snapshot)
    }

    fn get(&self, agent: &Agent, url: &str, from: u64) -> Result<Response<Body>, LmError> {
        let mut request = agent.get(url).header("accept-encoding", "identity");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        request.call().map_err(|e| LmError::Fetch { what: url.into(), why: e.to_string() })
    }

    /// The commit of a revision and the names of its files.
    fn listing(&self, agent: &Agent, id: &HubId) -> Result<(String, Vec<String>), LmError> {
        let url =
            format!("{}/api/models/{}/revision/{}", self.endpoint, id.repository, id.revision);
        let mut response = self.accepted(self.get(agent, &url, 0)?, id, &url)?;
        let bad = |why: String| LmError::Fetch { what: url.clone(), why };
        let text = response.body_mut().read_to_string().map_err(|e| bad(e.to_string()))?;
        let json: Value = serde_json::from_str(&text).map_err(|e| bad(format!("not JSON: {e}")))?;
        let commit =
            json["sha"].as_str().filter(|sha| sha.chars().all(|c| c.is_ascii_alphanumeric()));
        let commit = commit
            .filter(|sha| !sha.is_empty())
            .ok_or_else(|| bad("no commit in the answer".into()))?;
        let files =
            json["siblings"].as_array().ok_or_else(|| bad("no files in the answer".into()))?;
        let names = files.iter().filter_map(|file| file["rfilename"].as_str());
        // A name that would leave the snapshot is not a model's file.
        let inside =
            |name: &&str| name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
        Ok((commit.into(), names.filter(inside).map(str::to_owned).collect()))
    }

    /// Sorts out the answers that a person can do something about.
    fn accepted(
        &self,
        response: Response<Body>,
        id: &HubId,
        url: &str,
    ) -> Result<Response<Body>, LmError> {
        let why = match response.status().as_u16() {
            200..=299 => return Ok(response),
            401 | 403 if self.token.is_none() => format!(
                "the hub wants to know who asks: accept the terms at {}/{} and set HF_TOKEN",
                self.endpoint, id.repository
            ),
            401 | 403 => format!(
                "the hub refuses this token: accept the terms at {}/{} with the account of HF_TOKEN",
                self.endpoint, id.repository
            ),
            404 => "the hub has no such repository, revision or file".into(),
            status => format!("the hub answered with status {status}"),
        };
        Err(LmError::Fetch { what: url.into(), why })
    }

    fn describe(&self, id: &HubId, url: &str) -> Result<Remote, LmError> {
        // The first answer tells the file's own hash; what it redirects to tells another.
        let agent = http::agent(0, Duration::from_secs(60))?;
        let mut request = agent.head(url).header("accept-encoding", "identity");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response =
            request.call().map_err(|e| LmError::Fetch { what: url.into(), why: e.to_string() })?;
        let redirected = response.status().is_redirection();
        let response = if redirected { response } else { self.accepted(response, id, url)? };
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = header("x-linked-etag").or(header("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        if etag.is_empty()
            || etag.len() > 128
            || !etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        {
            return Err(LmError::Fetch {
                what: url.into(),
                why: "the answer has no usable ETag".into(),
            });
        }
        let length = header("content-length").filter(|_| !redirected);
        let size = header("x-linked-size").or(length).and_then(|text| text.parse().ok());
        Ok(Remote { etag, size })
    }

    /// Downloads one file into `blobs`, from where an earlier attempt stopped.
    fn blob(
        &self,
        agent: &Agent,
        id: &HubId,
        commit: &str,
        name: &str,
        progress: &mut Progress<'_>,
    ) -> Result<PathBuf, LmError> {
        let url = format!("{}/{}/resolve/{commit}/{name}", self.endpoint, id.repository);
        let remote = self.describe(id, &url)?;
        let blob = self.repository(id).join("blobs").join(&remote.etag);
        if blob.exists() {
            return Ok(blob);
        }
        create_parent(&blob)?;
        let partial = blob.with_extension("incomplete");
        let mut have = partial.metadata().map_or(0, |metadata| metadata.len());
        if remote.size.is_some_and(|size| have > size) {
            have = 0;
        }
        if have == 0 || remote.size != Some(have) {
            let mut response = self.get(agent, &url, have)?;
            if response.status().as_u16() == 416 {
                response = self.get(agent, &url, 0)?;
            }
            let mut response = self.accepted(response, id, &url)?;
            let resumed = response.status().as_u16() == 206;
            have = if resumed { have } else { 0 };
            let mut file = OpenOptions::new()
                .create(true)
                .append(resumed)
                .write(true)
                .truncate(!resumed)
                .open(&partial)
                .map_err(|source| failed(&partial, source))?;
            let mut body = response.body_mut().as_reader();
            let mut buffer = vec![0; 1 << 18];
            loop {
                let read = body.read(&mut buffer).map_err(|e| LmError::Fetch {
                    what: url.clone(),
                    why: format!(
                        "the connection broke after {have} bytes ({e}); run it again to continue"
                    ),
                })?;
                if read == 0 {
                    break;
                }
                file.write_all(&buffer[..read]).map_err(|source| failed(&partial, source))?;
                have += read as u64;
                progress(name, have, remote.size);
            }
            file.sync_all().map_err(|source| failed(&partial, source))?;
        }
        check(&partial, &remote, have, &url)?;
        fs::rename(&partial, &blob).map_err(|source| failed(&blob, source))?;
        Ok(blob)
    }
}

/// Size and, where the ETag is one, SHA-256. A wrong file is removed so that the next attempt starts anew.
fn check(partial: &Path, remote: &Remote, have: u64, url: &str) -> Result<(), LmError> {
    let wrong = |why: String| LmError::Fetch { what: url.into(), why };
    if let Some(size) = remote.size.filter(|size| *size != have) {
        return Err(wrong(format!("{have} of {size} bytes arrived; run it again to continue")));
    }
    if remote.etag.len() == 64 {
        let mut hasher = Sha256::new();
        let mut file = File::open(partial).map_err(|source| failed(partial, source))?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer).map_err(|source| failed(partial, source))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        let hash = hex(hasher.finalize());
        if hash != remote.etag {
            fs::remove_file(partial).map_err(|source| failed(partial, source))?;
            return Err(wrong(format!(
                "the file that arrived has SHA-256 {hash}, not {}",
                remote.etag
            )));
        }
    }
    Ok(())
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

fn failed(path: &Path, source: std::io::Error) -> LmError {
    LmError::Write { path: path.display().to_string(), source }
}

fn create_parent(path: &Path) -> Result<(), LmError> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(|source| failed(parent, source))
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
