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
    /// One matrix, query, key and value of the first head above those of the second.
    FusedByHead(Name),
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

/// Both halves of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mlp {
    /// The first.
    pub up: Up,
    /// The second.
    pub down: Name,
}

/// How the experts of a block are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpertStore {
    /// A folder with a number for each: `FOLDER.7.gate.weight`.
    Each {
        /// Before the number.
        folder: &'static str,
        /// Gate, up and down.
        names: [&'static str; 3],
    },
    /// Two tensors for all, `experts × inputs × outputs`, without `.weight`; biases add `_bias`.
    Stacked {
        /// Gate and up.
        up: &'static str,
        /// Down.
        down: &'static str,
        /// Gate and up take turns; else the gate's columns come first.
        alternating: bool,
    },
}

/// An MLP of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpertNames {
    /// Scores each expert.
    pub router: Name,
    /// The experts.
    pub store: ExpertStore,
    /// The expert that every token uses.
    pub shared: Option<Mlp>,
    /// One row whose sigmoid weighs the shared expert.
    pub shared_gate: Option<Name>,
}

/// Gate, up and down of all experts in a GGUF file, `experts × outputs × inputs`.
pub const GGUF_EXPERTS: [&str; 3] = ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"];

/// The tensors of a family. Names of a block follow its number: `layers.0.` and in GGUF `blk.0.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Token embeddings.
    pub embedding: Name,
    /// Learned positions; rotary ones have no tensor.
    pub positions: Option<Name>,
    /// Rows of the positions' table before that of position 0.
    pub positions_from: usize,
    /// After the last block.
    pub norm: Name,
    /// The output projection where it is not the embedding.
    pub head: Name,
    /// What Hugging Face writes before a block's number.
    pub blocks: &'static str,
    /// Before attention.
    pub attention_norm: Option<Name>,
    /// Of what attention adds.
    pub attention_after: Option<Name>,
    /// Queries, keys, values.
    pub qkv: Qkv,
    /// Norms of queries and keys, where a family knows them.
    pub qk_norm: Option<[Name; 2]>,
    /// Terms of each head's softmax that stand for no position, without `.weight` in Hugging Face's.
    pub sinks: Option<Name>,
    /// After attention.
    pub out: Name,
    /// Before the MLP; without one a parallel MLP reads what attention reads.
    pub mlp_norm: Option<Name>,
    /// Of what the MLP adds.
    pub mlp_after: Option<Name>,
    /// The MLP's first half.
    pub up: Up,
    /// The MLP's second half.
    pub down: Name,
    /// The MLP of blocks that have experts.
    pub experts: Option<ExpertNames>,
    /// Hugging Face stores matrices as `in × out`, not `out × in`.
    pub transposed: bool,
}

/// The output projection, as most families call it.
pub const HEAD: Name = name("lm_head", "output");

/// A name, for the pages.
pub(super) const fn name(hf: &'static str, gguf: &'static str) -> Name {
    Name { hf, gguf }
}

impl Qkv {
    /// The matrices' names, top to bottom.
    pub fn names(&self) -> &[Name] {
        match self {
            Self::Fused(name) | Self::FusedByHead(name) => std::slice::from_ref(name),
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

    /// Whether one half opens and closes the other.
    pub fn is_gated(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }
}

impl Layout {
    /// What stands before and after the blocks.
    pub fn ends(&self) -> impl Iterator<Item = Name> {
        [self.embedding, self.norm, self.head].into_iter().chain(self.positions)
    }

    /// The norms of a block that are as wide as the residual stream.
    pub fn wide_norms(&self) -> impl Iterator<Item = Name> {
        let all = [self.attention_norm, self.attention_after, self.mlp_norm, self.mlp_after];
        all.into_iter().flatten()
    }

    /// The norms of a block.
    pub fn norms(&self) -> impl Iterator<Item = Name> {
        self.wide_norms().chain(self.qk_norm.into_iter().flatten())
    }

    /// The matrices of a block without those of experts.
    pub fn matrices(&self) -> impl Iterator<Item = Name> {
        let wide = self.qkv.names().iter().chain(self.up.names()).copied();
        wide.chain([self.out, self.down])
    }
}
