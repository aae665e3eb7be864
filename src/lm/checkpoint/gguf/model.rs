//! A GGUF file as a checkpoint: its configuration, and its tensors under Hugging Face's names.

use candle_core::Tensor;
use std::{collections::HashMap, sync::Arc};

use super::{Gguf, Kind, TensorInfo};
use crate::lm::{
    LmError, ModelConfig, Weights,
    arch::{
        self, Family,
        config::{ConfigError, Rope, RopeScaling},
        layout::{Name, Qkv},
    },
    checkpoint::{matrix::StoredBlocks, weights::Store},
};

/// Settings of llama.cpp that change results and that nothing here computes, with the value that does not.
const NEUTRAL: [(&str, f64); 9] = [
    ("expert_count", 0.0),
    ("attn_logit_softcapping", 0.0),
    ("final_logit_softcapping", 0.0),
    ("attention.scale", 0.0),
    ("logit_scale", 1.0),
    ("residual_scale", 1.0),
    ("embedding_scale", 1.0),
    ("attention.max_alibi_bias", 0.0),
    ("attention.clamp_kqv", 0.0),
];

impl Gguf {
    fn family(&self) -> Result<&'static Family, LmError> {
        let name = self.optional("general.architecture", "a text", |v| v.text())?;
        let name =
            name.ok_or_else(|| self.bad("the metadata value `general.architecture` is missing"))?;
        arch::find(name, |family| family.gguf == name).map_err(|e| self.unusable(e))
    }

    fn unusable(&self, source: ConfigError) -> LmError {
        LmError::Config { path: self.path.display().to_string(), source: Box::new(source) }
    }

    /// A count that may also be a list of the same count for every layer.
    fn count(&self, key: &str) -> Result<Option<usize>, LmError> {
        self.optional(key, "one whole number for all layers", |value| {
            let value = match value {
                super::Value::List(list) => {
                    list.first().filter(|first| list.iter().all(|v| v == *first))?
                }
                single => single,
            };
            value.whole().and_then(|n| usize::try_from(n).ok())
        })
    }

    /// The configuration that the metadata and the tensors' names describe.
    ///
    /// # Errors
    ///
    /// [`LmError::Config`] for an architecture or setting that is not supported, [`LmError::BadFile`]
    /// for metadata that is missing or of a wrong kind.
    pub fn config(&self) -> Result<ModelConfig, LmError> {
        let family = self.family()?;
        let (name, layout) = (family.gguf, family.layout);
        let key = |field: &str| format!("{name}.{field}");
        let size = |field: &str| {
            let missing = || self.bad(format!("the metadata value `{}` is missing", key(field)));
            self.count(&key(field))?.ok_or_else(missing)
        };
        let number = |field: &str| self.optional(&key(field), "a number", |v| v.number());
        for (field, neutral) in NEUTRAL {
            if let Some(value) = number(field)?.filter(|value| *value != neutral) {
                let (field, value) = (key(field), value.to_string());
                return Err(self.unusable(ConfigError::Setting {
                    field,
                    value,
                    supported: "none".into(),
                }));
            }
        }
        let has = |tensor: &str| self.tensors.contains_key(tensor);
        let in_first = |name: Name, kind: &str| has(&format!("blk.0.{}.{kind}", name.gguf));
        let biased = |names: &[Name]| family.biased || names.iter().any(|n| in_first(*n, "bias"));
        let embedding = self.tensors.get("token_embd.weight");
        let embedding = embedding.filter(|info| info.shape.len() == 2);
        let embedding = embedding.ok_or_else(|| self.bad("has no tensor `token_embd.weight`"))?;
        let (hidden, heads) = (size("embedding_length")?, size("attention.head_count")?);
        let head_dim = match self.count(&key("attention.key_length"))? {
            Some(width) => width,
            None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                let what = format!("hidden width {hidden} does not divide into {heads} heads");
                return Err(self.unusable(ConfigError::Impossible { what }));
            }
        };
        for field in ["attention.value_length", "rope.dimension_count"] {
            if let Some(value) = self.count(&key(field))?.filter(|width| *width != head_dim) {
                let supported = format!("{head_dim}, the width of a head");
                let (field, value) = (key(field), value.to_string());
                return Err(self.unusable(ConfigError::Setting { field, value, supported }));
            }
        }
        let layers = size("block_count")?;
        if layers > 1 << 12 {
            let error =
                ConfigError::Size { what: "number of layers", value: layers, most: 1 << 12 };
            return Err(self.unusable(error));
        }
        let window = self.count(&key("attention.sliding_window"))?.filter(|width| *width > 0);
        let epsilon = match layout.layer_norm {
            true => "attention.layer_norm_epsilon",
            false => "attention.layer_norm_rms_epsilon",
        };
        let norm_eps = number(epsilon)?
            .ok_or_else(|| self.bad(format!("the metadata value `{}` is missing", key(epsilon))))?;
        let learned = layout.positions.is_some();
        let config = ModelConfig {
            layout,
            model_type: family.name.into(),
            vocab: embedding.shape[0],
            hidden,
            layers,
            heads,
            kv_heads: self.count(&key("attention.head_count_kv"))?.unwrap_or(heads),
            head_dim,
            intermediate: size("feed_forward_length")?,
            max_positions: size("context_length")?,
            // The file keeps 1e-5 as an f32; the nearest short decimal is what was meant.
            norm_eps: format!("{}", norm_eps as f32).parse().unwrap_or(norm_eps),
            rope: if learned { None } else { Some(self.rope(name, head_dim)?) },
            windows: vec![window; layers],
            qkv_bias: biased(layout.qkv.names()),
            attention_out_bias: biased(&[layout.out]),
            mlp_bias: biased(layout.up.names()),
            qk_norm: layout.qk_norm.is_some_and(|[q, _]| in_first(q, "weight")),
            tied: !has("output.weight"),
            scale_attention: true,
            scale_by_inverse_layer: false,
            bos: self.token("bos")?,
            eos: self.ends()?,
            pad: self.token("padding")?,
            activation: family.activation,
        };
        config.check().map_err(|e| self.unusable(e))?;
        Ok(config)
    }

    fn rope(&self, name: &str, head_dim: usize) -> Result<Rope, LmError> {
        let number = |field: &str| {
            self.optional(&format!("{name}.rope.{field}"), "a number", |v| v.number())
        };
        let theta = number("freq_base")?.unwrap_or(10_000.0);
        let kind = self.optional(&format!("{name}.rope.scaling.type"), "a text", |v| v.text())?;
        // Older files give a linear scale without a type.
        let factor = number("scaling.factor")?
            .or(number("scale_linear")?)
            .filter(|f| *f != 1.0 && *f != 0.0);
        let impossible = |what: String| self.unusable(ConfigError::Impossible { what });
        if !(theta > 1.0 && theta.is_finite()) {
            return Err(impossible(format!("a rope.freq_base of {theta} is not above 1")));
        }
        if let Some(factor) = factor.filter(|f| !(*f > 1.0 && f.is_finite())) {
            return Err(impossible(format!("a rope scaling factor of {factor} is below 1")));
        }
        if let Some(info) = self.tensors.get("rope_freqs.weight") {
            let factors =
                info.tensor(&self.map)?.flatten_all()?.to_dtype(candle_core::DType::F64)?;
            let factors = factors.to_vec1::<f64>()?;
            if factors.len() != head_dim / 2 || factors.iter().any(|f| !(*f > 0.0 && f.is_finite()))
            {
                let what = format!("`rope_freqs.weight` is not {} positive factors", head_dim / 2);
                return Err(impossible(what));
            }
            return Ok(Rope { theta, scaling: RopeScaling::Factors(factors) });
        }
        let scaling = match (kind, factor) {
            (None | Some("none" | "linear"), None) | (Some("none"), _) => RopeScaling::None,
            (None | Some("linear"), Some(factor)) => RopeScaling::Linear { factor },
            (Some(other), _) => {
                let field = format!("{name}.rope.scaling.type");
                let supported = "none, linear, or factors in rope_freqs.weight".into();
                let error = ConfigError::Setting { field, value: other.into(), supported };
                return Err(self.unusable(error));
            }
        };
        Ok(Rope { theta, scaling })
    }

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
            if name == "rope_freqs.weight" {
                continue;
            }
            let (canonical, change) = rename(name, family, config).ok_or_else(|| {
                self.bad(format!(
                    "the tensor `{name}` is not part of a {} model",
                    config.model_type
                ))
            })?;
            if let Change::Unpermute(heads) = change {
                let rows = info.shape.first().copied().unwrap_or_default();
                if rows != heads * config.head_dim {
                    let what = format!(
                        "the tensor `{name}` has {rows} rows for {heads} heads of {}",
                        config.head_dim
                    );
                    return Err(self.bad(what));
                }
            }
            names.push((canonical, name.clone()));
            stored.insert(name.clone(), (info.clone(), change));
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

