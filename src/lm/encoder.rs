//! Sentence encoders of the BERT family, as sentence-transformers describes them in modules.json.

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use rayon::prelude::*;
use serde_json::Value;
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use self::{
    bert::{Bert, BertConfig},
    cpu::CpuBert,
};
use super::{LmError, Tokenizer, Weights, checkpoint::load, engine::network::Interrupt};
use crate::data::{matrix::Matrix, signature::content};

mod bert;
mod cpu;
#[cfg(test)]
pub(crate) mod tests;

/// How the hidden states of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pooling {
    Mean,
    First,
    Max,
}

/// The network where it is computed.
enum Network {
    Cpu(CpuBert),
    Device(Bert),
}

impl Network {
    fn new(config: &BertConfig, weights: &Weights, device: &Device) -> Result<Self, LmError> {
        let tensors = variables(weights, device)?;
        Ok(match device {
            Device::Cpu => Self::Cpu(CpuBert::new(config, &tensors)?),
            _ => Self::Device(Bert::new(config, &tensors)?),
        })
    }

    /// Hidden states of one text, `tokens × width`.
    fn states(&self, ids: &[u32]) -> Result<Vec<f32>, LmError> {
        match self {
            Self::Cpu(bert) => Ok(bert.forward(ids)),
            Self::Device(bert) => {
                Ok(bert.forward(ids)?.to_device(&Device::Cpu)?.flatten_all()?.to_vec1()?)
            }
        }
    }
}

/// A sentence encoder: texts to vectors by one pass through a bidirectional network.
///
/// Each text goes through alone, so that a vector depends on its own text only.
pub struct SentenceEncoder {
    source: String,
    network: Network,
    tokenizer: Tokenizer,
    device: Device,
    dim: usize,
    vocab: usize,
    /// The most tokens that it can be given.
    most: usize,
    max_tokens: usize,
    pooling: Pooling,
    normalize: bool,
    lowercase: bool,
    hashed: Vec<PathBuf>,
    /// Their hash, once it is asked for.
    files: OnceLock<String>,
}

/// Whether a folder holds a sentence encoder rather than a language model.
pub fn is_encoder(folder: &Path) -> bool {
    let json = || super::read_text(&folder.join("config.json")).ok();
    let json: Option<Value> = json().and_then(|text| serde_json::from_str(&text).ok());
    json.is_some_and(|json| json["model_type"] == "bert")
}

impl SentenceEncoder {
    /// Reads an encoder's folder onto a device; `source` is what it was called.
    ///
    /// Texts are cut at `max_tokens`, at the encoder's own limit and at its positions, whichever is least.
    ///
    /// # Errors
    ///
    /// [`LmError`] naming the file and what is wrong or not supported in it.
    pub fn open(
        folder: &Path,
        source: &str,
        device: &Device,
        max_tokens: usize,
    ) -> Result<Self, LmError> {
        let path = folder.join("config.json");
        let bad = |what: String| LmError::BadFile { path: path.display().to_string(), what };
        let text = super::read_text(&path)?;
        let config: BertConfig = serde_json::from_str(&text)
            .map_err(|e| bad(format!("not a BERT encoder's configuration: {e}")))?;
        let BertConfig {
            hidden_size: dim,
            num_attention_heads: heads,
            num_hidden_layers: layers,
            ..
        } = config;
        if heads == 0 || dim == 0 || !dim.is_multiple_of(heads) || layers == 0 || layers > 1 << 10 {
            return Err(bad(format!(
                "{layers} layers of width {dim} with {heads} heads cannot be"
            )));
        }
        let (pooling, normalize) = modules(folder, dim)?;
        let limits = object(&folder.join("sentence_bert_config.json"))?.unwrap_or_default();
        let own = limits["max_seq_length"].as_u64().and_then(|n| usize::try_from(n).ok());
        let most = own.unwrap_or(usize::MAX).min(config.max_position_embeddings);
        let weights = Weights::open(folder)?;
        let network = Network::new(&config, &weights, device)?;
        let missing = || LmError::NoTokenizer { path: source.into(), what: "no tokenizer.json" };
        let tokenizer = Tokenizer::open(folder)?.ok_or_else(missing)?;
        let mut hashed = vec![path];
        hashed.extend_from_slice(weights.files());
        let mut encoder = Self {
            source: source.into(),
            network,
            tokenizer,
            device: device.clone(),
            dim,
            vocab: config.vocab_size,
            most,
            max_tokens: most,
            pooling,
            normalize,
            lowercase: limits["do_lower_case"] == true,
            hashed,
            files: OnceLock::new(),
        };
        encoder.cut_to(max_tokens)?;
        Ok(encoder)
    }

