//! A GGUF file's metadata as the fields of config.json that its family's page reads.

use serde_json::{Map, Value as Json, json};
use std::{cell::RefCell, collections::HashSet};

use super::{Gguf, Value};
use crate::lm::{
    LmError, ModelConfig,
    arch::{
        self, Family,
        config::{ConfigError, NormKind, QkNorm, RopeScaling, unknown},
        layout::Name,
    },
};

/// Settings that change results and that nothing here computes, with the value that does not.
const NEUTRAL: [(&str, f64); 4] = [
    ("attention.max_alibi_bias", 0.0),
    ("leading_dense_block_count", 0.0),
    ("expert_weights_scale", 1.0),
    ("attention.group_norm_groups", 0.0),
];

/// What says nothing of arithmetic, or what the file's tensors say themselves.
const HARMLESS: [&str; 12] = [
    "attention.causal",
    "attention.value_length",
    "block_count",
    "context_length",
    "expert_group_count",
    "expert_group_used_count",
    "expert_shared_count",
    "expert_weights_norm",
    "nextn_predict_layers",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "tensor_data_layout",
];

/// Metadata after the architecture's name, and which of them were asked for.
struct Keys<'a> {
    file: &'a Gguf,
    name: &'static str,
    asked: RefCell<HashSet<String>>,
}

