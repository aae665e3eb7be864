//! What a family calls its tensors, and how it stores them: a page of data that every loader reads.

/// A tensor's name, without `.weight` or `.bias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// In a Hugging Face checkpoint.
    pub hf: &'static str,
    /// In a GGUF file.
    pub gguf: &'static str,
}

/// Queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qkv {
    /// One matrix, queries above keys above values.
    Fused(Name),
    /// A matrix each.
    Apart([Name; 3]),
}

/// The first half of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    /// One matrix without a gate.
    Plain(Name),
    /// One matrix, gate above up.
    Fused(Name),
    /// Gate and up.
    Apart([Name; 2]),
}

/// The tensors of a family. Names of a block follow its number: `layers.0.` and in GGUF `blk.0.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Token embeddings.
    pub embedding: Name,
    /// Learned positions; rotary ones have no tensor.
    pub positions: Option<Name>,
    /// After the last block.
    pub norm: Name,
    /// What Hugging Face writes before a block's number.
    pub blocks: &'static str,
    /// Before attention.
    pub attention_norm: Name,
    /// Queries, keys, values.
    pub qkv: Qkv,
    /// Norms of each query and key head, where a family knows them.
    pub qk_norm: Option<[Name; 2]>,
    /// After attention.
    pub out: Name,
    /// Before the MLP.
    pub mlp_norm: Name,
    /// The MLP's first half.
    pub up: Up,
    /// The MLP's second half.
    pub down: Name,
    /// Norms subtract the mean and add a bias (LayerNorm, not RMSNorm).
    pub layer_norm: bool,
    /// Hugging Face stores matrices as `in × out`, not `out × in`.
    pub transposed: bool,
}

/// The output projection where it is not the embedding; every family calls it so.
pub const HEAD: Name = name("lm_head", "output");

/// A name, for the pages.
pub(super) const fn name(hf: &'static str, gguf: &'static str) -> Name {
    Name { hf, gguf }
}

impl Qkv {
    /// The matrices' names, top to bottom.
    pub fn names(&self) -> &[Name] {
        match self {
            Self::Fused(name) => std::slice::from_ref(name),
            Self::Apart(names) => names,
        }
    }
}

impl Up {
    /// The matrices' names, top to bottom.
    pub fn names(&self) -> &[Name] {
        match self {
            Self::Plain(name) | Self::Fused(name) => std::slice::from_ref(name),
            Self::Apart(names) => names,
        }
    }
}

impl Layout {
    /// What stands before and after the blocks.
    pub fn ends(&self) -> impl Iterator<Item = Name> {
        [self.embedding, self.norm, HEAD].into_iter().chain(self.positions)
    }

    /// The norms of a block.
    pub fn norms(&self) -> impl Iterator<Item = Name> {
        let of_heads = self.qk_norm.into_iter().flatten();
        [self.attention_norm, self.mlp_norm].into_iter().chain(of_heads)
    }

    /// The matrices of a block.
    pub fn matrices(&self) -> impl Iterator<Item = Name> {
        let wide = self.qkv.names().iter().chain(self.up.names()).copied();
        wide.chain([self.out, self.down])
    }
}
