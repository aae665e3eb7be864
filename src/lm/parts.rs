//! A checkpoint's tensors under one set of names, whatever the architecture calls them.

use candle_core::Tensor;

use super::{
    LmError, Weights,
    config::{Arch, ModelConfig},
    gpt2, llama,
};

/// A gain and, in LayerNorm, a bias.
pub struct NormParts {
    /// Multiplies the normalised row.
    pub gain: Tensor,
    /// Is added to it; there is none in RMSNorm.
    pub bias: Option<Tensor>,
}

/// Matrices of `out × in` that read the same input, one below the other, and their biases.
pub struct LinearParts {
    /// The matrices.
    pub weights: Vec<Tensor>,
    /// As many biases, or none.
    pub biases: Vec<Tensor>,
}

/// The tensors of one block.
pub struct BlockParts {
    /// Before attention.
    pub attention_norm: NormParts,
    /// Queries, keys, values.
    pub qkv: LinearParts,
    /// Gains of the norms of each query and key head.
    pub qk_norm: Option<[Tensor; 2]>,
    /// After attention.
    pub out: LinearParts,
    /// Before the MLP.
    pub mlp_norm: NormParts,
    /// The MLP's first half: one matrix, or gate and up.
    pub up: LinearParts,
    /// The MLP's second half.
    pub down: LinearParts,
}

/// The tensors before and after the blocks.
pub struct EndParts {
    /// Token embeddings, `vocab × hidden`.
    pub embedding: Tensor,
    /// Learned positions, `max_positions × hidden`.
    pub positions: Option<Tensor>,
    /// After the last block.
    pub norm: NormParts,
    /// The output projection where it is not the embedding.
    pub head: Option<Tensor>,
}

/// Reads block `layer`.
///
/// # Errors
///
/// A tensor that is missing or has another shape.
pub fn block(config: &ModelConfig, weights: &Weights, layer: usize) -> Result<BlockParts, LmError> {
    match config.arch {
        Arch::Gpt2 => gpt2::block(config, weights, layer),
        Arch::Llama => llama::block(config, weights, layer),
    }
}

/// Reads what stands before and after the blocks.
///
/// # Errors
///
/// A tensor that is missing or has another shape.
pub fn ends(config: &ModelConfig, weights: &Weights) -> Result<EndParts, LmError> {
    match config.arch {
        Arch::Gpt2 => gpt2::ends(config, weights),
        Arch::Llama => llama::ends(config, weights),
    }
}

/// The output projection where it is stored apart from the embedding.
pub(super) fn head(config: &ModelConfig, weights: &Weights) -> Result<Option<Tensor>, LmError> {
    let shape = [config.vocab, config.hidden];
    (!config.tied).then(|| weights.tensor("lm_head.weight", &shape)).transpose()
}