impl Gguf {
    pub(super) fn family(&self) -> Result<&'static Family, LmError> {
        let name = self.optional("general.architecture", "a text", |v| v.text())?;
        let name =
            name.ok_or_else(|| self.bad("the metadata value `general.architecture` is missing"))?;
        // Of two families that share a name the one whose own key is there comes first.
        let has = |key: &str| {
            let value = self.get(&format!("{name}.{key}"));
            value.is_some_and(|value| value.whole() != Some(0))
        };
        let own = |family: &Family| family.gguf.name == name && family.gguf.with.is_some_and(has);
        let plain = |family: &Family| {
            family.gguf.name == name && !name.is_empty() && family.gguf.with.is_none()
        };
        let found = arch::find(name, own).or_else(|_| arch::find(name, plain));
        found.map_err(|e| self.unusable(e))
    }

    fn unusable(&self, source: ConfigError) -> LmError {
        LmError::Config { path: self.path.display().to_string(), source: Box::new(source) }
    }

    /// A count that may also be a list of the same count for every layer.
    fn count(&self, key: &str) -> Result<Option<usize>, LmError> {
        self.optional(key, "one whole number for all layers", |value| {
            let value = match value {
                Value::List(list) => {
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
        let keys = Keys { file: self, name: family.gguf.name, asked: RefCell::default() };
        let fields = keys.fields(family)?;
        let read = arch::read_fields(family, &fields).map_err(|e| self.unusable(e))?;
        let config = self.with_tensors(family, read)?;
        keys.refuse_unread()?;
        config.check().map_err(|e| self.unusable(e))?;
        Ok(config)
    }

    /// What the tensors that are there say better than metadata.
    fn with_tensors(&self, family: &Family, read: ModelConfig) -> Result<ModelConfig, LmError> {
        let layout = read.layout;
        let has = |tensor: &str| self.tensors.contains_key(tensor);
        let biased =
            |names: &[Name]| names.iter().any(|name| has(&format!("blk.0.{}.bias", name.gguf)));
        let fused = has("blk.0.attn_qkv.bias");
        let mut config = ModelConfig {
            // Converters write `1 + gain`.
            norm: if read.norm == NormKind::RmsOnePlus { NormKind::Rms } else { read.norm },
            qkv_bias: read.qkv_bias || fused || biased(layout.qkv.names()),
            attention_out_bias: read.attention_out_bias || biased(&[layout.out]),
            mlp_bias: read.mlp_bias || biased(layout.up.names()),
            head_bias: read.head_bias || has("output.bias"),
            tied: !has("output.weight"),
            bos: self.token("bos")?,
            eos: self.ends()?,
            pad: self.token("padding")?,
            ..read
        };
        if config.qk_norm != QkNorm::Unit {
            let gain = layout.qk_norm.map(|[q, _]| format!("blk.0.{}.weight", q.gguf));
            let gain = gain.and_then(|name| self.tensors.get(&name));
            config.qk_norm = match gain.map(|info| &info.shape[..]) {
                None => QkNorm::None,
                Some([_, _]) => QkNorm::EachHead,
                Some([width]) if *width != config.head_dim => QkNorm::Whole,
                Some(_) => QkNorm::Heads,
            };
        }
        if let Some(factors) = self.factors("rope_freqs.weight")? {
            for rope in &mut config.ropes {
                rope.scaling = RopeScaling::Factors(factors.clone());
            }
        }
        let _ = family;
        Ok(config)
    }

    /// A list of numbers that is a tensor.
    fn factors(&self, name: &str) -> Result<Option<Vec<f64>>, LmError> {
        let Some(info) = self.tensors.get(name) else { return Ok(None) };
        let factors = info.tensor(&self.map)?.flatten_all()?.to_dtype(candle_core::DType::F64)?;
        Ok(Some(factors.to_vec1::<f64>()?))
    }
}

impl Keys<'_> {
    fn key(&self, field: &str) -> String {
        self.asked.borrow_mut().insert(field.to_owned());
        format!("{}.{field}", self.name)
    }

    fn count(&self, field: &str) -> Result<Option<usize>, LmError> {
        self.file.count(&self.key(field))
    }

    fn size(&self, field: &str) -> Result<usize, LmError> {
        let missing =
            || self.file.bad(format!("the metadata value `{}` is missing", self.key(field)));
        self.count(field)?.ok_or_else(missing)
    }

    fn number(&self, field: &str) -> Result<Option<f64>, LmError> {
        let number = self.file.optional(&self.key(field), "a number", |v| v.number())?;
        // Files keep numbers as f32; the nearest short decimal is what was meant.
        Ok(number.map(|x| format!("{}", x as f32).parse().unwrap_or(x)))
    }

    fn text(&self, field: &str) -> Result<Option<&str>, LmError> {
        self.file.optional(&self.key(field), "a text", |v| v.text())
    }

    /// The fields of config.json.
    fn fields(&self, family: &Family) -> Result<Map<String, Json>, LmError> {
        let page = &family.gguf;
        let embedding = self.file.tensors.get("token_embd.weight");
        let embedding = embedding.filter(|info| info.shape.len() == 2);
        let embedding =
            embedding.ok_or_else(|| self.file.bad("has no tensor `token_embd.weight`"))?;
        let (hidden, heads) = (self.size("embedding_length")?, self.size("attention.head_count")?);
        let head_dim = match self.count("attention.key_length")? {
            Some(width) => width,
            None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                let what = format!("hidden width {hidden} does not divide into {heads} heads");
                return Err(self.file.unusable(ConfigError::Impossible { what }));
            }
        };
        let values = self.count("attention.value_length")?.unwrap_or(head_dim);
        if values != head_dim {
            let supported = format!("{head_dim}, the width of a head");
            let (field, value) = (self.key("attention.value_length"), values.to_string());
            return Err(self.file.unusable(ConfigError::Setting { field, value, supported }));
        }
        let layers = self.size("block_count")?;
        let mut fields = Map::new();
        let mut add = |field: &str, value: Json| {
            let own = page.names.iter().find(|(usual, _)| *usual == field);
            let own = own.map_or(field, |(_, own)| own);
            if !own.is_empty() {
                fields.insert(own.into(), value);
            }
        };
        add("vocab_size", embedding.shape[0].into());
        add("hidden_size", hidden.into());
        add("num_hidden_layers", layers.into());
        add("num_attention_heads", heads.into());
        let kv_heads = self.count("attention.head_count_kv")?.unwrap_or(heads);
        add("num_key_value_heads", kv_heads.into());
        add("head_dim", head_dim.into());
        if let Some(inner) = self.count("feed_forward_length")? {
            add("intermediate_size", inner.into());
        }
        add("max_position_embeddings", self.size("context_length")?.into());
        let (key, field) = match family.norm {
            NormKind::Rms | NormKind::RmsOnePlus => {
                ("attention.layer_norm_rms_epsilon", "rms_norm_eps")
            }
            _ => ("attention.layer_norm_epsilon", "layer_norm_eps"),
        };
        let eps = self.number(key)?;
        let missing =
            || self.file.bad(format!("the metadata value `{}` is missing", self.key(key)));
        add(field, eps.ok_or_else(missing)?.into());
        if family.layout.positions.is_none() {
            add("rope_theta", self.number("rope.freq_base")?.unwrap_or(10_000.0).into());
            let width = self.count("rope.dimension_count")?.unwrap_or(head_dim);
            if width != head_dim {
                add("partial_rotary_factor", (width as f64 / head_dim as f64).into());
            }
            if let Some(rope) = self.rope()? {
                add("rope_scaling", rope);
            }
        }
        let width = self.count("attention.sliding_window")?.filter(|width| *width > 0);
        add("sliding_window", width.map_or(Json::Null, Json::from));
        if let Some(types) = self.layer_types(layers)? {
            add("layer_types", types);
        }
        for (key, field) in
            [("expert_count", "num_experts"), ("expert_used_count", "num_experts_per_tok")]
        {
            if let Some(count) = self.count(key)?.filter(|count| *count > 0) {
                add(field, count.into());
            }
        }
        for (key, field) in page.keys {
            if let Some(value) = self.file.get(&self.key(key)) {
                fields.insert((*field).into(), json_of(value));
            }
        }
        (page.adjust)(&mut fields);
        Ok(fields)
    }

    /// `rope_scaling`, where the file stretches its rope.
    fn rope(&self) -> Result<Option<Json>, LmError> {
        let kind = self.text("rope.scaling.type")?;
        // Older files give a linear scale without a type.
        let factor = self.number("rope.scaling.factor")?.or(self.number("rope.scale_linear")?);
        let factor = factor.filter(|f| *f != 1.0 && *f != 0.0);
        let original = self.count("rope.scaling.original_context_length")?;
        let attention = self.number("rope.scaling.attn_factor")?;
        let number = |field: &str| self.number(&format!("rope.scaling.yarn_{field}"));
        let (ext, by) = (number("ext_factor")?, number("attn_factor")?);
        let (fast, slow) = (number("beta_fast")?, number("beta_slow")?);
        let short = self.file.factors("rope_factors_short.weight")?;
        let long = self.file.factors("rope_factors_long.weight")?;
        let original = original.map_or(Json::Null, Json::from);
        if let (Some(short), Some(long)) = (short, long) {
            return Ok(Some(json!({
                "rope_type": "longrope", "short_factor": short, "long_factor": long,
                "attention_factor": attention, "original_max_position_embeddings": original,
            })));
        }
        Ok(match (kind, factor) {
            (None | Some("none" | "linear"), None) | (Some("none"), _) => None,
            (None | Some("linear"), Some(factor)) => {
                Some(json!({ "rope_type": "linear", "factor": factor }))
            }
            (Some("yarn"), factor) => {
                if let Some(ext) = ext.filter(|ext| *ext != 1.0) {
                    let (field, value) =
                        (self.key("rope.scaling.yarn_ext_factor"), ext.to_string());
                    let error = ConfigError::Setting { field, value, supported: "1".into() };
                    return Err(self.file.unusable(error));
                }
                let factor = factor.unwrap_or(1.0);
                let attention = by.map(|by| by * (0.1 * factor.ln() + 1.0));
                Some(json!({
                    "rope_type": "yarn", "factor": factor, "beta_fast": fast, "beta_slow": slow,
                    "attention_factor": attention, "original_max_position_embeddings": original,
                }))
            }
            (Some(other), _) => {
                let field = self.key("rope.scaling.type");
                let supported = "none, linear, yarn, longrope with its factors as tensors".into();
                let error = ConfigError::Setting { field, value: other.into(), supported };
                return Err(self.file.unusable(error));
            }
        })
    }

    /// `layer_types`, where the file lists the layers that slide or says how often one does not.
    fn layer_types(&self, layers: usize) -> Result<Option<Json>, LmError> {
        let key = self.key("attention.sliding_window_pattern");
        let kind = |slides: bool| if slides { "sliding_attention" } else { "full_attention" };
        let wrong = || self.file.bad(format!("the metadata value `{key}` is no pattern of layers"));
        Ok(match self.file.get(&key) {
            None => None,
            Some(Value::List(list)) => {
                let slides = |value: &Value| match value {
                    Value::Bool(slides) => Some(*slides),
                    other => other.whole().map(|n| n != 0),
                };
                let types: Option<Vec<_>> = list.iter().map(|v| slides(v).map(kind)).collect();
                Some(json!(types.ok_or_else(wrong)?))
            }
            Some(value) => {
                let every = value.whole().ok_or_else(wrong)?;
                let slides = |layer: u64| every == 0 || layer % every < every - 1;
                Some(json!((0..layers as u64).map(|l| kind(slides(l))).collect::<Vec<_>>()))
            }
        })
    }

    /// Refuses metadata of the architecture that nothing here read and that may change results.
    fn refuse_unread(&self) -> Result<(), LmError> {
        for (field, neutral) in NEUTRAL {
            if let Some(value) = self.number(field)?.filter(|value| *value != neutral) {
                let (field, value) = (self.key(field), value.to_string());
                let error = ConfigError::Setting { field, value, supported: neutral.to_string() };
                return Err(self.file.unusable(error));
            }
        }
        let asked = self.asked.borrow();
        let prefix = format!("{}.", self.name);
        let own = self
            .file
            .metadata
            .iter()
            .filter_map(|(key, value)| Some((key, key.strip_prefix(&prefix)?, json_of(value))));
        for (key, field, value) in own {
            let zero = value.as_f64() == Some(0.0);
            let known = asked.contains(field) || HARMLESS.contains(&field);
            if !known && !zero && !unknown::is_harmless(field, &value) {
                let (field, value) = (key.clone(), value.to_string());
                return Err(self.file.unusable(ConfigError::Unknown { field, value }));
            }
        }
        Ok(())
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Unsigned(n) => (*n).into(),
        Value::Signed(n) => (*n).into(),
        Value::Float(x) => format!("{}", *x as f32).parse::<f64>().unwrap_or(*x).into(),
        Value::Bool(yes) => (*yes).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(list) => list.iter().map(json_of).collect(),
    }
}
