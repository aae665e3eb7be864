//! What a checkpoint's `config.json` says about the network, checked.
//!
//! A setting that would change results and that the decoder does not know is an error, never ignored.

use super::layout::Layout;

mod fields;
pub(crate) mod kinds;
pub(crate) mod rope;
#[cfg(test)]
mod tests;
pub(crate) mod unknown;

pub use fields::ConfigError;
pub(crate) use fields::Fields;
pub use kinds::{
    Activation, BlockKind, Experts, NormKind, QkNorm, Residual, Scales, Score, Sees, Tempering,
};
pub use rope::{Rope, RopeScaling};

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
    /// What all norms do.
    pub norm: NormKind,
    /// Added to the variance in every norm.
    pub norm_eps: f64,
    /// Rotary positions, of which each block uses one; none where positions are learned.
    pub ropes: Vec<Rope>,
    /// Each block's variants; as many as there are layers.
    pub blocks: Vec<BlockKind>,
    /// How blocks join the residual stream.
    pub residual: Residual,
    /// Query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// The projection after attention has a bias.
    pub attention_out_bias: bool,
    /// The MLP's projections have a bias.
    pub mlp_bias: bool,
    /// The output projection has a bias.
    pub head_bias: bool,
    /// Norms of queries and keys.
    pub qk_norm: QkNorm,
    /// Each head's softmax has a learned term that stands for no position (gpt-oss).
    pub sinks: bool,
    /// The output projection is the embedding.
    pub tied: bool,
    /// Constants that multiply or cut.
    pub scales: Scales,
    /// The sparse MLP of blocks that have one.
    pub experts: Option<Experts>,
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
    /// One layer of width 1 with nothing special: what a family's page starts from.
    pub(crate) fn neutral(layout: &'static Layout, model_type: &str) -> Self {
        Self {
            layout,
            model_type: model_type.into(),
            vocab: 1,
            hidden: 1,
            layers: 1,
            heads: 1,
            kv_heads: 1,
            head_dim: 1,
            intermediate: 1,
            max_positions: 1,
            norm: NormKind::Rms,
            norm_eps: 1e-5,
            ropes: Vec::new(),
            blocks: vec![BlockKind { rope: None, ..BlockKind::PLAIN }],
            residual: Residual::Sequential,
            qkv_bias: false,
            attention_out_bias: false,
            mlp_bias: false,
            head_bias: false,
            qk_norm: QkNorm::None,
            sinks: false,
            tied: false,
            scales: Scales::plain(1),
            experts: None,
            bos: None,
            eos: Vec::new(),
            pad: None,
            activation: Activation::Silu,
        }
    }

    /// What a score `q·k` is multiplied by in layer `layer`.
    pub fn attention_scale(&self, layer: usize) -> f64 {
        let by_layer = if self.scales.by_layer { (layer + 1) as f64 } else { 1.0 };
        self.scales.attention / by_layer
    }

    /// Weights of the matrices that one token is multiplied by, the output projection included.
    pub fn active_weights(&self) -> usize {
        self.matrix_weights(|experts| experts.used) + self.vocab * self.hidden
    }

    /// Weights of all matrices, embedding and output projection included.
    pub fn matrices(&self) -> usize {
        let ends = if self.tied { 1 } else { 2 };
        self.matrix_weights(|experts| experts.count) + ends * self.vocab * self.hidden
    }

    fn matrix_weights(&self, experts: impl Fn(&Experts) -> usize) -> usize {
        let (d, q, kv) = (self.hidden, self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let halves = if self.layout.up.is_gated() { 3 } else { 2 };
        let mlp = |block: &BlockKind| match self.experts.as_ref().filter(|_| block.experts) {
            Some(e) => {
                let wide = experts(e) * e.width + e.shared.unwrap_or(0);
                halves * d * wide + d * e.count
            }
            None => halves * d * self.intermediate,
        };
        self.blocks.iter().map(|block| d * (2 * q + 2 * kv) + mlp(block)).sum()
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
        for (what, value, most) in sizes.into_iter().chain(self.expert_sizes()) {
            if value == 0 || value > most {
                return Err(ConfigError::Size { what, value, most });
            }
        }
        let impossible = |what: String| Err(ConfigError::Impossible { what });
        if !self.heads.is_multiple_of(self.kv_heads) {
            let Self { heads, kv_heads, .. } = self;
            return impossible(format!("{heads} heads cannot share {kv_heads} key heads"));
        }
        for rope in &self.ropes {
            rope.check(self.head_dim)?;
        }
        if !self.norm_eps.is_finite() || self.norm_eps <= 0.0 || self.norm_eps >= 1.0 {
            return impossible(format!("a norm's epsilon of {} is not in 0..1", self.norm_eps));
        }
        if self.blocks.iter().any(|b| matches!(b.sees, Sees::Window(0) | Sees::Chunk(0))) {
            return impossible("a sliding window of 0 sees nothing".into());
        }
        let scales = &self.scales;
        let caps = [scales.attention_cap, scales.qkv_clip, scales.logits_cap];
        if let Some(cap) = caps.into_iter().flatten().find(|cap| !(*cap > 0.0 && cap.is_finite())) {
            return impossible(format!("values cannot be cut to {cap}"));
        }
        let factors = [scales.attention, scales.embedding, scales.residual, scales.logits];
        if let Some(factor) = factors.into_iter().find(|f| !f.is_finite() || *f == 0.0) {
            return impossible(format!("a multiplier of {factor} leaves nothing"));
        }
        Ok(())
    }

    fn expert_sizes(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        let sizes = self.experts.map(|e| {
            let shared = ("shared expert's width", e.shared.unwrap_or(1), 1 << 22);
            let used = ("number of experts that a token uses", e.used, e.count);
            let width = ("expert's width", e.width, 1 << 22);
            [("number of experts", e.count, 1 << 14), used, width, shared]
        });
        sizes.into_iter().flatten()
    }
}