    /// Cuts texts after `max_tokens` tokens from now on, the two around a text included, at the encoder's own limit or at
    /// its positions, whichever is least; that is the result.
    ///
    /// # Errors
    ///
    /// [`LmError::BadFile`] for fewer than three, which leave no room for a text.
    pub fn cut_to(&mut self, max_tokens: usize) -> Result<usize, LmError> {
        let max_tokens = max_tokens.min(self.most);
        if max_tokens < 3 {
            let path = self.hashed.first().map(|path| path.display().to_string());
            let what = format!("a limit of {max_tokens} tokens leaves no room for a text");
            return Err(LmError::BadFile { path: path.unwrap_or_default(), what });
        }
        self.max_tokens = max_tokens;
        Ok(max_tokens)
    }

    /// What it was opened as.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Width of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Tokens after which a text is cut, the two around it included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Pooling and scaling in words, for signatures: `mean+l2`.
    pub fn pooling(&self) -> String {
        let pooling = match self.pooling {
            Pooling::Mean => "mean",
            Pooling::First => "cls",
            Pooling::Max => "max",
        };
        format!("{pooling}{}", if self.normalize { "+l2" } else { "" })
    }

    /// SHA-256, in hexadecimal, over the files of configuration and weights.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] when a file can no longer be read.
    pub fn weights_hash(&self) -> Result<String, LmError> {
        self.files().map(str::to_owned)
    }

    /// SHA-256, in hexadecimal, of what decides the token ids of a text.
    pub fn tokenizer_hash(&self) -> String {
        let own = self.tokenizer.hash();
        // Small letters first make another tokenizer of the same file.
        if self.lowercase { content([own, "lowercase"]) } else { own.to_owned() }
    }

    /// Device and number type, as signatures name them: `cpu-f32`.
    pub fn precision(&self) -> &'static str {
        if self.device.is_cpu() { "cpu-f32" } else { "cuda-f32" }
    }

    /// SHA-256, in hexadecimal, of the files and of everything else that decides the vectors.
    ///
    /// # Errors
    ///
    /// [`LmError::Read`] when a file can no longer be read.
    pub fn hash(&self) -> Result<String, LmError> {
        let (files, tokenizer, pooling) = (self.files()?, self.tokenizer.hash(), self.pooling());
        Ok(format!("{files}|{tokenizer}|{pooling}|{}|{}", self.max_tokens, self.lowercase))
    }

    fn files(&self) -> Result<&str, LmError> {
        if let Some(hash) = self.files.get() {
            return Ok(hash);
        }
        let hash = load::sha256(&self.hashed)?;
        Ok(self.files.get_or_init(|| hash))
    }

    /// Token ids of a text with `[CLS]` and `[SEP]` around it, the text cut to the limit.
    ///
    /// # Errors
    ///
    /// [`LmError::Tokenize`].
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, LmError> {
        let lower = self.lowercase.then(|| text.to_lowercase());
        let mut ids = self.tokenizer.encode_special(lower.as_deref().unwrap_or(text))?;
        if ids.len() > self.max_tokens {
            let last = ids.last().copied();
            ids.truncate(self.max_tokens - 1);
            ids.extend(last);
        }
        Ok(ids)
    }

    /// Vectors of token ids made by [`ids`](Self::ids), one row each; `progress` hears how many of how
    /// many tokens are done.
    ///
    /// The same text is computed once. On the CPU texts are spread over threads.
    ///
    /// # Errors
    ///
    /// [`LmError::EmptyPrompt`], [`LmError::UnknownToken`] and [`LmError::Context`] for ids it cannot
    /// read, [`LmError::NotFinite`], [`LmError::Interrupted`].
    pub fn embed_ids(
        &self,
        texts: &[Vec<u32>],
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Matrix, LmError> {
        let mut row_of: HashMap<&[u32], usize> = HashMap::new();
        let mut distinct: Vec<&[u32]> = Vec::new();
        let mut rows = Vec::with_capacity(texts.len());
        for ids in texts {
            self.check_ids(ids)?;
            rows.push(*row_of.entry(ids.as_slice()).or_insert_with(|| {
                distinct.push(ids);
                distinct.len() - 1
            }));
        }
        let total = distinct.iter().map(|ids| ids.len()).sum();
        let mut vectors = Matrix::zeros(distinct.len(), self.dim);
        let mut done = 0;
        progress(done, total);
        // A few texts a thread, so that a person sees them go by.
        let few = 4 * rayon::current_num_threads();
        for (part, out) in
            distinct.chunks(few).zip(vectors.as_mut_slice().chunks_mut(few * self.dim))
        {
            interrupt.check()?;
            let states: Result<Vec<Vec<f32>>, LmError> = match self.device {
                Device::Cpu => part.par_iter().map(|ids| self.vector(ids)).collect(),
                _ => part.iter().map(|ids| self.vector(ids)).collect(),
            };
            out.chunks_exact_mut(self.dim)
                .zip(states?)
                .for_each(|(row, vector)| row.copy_from_slice(&vector));
            done += part.iter().map(|ids| ids.len()).sum::<usize>();
            progress(done, total);
        }
        Ok(vectors.select(&rows))
    }

    fn check_ids(&self, ids: &[u32]) -> Result<(), LmError> {
        let Self { vocab, max_tokens: most, .. } = *self;
        if ids.is_empty() {
            return Err(LmError::EmptyPrompt);
        }
        if ids.len() > most {
            return Err(LmError::Context { prompt: ids.len(), new: 0, most });
        }
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => Err(LmError::UnknownToken { id: *id, vocab }),
            None => Ok(()),
        }
    }

    fn vector(&self, ids: &[u32]) -> Result<Vec<f32>, LmError> {
        let states = self.network.states(ids)?;
        let tokens = || states.chunks_exact(self.dim);
        let mut vector: Vec<f64> = match self.pooling {
            Pooling::First => states[..self.dim].iter().map(|x| f64::from(*x)).collect(),
            Pooling::Mean => {
                let mut sums = vec![0f64; self.dim];
                tokens().for_each(|token| {
                    sums.iter_mut().zip(token).for_each(|(s, x)| *s += f64::from(*x))
                });
                sums.iter().map(|sum| sum / ids.len() as f64).collect()
            }
            Pooling::Max => {
                let mut most = vec![f64::NEG_INFINITY; self.dim];
                tokens().for_each(|token| {
                    most.iter_mut().zip(token).for_each(|(m, x)| *m = m.max(f64::from(*x)));
                });
                most
            }
        };
        if vector.iter().any(|x| !x.is_finite()) {
            return Err(LmError::NotFinite { layer: 0 });
        }
        if self.normalize {
            let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            vector.iter_mut().for_each(|x| *x /= norm);
        }
        Ok(vector.iter().map(|x| *x as f32).collect())
    }
}

