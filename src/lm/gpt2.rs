//! GPT-2's names: `h.0.attn.c_attn` and so on, matrices stored as `in × out`.

use super::{
    LmError, Weights,
    config::ModelConfig,
    parts::{BlockParts, EndParts, LinearParts, NormParts, head},
};

fn norm(weights: &Weights, name: &str, width: usize) -> Result<NormParts, LmError> {
    Ok(NormParts {
        gain: weights.tensor(&format!("{name}.weight"), &[width])?,
        bias: Some(weights.tensor(&format!("{name}.bias"), &[width])?),
    })
}

fn linear(w: &Weights, name: &str, from: usize, to: usize) -> Result<LinearParts, LmError> {
    let weight = w.tensor(&format!("{name}.weight"), &[from, to])?;
    Ok(LinearParts {
        weights: vec![weight.t()?.contiguous()?],
        biases: vec![w.tensor(&format!("{name}.bias"), &[to])?],
    })
}

pub(super) fn block(c: &ModelConfig, w: &Weights, layer: usize) -> Result<BlockParts, LmError> {
    let name = |part: &str| format!("h.{layer}.{part}");
    let d = c.hidden;
    Ok(BlockParts {
        attention_norm: norm(w, &name("ln_1"), d)?,
        qkv: linear(w, &name("attn.c_attn"), d, 3 * d)?,
        qk_norm: None,
        out: linear(w, &name("attn.c_proj"), d, d)?,
        mlp_norm: norm(w, &name("ln_2"), d)?,
        up: linear(w, &name("mlp.c_fc"), d, c.intermediate)?,
        down: linear(w, &name("mlp.c_proj"), c.intermediate, d)?,
    })
}

pub(super) fn ends(c: &ModelConfig, w: &Weights) -> Result<EndParts, LmError> {
    Ok(EndParts {
        embedding: w.tensor("wte.weight", &[c.vocab, c.hidden])?,
        positions: Some(w.tensor("wpe.weight", &[c.max_positions, c.hidden])?),
        norm: norm(w, "ln_f", c.hidden)?,
        head: head(c, w)?,
    })
}