/// What llama.cpp's converter did to a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Nothing.
    None,
    /// Rows of each head interleaved: rows `j` and `j + d/2` became `2j` and `2j + 1`.
    Unpermute(usize),
    /// Turned from GPT-2's `[in, out]` to `[out, in]`.
    Transpose,
}

/// A tensor's name in a Hugging Face checkpoint, and what is to be undone.
fn rename(name: &str, family: &Family, config: &ModelConfig) -> Option<(String, Change)> {
    let layout = family.layout;
    let (stem, suffix) = name.rsplit_once('.')?;
    if let Some(own) = layout.ends().find(|own| own.gguf == stem) {
        let known =
            suffix == "weight" || suffix == "bias" && layout.layer_norm && own == layout.norm;
        return known.then(|| (format!("{}.{suffix}", own.hf), Change::None));
    }
    let (layer, part) = stem.strip_prefix("blk.")?.split_once('.')?;
    let layer: usize = layer.parse().ok().filter(|layer| *layer < config.layers)?;
    if suffix != "weight" && suffix != "bias" {
        return None;
    }
    let norm = layout.norms().find(|own| own.gguf == part);
    let matrix = layout.matrices().find(|own| own.gguf == part);
    let change = match (matrix, layout.qkv) {
        (Some(_), _) if layout.transposed && suffix == "weight" => Change::Transpose,
        (Some(own), Qkv::Apart([q, _, _])) if family.interleaved && own == q => {
            Change::Unpermute(config.heads)
        }
        (Some(own), Qkv::Apart([_, k, _])) if family.interleaved && own == k => {
            Change::Unpermute(config.kv_heads)
        }
        _ => Change::None,
    };
    let own = norm.or(matrix)?;
    Some((format!("{}.{layer}.{}.{suffix}", layout.blocks, own.hf), change))
}

