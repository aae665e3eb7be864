//! A checkpoint's tensors, found by name whatever file they lie in.

use candle_core::{DType, Device, Tensor, safetensors::MmapedSafetensors};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use super::guard::guarded;
use super::matrix::{Matrix, StoredBlocks};
use crate::lm::LmError;

#[cfg(test)]
pub(crate) mod tests;

/// Prefixes under which the same tensor is published with or without its head.
const PREFIXES: [&str; 8] = [
    "model.language_model.",
    "language_model.model.",
    "language_model.",
    "model.decoder.",
    "decoder.",
    "transformer.",
    "gpt_neox.",
    "model.",
];

/// The weights of one checkpoint, read tensor by tensor and never all at once.
///
/// Names are Hugging Face's, with or without `model.` or `transformer.` in front:
/// `layers.0.self_attn.q_proj.weight`, `h.0.attn.c_attn.weight`, `embed_tokens.weight`, `lm_head.weight`.
pub struct Weights {
    origin: String,
    files: Vec<PathBuf>,
    names: BTreeMap<String, String>,
    store: Box<dyn Store>,
}

/// Where tensors come from: mapped safetensors, a GGUF file, memory.
pub(crate) trait Store: Send + Sync {
    /// The shape of a stored tensor, and the name of the type it is stored in.
    fn describe(&self, stored: &str) -> Option<(Vec<usize>, String)>;
    /// The tensor on the CPU, as f32, f16 or bf16.
    fn read(&self, stored: &str) -> candle_core::Result<Tensor>;
    /// A matrix that is stored in blocks along its inputs; `turned` as for [`Weights::matrix`].
    fn blocks(&self, _stored: &str, _turned: bool) -> Option<StoredBlocks> {
        None
    }
}