/// The weights under the names of a bare encoder, in f32.
fn variables(weights: &Weights, device: &Device) -> Result<VarBuilder<'static>, LmError> {
    let mut tensors = HashMap::new();
    for (name, shape, kind) in weights.list() {
        if !matches!(kind.as_str(), "f32" | "f16" | "bf16") {
            continue; // a table of positions
        }
        let tensor = weights.tensor(name, &shape)?.to_dtype(DType::F32)?.to_device(device)?;
        let bare = name.strip_prefix("bert.").unwrap_or(name);
        // The first BERT files call the two halves of a norm by other names.
        let bare = bare
            .replace("LayerNorm.gamma", "LayerNorm.weight")
            .replace("LayerNorm.beta", "LayerNorm.bias");
        tensors.insert(bare, tensor);
    }
    Ok(VarBuilder::from_tensors(tensors, DType::F32, device))
}

fn object(path: &Path) -> Result<Option<Value>, LmError> {
    if !path.exists() {
        return Ok(None);
    }
    let bad =
        |e| LmError::BadFile { path: path.display().to_string(), what: format!("not JSON: {e}") };
    serde_json::from_str(&super::read_text(path)?).map(Some).map_err(bad)
}

/// What modules.json puts behind the network: pooling, and whether vectors are scaled to length 1.
///
/// Without the file, what sentence-transformers does then: the mean, not scaled.
fn modules(folder: &Path, dim: usize) -> Result<(Pooling, bool), LmError> {
    let path = folder.join("modules.json");
    let bad =
        |path: &Path, what: String| LmError::BadFile { path: path.display().to_string(), what };
    let Some(list) = object(&path)? else { return Ok((Pooling::Mean, false)) };
    let list = list.as_array().ok_or_else(|| bad(&path, "not a list of modules".into()))?;
    let (mut pooling, mut normalize) = (Pooling::Mean, false);
    for module in list {
        let kind = module["type"].as_str().unwrap_or_default();
        match kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" => {}
            "Normalize" => normalize = true,
            "Pooling" => {
                let own = module["path"]
                    .as_str()
                    .filter(|own| !own.contains(".."))
                    .unwrap_or("1_Pooling");
                let file = folder.join(own).join("config.json");
                let settings = object(&file)?
                    .ok_or_else(|| bad(&file, "is missing, and modules.json names it".into()))?;
                let on = |mode: &str| settings[format!("pooling_mode_{mode}")] == true;
                let known = [
                    ("mean_tokens", Pooling::Mean),
                    ("cls_token", Pooling::First),
                    ("max_tokens", Pooling::Max),
                ];
                let chosen: Vec<Pooling> =
                    known.iter().filter(|(mode, _)| on(mode)).map(|(_, p)| *p).collect();
                let others = ["mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"];
                pooling = match chosen[..] {
                    [one] if !others.iter().any(|mode| on(mode)) => one,
                    _ => {
                        let what =
                            "its pooling is not supported; supported is one of mean, cls and max";
                        return Err(bad(&file, what.into()));
                    }
                };
                if settings["word_embedding_dimension"]
                    .as_u64()
                    .is_some_and(|width| width != dim as u64)
                {
                    return Err(bad(
                        &file,
                        format!("word_embedding_dimension is not the network's width, {dim}"),
                    ));
                }
            }
            other => {
                let what = format!(
                    "the module `{other}` is not supported; supported are Transformer, Pooling, Normalize"
                );
                return Err(bad(&path, what));
            }
        }
    }
    Ok((pooling, normalize))
}