struct Stored {
    map: Arc<memmap2::Mmap>,
    tensors: HashMap<String, (TensorInfo, Change)>,
}

impl Store for Stored {
    fn describe(&self, stored: &str) -> Option<(Vec<usize>, String)> {
        let (info, change) = self.tensors.get(stored)?;
        let mut shape = info.shape.clone();
        if *change == Change::Transpose {
            shape.reverse();
        }
        Some((shape, info.kind_name()))
    }

    fn blocks(&self, stored: &str, turned: bool) -> Option<StoredBlocks> {
        let (info, change) = self.tensors.get(stored)?;
        let interleaved = match change {
            Change::Unpermute(heads) => Some(*heads),
            Change::None | Change::Transpose => None,
        };
        let (&[rows, columns], Kind::Blocks(format)) = (info.shape.as_slice(), info.kind) else {
            return None;
        };
        // Blocks run along the inputs, whatever the names' own checkpoints do.
        let along = turned == (*change == Change::Transpose);
        let (file, bytes) = (Arc::clone(&self.map), info.bytes.clone());
        along.then_some(StoredBlocks { format, rows, columns, file, bytes, interleaved })
    }

    fn read(&self, stored: &str) -> candle_core::Result<Tensor> {
        let missing = || candle_core::Error::CannotFindTensor { path: stored.into() };
        let (info, change) = self.tensors.get(stored).ok_or_else(missing)?;
        let tensor = info.tensor(&self.map)?;
        match change {
            Change::None => Ok(tensor),
            Change::Transpose => tensor.t()?.contiguous(),
            Change::Unpermute(heads) => {
                let dims = tensor.dims().to_vec();
                let pairs = dims[0] / heads / 2;
                let columns = dims[1..].iter().product::<usize>();
                let split = tensor.reshape((*heads, pairs, 2, columns))?;
                split.transpose(1, 2)?.contiguous()?.reshape(dims)
            }
        }
    }
}
