//! Cohere: attention and MLP beside each other behind one norm without bias, neighbors rotate together. Cohere2 slides in
//! three of four layers, and only those rotate.

use super::{
    config::{ConfigError, Fields, ModelConfig, NormKind, QkNorm, Residual, Scales},
    family::{Family, Gguf, USUAL},
    gemma,
    layout::Layout,
    llama,
    usual::{SILENT, Silent, usual},
};

pub static COHERE: Family = Family {
    name: "cohere",
    also: &["Command R"],
    gguf: Gguf { name: "command-r", keys: &LOGITS, ..USUAL },
    config: cohere,
    layout: &LAYOUT,
    norm: NormKind::LayerGain,
    ..llama::LLAMA
};

pub static COHERE2: Family = Family {
    name: "cohere2",
    also: &["Command A"],
    gguf: Gguf { name: "cohere2", keys: &LOGITS, ..USUAL },
    config: cohere2,
    ..COHERE
};

const LOGITS: [(&str, &str); 1] = [("logit_scale", "logit_scale")];

static LAYOUT: Layout = Layout { mlp_norm: None, ..llama::LAYOUT };

fn base(fields: &Fields<'_>, family: &Family, silent: Silent) -> Result<ModelConfig, ConfigError> {
    let mut config = usual(fields, family, Silent { eps: 1e-5, tied: true, ..silent })?;
    for rope in &mut config.ropes {
        rope.interleaved = true;
    }
    let bias = fields.flag_or("attention_bias", false)?;
    let logits = fields.number_or("logit_scale", 0.0625)?;
    // Written for classes that have neither.
    fields.must_be_neutral("use_parallel_block", &["true"])?;
    fields.must_be_neutral("use_parallel_embedding", &["true", "false"])?;
    fields.must_be_neutral("use_gated_activation", &["true"])?;
    fields.must_be_neutral("use_embedding_sharing", &["true"])?;
    fields.must_be_neutral("position_embedding_type", &["\"rope_gptj\"", "\"rope\""])?;
    fields.must_be_neutral("layer_switch", &["4"])?;
    fields.must_be_neutral("order_of_interleaved_layers", &["\"local_attn_first\""])?;
    fields.must_be_neutral("rotary_pct", &["1", "1.0"])?;
    Ok(ModelConfig {
        residual: Residual::Parallel,
        qkv_bias: bias,
        attention_out_bias: bias,
        scales: Scales { logits, ..config.scales },
        ..config
    })
}

fn cohere(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = base(fields, &COHERE, Silent { theta: 5e5, ..SILENT })?;
    let normed = fields.flag_or("use_qk_norm", false)?;
    Ok(ModelConfig { qk_norm: if normed { QkNorm::EachHead } else { QkNorm::None }, ..config })
}

fn cohere2(fields: &Fields<'_>) -> Result<ModelConfig, ConfigError> {
    let config = base(fields, &COHERE2, SILENT)?;
    let mut blocks = gemma::windows(fields, &config, 4)?;
    for block in &mut blocks {
        block.rope = block.rope.filter(|rope| *rope == 1).map(|_| 0);
    }
    Ok(ModelConfig { blocks, ..config })
}
