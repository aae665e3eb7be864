//! What a checkpoint's `config.json` says about the network, checked.
//!
//! A setting that would change results and that the decoder does not know is an error, never ignored.

use super::layout::Layout;

mod fields;
pub(crate) mod rope;
#[cfg(test)]
mod tests;

pub use fields::ConfigError;
pub(crate) use fields::Fields;
pub use rope::{Rope, RopeScaling};

/// The function between the two halves of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x/2 · (1 + erf(x/√2))`.
    Gelu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, GPT-2's `gelu_new`.
    GeluTanh,
    /// `x / (1 + e^−x)`.
    Silu,
    /// `max(x, 0)`.
    Relu,
}

/// A decoder-only language model's dimensions and variants.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// What its tensors are called.
    pub layout: &'static Layout,
    /// `model_type` of config.json: `gpt2`, `llama`, …
    pub model_type: String,
    /// Rows of the embedding, tokens the model can write.
    pub vocab: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; `heads · head_dim` need not equal `hidden`.
    pub head_dim: usize,
    /// Width inside the MLP.
    pub intermediate: usize,
    /// Longest sequence, prompt and completion together.
    pub max_positions: usize,
    /// Added to the variance in every norm.
    pub norm_eps: f64,
    /// Rotary positions; `None` for GPT-2's learned ones.
    pub rope: Option<Rope>,
    /// For each layer how many positions a token sees, itself included; `None` sees all before it.
    pub windows: Vec<Option<usize>>,
    /// Query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// The projection after attention has a bias.
    pub attention_out_bias: bool,
    /// The MLP's projections have a bias.
    pub mlp_bias: bool,
    /// Queries and keys go through an RMSNorm per head before rotation (Qwen3).
    pub qk_norm: bool,
    /// The output projection is the embedding.
    pub tied: bool,
    /// Scores are divided by `√head_dim`.
    pub scale_attention: bool,
    /// Scores of layer `i` (from 0) are divided by `i + 1` as well.
    pub scale_by_inverse_layer: bool,
    /// Begin-of-text token.
    pub bos: Option<u32>,
    /// Tokens that end a completion; may be empty.
    pub eos: Vec<u32>,
    /// Padding token; nothing here needs it.
    pub pad: Option<u32>,
    /// Inside the MLP.
    pub activation: Activation,
}

impl ModelConfig {
    /// What a score `q·k` is multiplied by in layer `layer`.
    pub fn attention_scale(&self, layer: usize) -> f64 {
        let by_width = if self.scale_attention { (self.head_dim as f64).sqrt() } else { 1.0 };
        let by_layer = if self.scale_by_inverse_layer { (layer + 1) as f64 } else { 1.0 };
        1.0 / (by_width * by_layer)
    }

    /// Refuses dimensions that cannot be; every way into the type ends here.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let sizes = [
            ("vocabulary", self.vocab, 1 << 24),
            ("hidden width", self.hidden, 1 << 20),
            ("number of layers", self.layers, 1 << 12),
            ("number of heads", self.heads, 1 << 14),
            ("number of key heads", self.kv_heads, 1 << 14),
            ("head width", self.head_dim, 1 << 14),
            ("MLP width", self.intermediate, 1 << 22),
            ("number of positions", self.max_positions, 1 << 28),
        ];
        for (what, value, most) in sizes {
            if value == 0 || value > most {
                return Err(ConfigError::Size { what, value, most });
            }
        }
        let impossible = |what: String| Err(ConfigError::Impossible { what });
        if !self.heads.is_multiple_of(self.kv_heads) {
            let Self { heads, kv_heads, .. } = self;
            return impossible(format!("{heads} heads cannot share {kv_heads} key heads"));
        }
        if self.rope.is_some() && !self.head_dim.is_multiple_of(2) {
            return impossible(format!(
                "rotary positions need an even head width, not {}",
                self.head_dim
            ));
        }
        // Learned positions come with heads that share the hidden width.
        if self.rope.is_none() && self.heads * self.head_dim != self.hidden {
            return impossible(format!(
                "hidden width {} does not divide into {} heads",
                self.hidden, self.heads
            ));
        }
        if !(self.norm_eps > 0.0 && self.norm_eps < 1.0) {
            return impossible(format!("a norm's epsilon of {} is not in 0..1", self.norm_eps));
        }
        Ok(())
    }
}