fn canonical(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

impl Weights {
    pub(crate) fn new(
        origin: String,
        files: Vec<PathBuf>,
        stored: impl Iterator<Item = (String, String)>,
        store: Box<dyn Store>,
    ) -> Result<Self, LmError> {
        let mut names = BTreeMap::new();
        for (name, stored) in stored {
            if let Some(other) = names.insert(canonical(&name).to_owned(), stored.clone()) {
                let what = format!("the tensors `{other}` and `{stored}` are one tensor by name");
                return Err(LmError::BadFile { path: origin, what });
            }
        }
        Ok(Self { origin, files, names, store })
    }

    /// Maps the safetensors files of a Hugging Face folder: `model.safetensors`, or the shards that
    /// `model.safetensors.index.json` lists.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] or [`LmError::BadFile`] when a file is missing, cut short, or its header does
    /// not describe its bytes.
    pub fn open(folder: &Path) -> Result<Self, LmError> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let files = if single.exists() {
            vec![single]
        } else if index.exists() {
            shards(folder, &index)?
        } else {
            let pickled = folder.join("pytorch_model.bin").exists()
                || folder.join("pytorch_model.bin.index.json").exists();
            let what = if pickled {
                "has pytorch_model.bin only; convert it to model.safetensors (transformers: `save_pretrained`)"
            } else {
                "has neither model.safetensors nor model.safetensors.index.json"
            };
            return Err(LmError::BadFile { path: folder.display().to_string(), what: what.into() });
        };
        Self::from_safetensors(folder.display().to_string(), files)
    }

    /// Maps safetensors files that together hold one checkpoint; `origin` names it in messages.
    pub fn from_safetensors(origin: String, files: Vec<PathBuf>) -> Result<Self, LmError> {
        let mut parts = Vec::new();
        let mut stored: BTreeMap<String, usize> = BTreeMap::new();
        for (part, file) in files.iter().enumerate() {
            let mapped = map(file)?;
            for (name, _) in mapped.tensors() {
                stored.insert(name, part);
            }
            parts.push(mapped);
        }
        let buffers = |name: &String| !is_buffer(name);
        let names: Vec<_> = stored.keys().filter(|name| buffers(name)).cloned().collect();
        let names = names.into_iter().map(|name| (name.clone(), name));
        Self::new(origin, files, names, Box::new(Mapped { parts, stored }))
    }

    /// Tensors that are in memory already, for tests and toys.
    pub fn from_tensors(tensors: HashMap<String, Tensor>) -> Result<Self, LmError> {
        let names: Vec<_> = tensors.keys().map(|name| (name.clone(), name.clone())).collect();
        Self::new("memory".into(), Vec::new(), names.into_iter(), Box::new(InMemory(tensors)))
    }

    /// Whether there is a tensor of that name.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(canonical(name))
    }

    /// The tensor, on the CPU and in the type it is stored in (quantized ones as f32).
    ///
    /// # Errors
    ///
    /// [`LmError::NoTensor`] and [`LmError::Shape`] when it is missing or of another shape than `shape`.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, LmError> {
        let (stored, kind) = self.find(name, shape)?;
        let tensor = guarded(&self.origin, || Ok::<_, LmError>(self.store.read(stored)?))?;
        match tensor.dtype() {
            DType::F32 | DType::F16 | DType::BF16 => Ok(tensor),
            DType::F64 => Ok(tensor.to_dtype(DType::F32)?),
            _ => {
                let what =
                    format!("the tensor `{stored}` holds {kind}, and weights are f32, f16 or bf16");
                Err(LmError::BadFile { path: self.origin.clone(), what })
            }
        }
    }

    /// A tensor of bytes, for packed weights.
    ///
    /// # Errors
    ///
    /// Those of [`tensor`](Self::tensor).
    pub(crate) fn bytes(&self, name: &str, shape: &[usize]) -> Result<Vec<u8>, LmError> {
        let (stored, kind) = self.find(name, shape)?;
        let tensor = guarded(&self.origin, || Ok::<_, LmError>(self.store.read(stored)?))?;
        if tensor.dtype() != DType::U8 {
            let what = format!("the tensor `{stored}` holds {kind}, and packed weights are u8");
            return Err(LmError::BadFile { path: self.origin.clone(), what });
        }
        Ok(tensor.flatten_all()?.to_vec1()?)
    }

    /// The matrix of `[out, in]` in the type it is stored in; `turned` where the names' own checkpoints have
    /// it as `[in, out]`.
    ///
    /// # Errors
    ///
    /// Those of [`tensor`](Self::tensor).
    pub fn matrix(
        &self,
        name: &str,
        [rows, columns]: [usize; 2],
        turned: bool,
    ) -> Result<Matrix, LmError> {
        let shape = if turned { [columns, rows] } else { [rows, columns] };
        let (stored, _) = self.find(name, &shape)?;
        if let Some(blocks) = self.store.blocks(stored, turned) {
            return Ok(Matrix::Blocks(blocks));
        }
        let tensor = self.tensor(name, &shape)?;
        Ok(Matrix::Numbers(if turned { tensor.t()?.contiguous()? } else { tensor }))
    }

    /// The matrices of `[count, out, in]`.
    ///
    /// # Errors
    ///
    /// Those of [`tensor`](Self::tensor).
    pub fn matrices(
        &self,
        name: &str,
        [count, rows, columns]: [usize; 3],
    ) -> Result<Vec<Matrix>, LmError> {
        let (stored, _) = self.find(name, &[count, rows, columns])?;
        if let Some(blocks) = self.store.blocks(stored, false) {
            let part = |i: usize| Matrix::Blocks(blocks.part(i * rows, rows));
            return Ok((0..count).map(part).collect());
        }
        let all = self.tensor(name, &[count, rows, columns])?;
        (0..count).map(|i| Ok(Matrix::Numbers(all.get(i)?))).collect()
    }

    /// The stored name and the type of a tensor of that shape.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(&str, String), LmError> {
        let missing =
            || LmError::NoTensor { path: self.origin.clone(), name: canonical(name).into() };
        let stored = self.names.get(canonical(name)).ok_or_else(missing)?;
        let (found, kind) = self.store.describe(stored).ok_or_else(missing)?;
        if found != shape {
            let (path, name) = (self.origin.clone(), stored.clone());
            return Err(LmError::Shape { path, name, found, wanted: shape.to_vec() });
        }
        Ok((stored, kind))
    }

    /// Canonical names in alphabetical order, with shapes and the types they are stored in.
    pub fn list(&self) -> impl Iterator<Item = (&str, Vec<usize>, String)> {
        self.names.iter().filter_map(|(name, stored)| {
            let (shape, kind) = self.store.describe(stored)?;
            Some((name.as_str(), shape, kind))
        })
    }

    /// The type that holds most of the parameters: `f32`, `bf16`, `q4_1`, …
    pub fn stored_type(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (_, shape, kind) in self.list() {
            *counts.entry(kind).or_default() += shape.iter().product::<usize>();
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map_or("none".into(), |(kind, _)| kind)
    }

    /// Whether some matrix is stored in blocks that can be multiplied as they are.
    pub fn in_blocks(&self) -> bool {
        let blocks = |stored: &String| {
            [false, true].iter().any(|turned| self.store.blocks(stored, *turned).is_some())
        };
        self.names.values().any(blocks)
    }

    /// Number of stored parameters.
    pub fn parameters(&self) -> usize {
        self.list().map(|(_, shape, _)| shape.iter().product::<usize>()).sum()
    }

    /// The files that hold the tensors.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What the weights are called in messages.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Masks and frequency tables that older checkpoints store beside the weights.
fn is_buffer(name: &str) -> bool {
    let masks = [".attn.bias", ".attn.masked_bias", ".attention.bias", ".attention.masked_bias"];
    masks.iter().any(|mask| name.ends_with(mask)) || name.ends_with(".rotary_emb.inv_freq")
}

/// The shard files that an index lists, each checked to be there.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, LmError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bad = |what: String| LmError::BadFile { path: index.display().to_string(), what };
    let text = crate::lm::read_text(index)?;
    let Index { weight_map } =
        serde_json::from_str(&text).map_err(|e| bad(format!("not an index of shards: {e}")))?;
    let names: BTreeSet<&String> = weight_map.values().collect();
    if names.is_empty() {
        return Err(bad("lists no shards".into()));
    }
    let mut files = Vec::new();
    for name in names {
        // A name is one file of this folder, whatever the index says.
        if name.contains(['/', '\\']) || name == ".." {
            return Err(bad(format!("the shard name `{name}` leaves the folder")));
        }
        let file = folder.join(name);
        if !file.exists() {
            return Err(bad(format!("the shard `{name}` is missing beside it")));
        }
        files.push(file);
    }
    Ok(files)
}

