//! Mistral: Llama with a sliding window in every layer. Ministral 3: with queries that grow with positions.

use serde_json::Value;

use super::{
    config::{BlockKind, ConfigError, Fields, ModelConfig, Scales, Tempering},
    family::{Family, Gguf, USUAL},
    llama,
    usual::{SILENT, Silent, no_bias, sliding, usual, window},
};

pub static MISTRAL: Family =
    Family { name: "mistral", also: &[], gguf: WINDOWED, config, ..llama::LLAMA };

pub static MINISTRAL3: Family =
    Family { name: "ministral3", also: &[], gguf: THREE, config: ministral3, ..llama::LLAMA };

const WINDOWED: Gguf = Gguf { with: Some("attention.sliding_window"), ..llama::LLAMA.gguf };

const THREE: Gguf = Gguf {
    name: "mistral3",
    interleaved: true,
    keys: &[
        ("attention.temperature_scale", "beta"),
        ("rope.scaling.yarn_log_multiplier", "mscale"),
    ],
    // Both stand in the rope of config.json.
    adjust: |fields| {
        let (beta, mscale) = (fields.remove("beta"), fields.remove("mscale"));
        if let Some(Value::Object(mut rope)) = fields.remove("rope_scaling") {
            rope.extend(beta.map(|beta| ("llama_4_scaling_beta".to_owned(), beta)));
            for name in ["mscale", "mscale_all_dim"] {
                rope.extend(mscale.clone().map(|mscale| (name.to_owned(), mscale)));
            }
            fields.insert("rope_parameters".into(), Value::Object(rope));
        }
    },
    ..USUAL
};

fn config(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let config = usual(fields, &MISTRAL, SILENT)?;
    let blocks = blocks(fields, config.layers, Some(4096))?;
    Ok(ModelConfig { blocks, ..config })
}

fn blocks(
    fields: &Fields<'_>,
    layers: usize,
    silent: Option<usize>,
) -> Result<Vec<BlockKind>, ConfigError> {
    let types = fields.layer_types(layers)?;
    let slides = |layer: usize| types.as_ref().is_none_or(|types| types[layer]);
    Ok(sliding(layers, window(fields, silent)?, slides))
}

fn ministral3(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    no_bias(fields, &["attention_bias", "mlp_bias"])?;
    let known = &["llama_4_scaling_beta", "max_position_embeddings"];
    let silent = Silent { head_dim: Some(128), eps: 1e-5, rope_fields: known, ..SILENT };
    let config = usual(fields, &MINISTRAL3, silent)?;
    let blocks = blocks(fields, config.layers, None)?;
    let parameters = fields.object("rope_parameters")?;
    let rope = parameters.or(fields.object("rope_scaling")?);
    let beta = rope.as_ref().map(|rope| rope.number_or("llama_4_scaling_beta", 0.0)).transpose()?;
    let floor = rope.map(|rope| rope.number("original_max_position_embeddings")).transpose()?;
    let tempering = match (beta.filter(|beta| *beta != 0.0), floor.flatten()) {
        (Some(scale), Some(floor)) => Some(Tempering { floor, scale, first: 0, with_rope: true }),
        _ => None,
    };
    let scales = Scales { tempering, ..config.scales };
    Ok(ModelConfig { blocks, scales, ..config })
}
