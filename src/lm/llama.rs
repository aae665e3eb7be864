//! The Llama family's names: Llama, Mistral, Qwen2 (biases), Qwen3 (norms of queries and keys).

use super::{
    LmError, Weights,
    config::ModelConfig,
    parts::{BlockParts, EndParts, LinearParts, NormParts, head},
};

fn norm(weights: &Weights, name: &str, width: usize) -> Result<NormParts, LmError> {
    Ok(NormParts { gain: weights.tensor(&format!("{name}.weight"), &[width])?, bias: None })
}

/// The matrices `names` of `from` columns, each with its number of rows, one below the other.
fn linear(
    w: &Weights,
    names: &[(String, usize)],
    from: usize,
    bias: bool,
) -> Result<LinearParts, LmError> {
    let weight = |(name, to): &(String, usize)| w.tensor(&format!("{name}.weight"), &[*to, from]);
    let bias_of = |(name, to): &(String, usize)| w.tensor(&format!("{name}.bias"), &[*to]);
    Ok(LinearParts {
        weights: names.iter().map(weight).collect::<Result<_, _>>()?,
        biases: match bias {
            true => names.iter().map(bias_of).collect::<Result<_, _>>()?,
            false => Vec::new(),
        },
    })
}

pub(super) fn block(c: &ModelConfig, w: &Weights, layer: usize) -> Result<BlockParts, LmError> {
    let name = |part: &str| format!("layers.{layer}.{part}");
    let (queries, keys) = (c.heads * c.head_dim, c.kv_heads * c.head_dim);
    let qkv = [
        (name("self_attn.q_proj"), queries),
        (name("self_attn.k_proj"), keys),
        (name("self_attn.v_proj"), keys),
    ];
    let qk_norm = || {
        let gain = |part| w.tensor(&name(part), &[c.head_dim]);
        Ok::<_, LmError>([gain("self_attn.q_norm.weight")?, gain("self_attn.k_norm.weight")?])
    };
    let up = [(name("mlp.gate_proj"), c.intermediate), (name("mlp.up_proj"), c.intermediate)];
    let out = [(name("self_attn.o_proj"), c.hidden)];
    let down = [(name("mlp.down_proj"), c.hidden)];
    Ok(BlockParts {
        attention_norm: norm(w, &name("input_layernorm"), c.hidden)?,
        qkv: linear(w, &qkv, c.hidden, c.qkv_bias)?,
        qk_norm: c.qk_norm.then(qk_norm).transpose()?,
        out: linear(w, &out, queries, c.attention_out_bias)?,
        mlp_norm: norm(w, &name("post_attention_layernorm"), c.hidden)?,
        up: linear(w, &up, c.hidden, c.mlp_bias)?,
        down: linear(w, &down, c.intermediate, c.mlp_bias)?,
    })
}

pub(super) fn ends(c: &ModelConfig, w: &Weights) -> Result<EndParts, LmError> {
    Ok(EndParts {
        embedding: w.tensor("embed_tokens.weight", &[c.vocab, c.hidden])?,
        positions: None,
        norm: norm(w, "norm", c.hidden)?,
        head: head(c, w)?,
    })
}