/// Maps a safetensors file after its header was checked against its length.
#[expect(unsafe_code, reason = "memory-mapping weights")]
fn map(file: &Path) -> Result<MmapedSafetensors, LmError> {
    check_header(file)?;
    // SAFETY: the mapping is read-only and private to the process; the library checks every offset
    // of the header against the mapped length before a view is made. A file that another process
    // cuts short while it is mapped ends this one with SIGBUS, as for every program that maps files.
    let path = file.display().to_string();
    let open = || {
        unsafe { MmapedSafetensors::new(file) }.map_err(|e| LmError::BadFile {
            path: path.clone(),
            what: format!("not a sound safetensors file, perhaps cut short: {}", innermost(&e)),
        })
    };
    guarded(&path, open)
}

/// The sentence for the commonest damage, a file that ends too early.
fn check_header(file: &Path) -> Result<(), LmError> {
    use std::io::Read;
    let path = || file.display().to_string();
    let failed = |source| LmError::Read { path: path(), source };
    let mut opened = std::fs::File::open(file).map_err(failed)?;
    let length = opened.metadata().map_err(failed)?.len();
    let bad = |what: String| Err(LmError::BadFile { path: path(), what });
    if length < 8 {
        return bad(format!("{length} bytes are too few for a safetensors file"));
    }
    let mut header = [0; 8];
    opened.read_exact(&mut header).map_err(failed)?;
    let header = u64::from_le_bytes(header);
    if header > length - 8 {
        return bad(format!(
            "the safetensors header claims {header} bytes and the file has {length}: cut short, or another format"
        ));
    }
    Ok(())
}

/// The message at the end of a chain of wrapped errors, without paths and backtraces.
fn innermost(error: &candle_core::Error) -> String {
    match error {
        candle_core::Error::WithPath { inner, .. }
        | candle_core::Error::WithBacktrace { inner, .. }
        | candle_core::Error::Context { inner, .. } => innermost(inner),
        other => other.to_string(),
    }
}

struct Mapped {
    parts: Vec<MmapedSafetensors>,
    stored: BTreeMap<String, usize>,
}

impl Store for Mapped {
    fn describe(&self, stored: &str) -> Option<(Vec<usize>, String)> {
        let view = self.parts[*self.stored.get(stored)?].get(stored).ok()?;
        Some((view.shape().to_vec(), format!("{:?}", view.dtype()).to_lowercase()))
    }

    fn read(&self, stored: &str) -> candle_core::Result<Tensor> {
        let part = self.stored.get(stored).copied().unwrap_or_default();
        self.parts[part].load(stored, &Device::Cpu)
    }
}

struct InMemory(HashMap<String, Tensor>);

impl Store for InMemory {
    fn describe(&self, stored: &str) -> Option<(Vec<usize>, String)> {
        let tensor = self.0.get(stored)?;
        Some((tensor.dims().to_vec(), tensor.dtype().as_str().into()))
    }

    fn read(&self, stored: &str) -> candle_core::Result<Tensor> {
        let missing = || candle_core::Error::CannotFindTensor { path: stored.into() };
        self.0.get(stored).cloned().ok_or_else(missing)
    }
}
