//! A GGUF file's tensors under Hugging Face's names.

use candle_core::Tensor;
use std::{collections::HashMap, sync::Arc};

use super::{
    Gguf, Kind, TensorInfo,
    names::{Change, rename},
};
use crate::lm::{
    LmError, ModelConfig, Weights,
    checkpoint::{matrix::StoredBlocks, weights::Store},
};

/// Tensors that the configuration reads.
const OF_ROPE: [&str; 3] =
    ["rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"];

impl Gguf {
    /// The tensors under Hugging Face's names, with llama.cpp's rearrangements undone.
    ///
    /// # Errors
    ///
    /// [`LmError::BadFile`] naming a tensor that the architecture does not have.
    pub fn weights(&self, config: &ModelConfig) -> Result<Weights, LmError> {
        let family = self.family()?;
        let mut stored = HashMap::new();
        let mut names = Vec::new();
        for (name, info) in &self.tensors {
            if OF_ROPE.contains(&&**name) {
                continue;
            }
            let found = rename(name, family, config);
            if found.is_empty() {
                let what =
                    format!("the tensor `{name}` is not part of a {} model", config.model_type);
                return Err(self.bad(what));
            }
            let rows = info.shape.first().copied().unwrap_or_default();
            for (canonical, change) in found {
                if let Some(needed) = change.rows(config).filter(|needed| *needed != rows) {
                    let what = format!("the tensor `{name}` has {rows} rows and not {needed}");
                    return Err(self.bad(what));
                }
                let stored_as = format!("{name} as {canonical}");
                names.push((canonical, stored_as.clone()));
                stored.insert(stored_as, (info.clone(), change));
            }
        }
        let store = Box::new(Stored { map: Arc::clone(&self.map), tensors: stored });
        Weights::new(
            self.path.display().to_string(),
            vec![self.path.clone()],
            names.into_iter(),
            store,
        )
    }
}

struct Stored {
    map: Arc<memmap2::Mmap>,
    tensors: HashMap<String, (TensorInfo, Change)>,
}

impl Store for Stored {
    fn describe(&self, stored: &str) -> Option<(Vec<usize>, String)> {
        let (info, change) = self.tensors.get(stored)?;
        Some((change.shape(&info.shape), info.kind_name()))
    }

    fn blocks(&self, stored: &str, turned: bool) -> Option<StoredBlocks> {
        let (info, change) = self.tensors.get(stored)?;
        let Kind::Blocks(format) = info.kind else { return None };
        // Experts stand one below the other.
        let (&columns, above) = info.shape.split_last()?;
        let rows: usize = above.iter().product();
        // Blocks run along the inputs, whatever the names' own checkpoints do.
        let along = turned == (*change == Change::Transpose);
        if above.is_empty() || !along {
            return None;
        }
        let order = change.order(rows).map(Arc::from);
        let rows = order.as_ref().map_or(rows, |order: &Arc<[u32]>| order.len());
        let (file, bytes) = (Arc::clone(&self.map), info.bytes.clone());
        Some(StoredBlocks { format, rows, columns, file, bytes, order })
    }

    fn read(&self, stored: &str) -> candle_core::Result<Tensor> {
        let missing = || candle_core::Error::CannotFindTensor { path: stored.into() };
        let (info, change) = self.tensors.get(stored).ok_or_else(missing)?;
        change.undo(info.tensor(&self.map)?)
    }
}
