//! A model opened by name: configuration, weights, tokenizer and a hash of what determines its texts.

use sha2::{Digest, Sha256};
use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{
    gguf::Gguf,
    hub::{self, Hub},
    source::ModelSource,
};
use crate::{
    data::hex::hex,
    lm::{LmError, ModelConfig, Tokenizer, Weights},
};

/// A checkpoint that has been found and understood; no weight has been read yet.
pub struct Checkpoint {
    /// What was opened, for signatures and messages: the name or path given.
    pub source: String,
    /// Dimensions and variants.
    pub config: ModelConfig,
    /// The tensors.
    pub weights: Weights,
    /// The tokenizer, where the checkpoint has one; [`tokenizer`](Self::tokenizer) gives it or says why not.
    pub tokenizer: Option<Tokenizer>,
    /// The type that holds most of the stored parameters: `f32`, `bf16`, `q4_1`, …
    pub dtype: String,
    hashed: Vec<PathBuf>,
    hash: OnceLock<String>,
}

/// The folder or GGUF file of a model by what a person calls it: a path, a hub id or a bundled name.
///
/// A hub model that the cache lacks is fetched, unless `HF_HUB_OFFLINE` is set.
///
/// # Errors
///
/// [`LmError`] naming the model and what is wrong with it; a server has no files.
pub fn locate(model: &str) -> Result<PathBuf, LmError> {
    match ModelSource::parse(model)? {
        ModelSource::Folder(path) | ModelSource::Gguf(path) => Ok(path),
        ModelSource::Hub(id) => {
            let by_hand = |e| match e {
                LmError::Fetch { what, why } => {
                    let why = format!("{why}; later, or elsewhere: llmpr models pull {id}");
                    LmError::Fetch { what, why }
                }
                other => other,
            };
            Hub::from_env().resolve(&id, &mut hub::aloud(&id)).map_err(by_hand)
        }
        ModelSource::Server { .. } => {
            let what = "a server gives texts only; this needs a checkpoint".into();
            Err(LmError::Model { model: model.into(), what })
        }
    }
}

/// Opens the language model that [`locate`] finds.
///
/// # Errors
///
/// [`LmError`] naming the model or file and what is wrong with it.
pub fn open(model: &str) -> Result<Checkpoint, LmError> {
    open_at(&locate(model)?, model)
}

/// Opens the language model in a folder or GGUF file; `model` is what it was called.
///
/// # Errors
///
/// Those of [`open`], but for what cannot be found.
pub fn open_at(path: &Path, model: &str) -> Result<Checkpoint, LmError> {
    let mut checkpoint = match path.extension().is_some_and(|extension| extension == "gguf") {
        true => Checkpoint::open_gguf(path)?,
        false => Checkpoint::open_folder(path)?,
    };
    checkpoint.source = model.into();
    Ok(checkpoint)
}

impl Checkpoint {
    /// Opens a Hugging Face folder: config.json, generation_config.json and safetensors.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`], [`LmError::BadFile`] or [`LmError::Config`] naming the file and what is wrong;
    /// a file whose hash is not that of the model card's `sha256` block is refused.
    pub fn open_folder(folder: &Path) -> Result<Self, LmError> {
        Self::open_folder_with(folder, &folder.join("config.json"))
    }

    /// The same with a configuration from another file.
    pub fn open_folder_with(folder: &Path, config: &Path) -> Result<Self, LmError> {
        if !folder.is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(LmError::Read { path: folder.display().to_string(), source });
        }
        super::bundled::check_card(folder)?;
        let generation = folder.join("generation_config.json");
        let generation =
            generation.exists().then(|| crate::lm::read_text(&generation)).transpose()?;
        let read = ModelConfig::from_json(&crate::lm::read_text(config)?, generation.as_deref());
        let path = config.display().to_string();
        let parsed = read.map_err(|source| LmError::Config { path, source: Box::new(source) })?;
        let weights = Weights::open(folder)?;
        let mut hashed = vec![config.to_owned()];
        hashed.extend_from_slice(weights.files());
        let source = folder.display().to_string();
        let tokenizer = Tokenizer::open(folder)?;
        let dtype = weights.stored_type();
        Ok(Self {
            source,
            config: parsed,
            weights,
            tokenizer,
            dtype,
            hashed,
            hash: OnceLock::new(),
        })
    }

    /// Opens a GGUF file, which holds everything; weights it has in quantized types are read as f32.
    ///
    /// # Errors
    ///
    /// As [`open_folder`](Self::open_folder).
    pub fn open_gguf(path: &Path) -> Result<Self, LmError> {
        let file = Gguf::open(path)?;
        let config = file.config()?;
        let weights = file.weights(&config)?;
        let tokenizer = file.tokenizer()?;
        let (source, dtype) = (path.display().to_string(), weights.stored_type());
        let hashed = vec![path.to_owned()];
        Ok(Self { source, config, weights, tokenizer, dtype, hashed, hash: OnceLock::new() })
    }

    /// The tokenizer.
    ///
    /// # Errors
    ///
    /// [`LmError::NoTokenizer`] when the checkpoint came without one.
    pub fn tokenizer(&self) -> Result<&Tokenizer, LmError> {
        let what = match self.weights.origin().ends_with(".gguf") {
            true => "no tokenizer.ggml.tokens in its metadata",
            false => "no tokenizer.json",
        };
        let missing = || LmError::NoTokenizer { path: self.source.clone(), what };
        self.tokenizer.as_ref().ok_or_else(missing)
    }

    /// SHA-256, in hexadecimal, over the configuration's and the weights' files in order.
    ///
    /// Reads every byte of the weights the first time it is asked for.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] when a file can no longer be read.
    pub fn hash(&self) -> Result<&str, LmError> {
        if let Some(hash) = self.hash.get() {
            return Ok(hash);
        }
        let hash = sha256(&self.hashed)?;
        Ok(self.hash.get_or_init(|| hash))
    }
}

/// SHA-256 over files: each one's length, then its bytes.
pub(crate) fn sha256(files: &[PathBuf]) -> Result<String, LmError> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        let failed = |source| LmError::Read { path: path.display().to_string(), source };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        hasher.update(file.metadata().map_err(failed)?.len().to_le_bytes());
        loop {
            let read = file.read(&mut buffer).map_err(failed)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
    }
    Ok(hex(hasher.finalize()))
}
