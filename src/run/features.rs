//! Features of texts, computed once: beside a cell's texts, and for references in the user's cache.

use std::{
    cell::OnceCell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    plan::hex,
    progress::Progress,
    signals::Stop,
    store::{StoreError, make_folder, read_json, write_json},
};
use crate::{
    lm::{
        Checkpoint, Lm, LmError,
        device::{self, DeviceChoice, DtypeChoice},
        embed::{Embedder, Pooling},
    },
    matrix::{Matrix, MatrixError},
    npy::{self, FeatureError},
};

/// Why features cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// The model that embeds.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// A file of features.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// Another file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A vector with NaN in it.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
}

/// What features were made of; stands beside them as `features.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    /// Hash of the embedder and its settings.
    embedder: String,
    /// Hash of the texts in order.
    texts: String,
    /// Rows.
    rows: usize,
}

/// The embedder of a run; its weights are read when the first text needs them.
pub struct Features {
    name: String,
    checkpoint: OnceCell<Checkpoint>,
    embedder: OnceCell<Embedder>,
    device: DeviceChoice,
    dtype: DtypeChoice,
    pooling: Pooling,
    max_tokens: usize,
    /// Hash of the model, its tokenizer and these settings.
    key: String,
    /// Vectors of texts that occur in several cells.
    shared: HashMap<[u8; 32], Option<Arc<[f32]>>>,
    stop: Stop,
}
