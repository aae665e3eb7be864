//! The variants in which decoders differ: norms, what a token sees, experts, scales.

/// The function between the two halves of an MLP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `x/2 · (1 + erf(x/√2))`.
    Gelu,
    /// `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`, GPT-2's `gelu_new`.
    GeluTanh,
    /// `x / (1 + e^−x)`.
    Silu,
    /// `max(x, 0)`.
    Relu,
    /// gpt-oss: `g · σ(alpha g) · (u + 1)` of `g = min(gate, limit)` and `u` between `−limit` and `limit`.
    ClampedSwish {
        /// Steepness of the sigmoid.
        alpha: f32,
        /// Where gate and up are cut.
        limit: f32,
    },
}

/// What a norm does to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// `x / rms(x) · gain`.
    Rms,
    /// `x / rms(x) · (1 + gain)`, Gemma.
    RmsOnePlus,
    /// `(x − mean) / deviation · gain + bias`.
    Layer,
    /// LayerNorm without a bias, Cohere.
    LayerGain,
    /// LayerNorm without gain and bias, OLMo.
    LayerBare,
}

/// How queries and keys are normed before they are rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QkNorm {
    /// Not at all.
    None,
    /// Every head by itself, all with one gain of `head_dim`.
    Heads,
    /// Every head by itself, each with its own gain, `heads × head_dim`.
    EachHead,
    /// All heads as one row, gain of `heads · head_dim`.
    Whole,
    /// Every head by itself without a gain, in layers that rotate (Llama 4).
    Unit,
}

/// The positions before it that a token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// All.
    All,
    /// The last so many, itself included.
    Window(usize),
    /// Those of its own chunk of so many positions.
    Chunk(usize),
}

impl Sees {
    /// The first position that the token at position `at` sees.
    pub fn first(self, at: usize) -> usize {
        match self {
            Self::All => 0,
            Self::Window(width) => (at + 1).saturating_sub(width),
            Self::Chunk(width) => at / width * width,
        }
    }

    /// The width of a window.
    pub fn window(self) -> Option<usize> {
        if let Self::Window(width) = self { Some(width) } else { None }
    }
}

/// What differs from block to block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockKind {
    /// What its tokens see.
    pub sees: Sees,
    /// Which of the model's ropes turns its queries and keys; `None` turns nothing.
    pub rope: Option<usize>,
    /// Its MLP is made of experts.
    pub experts: bool,
}

impl BlockKind {
    /// Sees all, turned by the first rope, one MLP.
    pub const PLAIN: Self = Self { sees: Sees::All, rope: Some(0), experts: false };
}

/// How blocks join the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residual {
    /// `x ← x + attention(norm x)`, then `x ← x + mlp(norm x)`.
    Sequential,
    /// `x ← x + attention(norm x) + mlp(norm x)`.
    Parallel,
}

/// How experts get their weights from the router's logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Score {
    /// Softmax over all experts.
    Softmax,
    /// Softmax over the chosen ones.
    SoftmaxOfChosen,
    /// A sigmoid each.
    Sigmoid,
}

/// An MLP of which each token uses a few parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many a token uses: those of the highest router logits.
    pub used: usize,
    /// Width inside an expert.
    pub width: usize,
    /// Weights of the chosen.
    pub score: Score,
    /// The weight multiplies what goes into the expert, not what comes out.
    pub scales_input: bool,
    /// Router and experts have biases.
    pub biased: bool,
    /// Width inside the expert that every token uses.
    pub shared: Option<usize>,
}

/// Attention becomes sharper the later a token stands (Llama 4, Ministral 3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tempering {
    /// Positions of one step.
    pub floor: f64,
    /// Weight of the logarithm of the steps.
    pub scale: f64,
    /// The number of position 0.
    pub first: usize,
    /// In layers that rotate, too.
    pub with_rope: bool,
}

impl Tempering {
    /// What queries at position `at` are multiplied by: `1 + scale · ln(1 + ⌊(at + first)/floor⌋)`.
    pub fn factor(&self, at: usize) -> f32 {
        let steps = ((at + self.first) as f64 / self.floor).floor();
        (steps.ln_1p() * self.scale + 1.0) as f32
    }
}

/// Constants that multiply or cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    /// Scores `q·k` are multiplied by it.
    pub attention: f64,
    /// Scores of layer `i` (from 0) are divided by `i + 1` as well.
    pub by_layer: bool,
    /// Scores `s` become `cap · tanh(s/cap)`.
    pub attention_cap: Option<f64>,
    /// Queries, keys and values are cut to `−clip..clip`.
    pub qkv_clip: Option<f64>,
    /// Queries of layers without rope grow with their position.
    pub tempering: Option<Tempering>,
    /// Token embeddings are multiplied by it.
    pub embedding: f64,
    /// What a block adds is multiplied by it.
    pub residual: f64,
    /// Logits are multiplied by it.
    pub logits: f64,
    /// Logits `l` become `cap · tanh(l/cap)`.
    pub logits_cap: Option<f64>,
}

impl Scales {
    /// Scores of heads of `head_dim` numbers divided by its root, and nothing else.
    pub fn plain(head_dim: usize) -> Self {
        Self {
            attention: 1.0 / (head_dim.max(1) as f64).sqrt(),
            by_layer: false,
            attention_cap: None,
            qkv_clip: None,
            tempering: None,
            embedding: 1.0,
            residual: 1.0,
            logits: 1.0,
            logits_cap: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_moves_with_its_token_and_a_chunk_does_not() {
        assert_eq!([0, 2, 5].map(|at| Sees::All.first(at)), [0, 0, 0]);
        assert_eq!([0, 2, 5].map(|at| Sees::Window(3).first(at)), [0, 0, 3]);
        assert_eq!([0, 2, 3, 5, 6].map(|at| Sees::Chunk(3).first(at)), [0, 0, 3, 3, 6]);
    }

    #[test]
    fn queries_grow_by_the_logarithm_of_steps() {
        let tempering = Tempering { floor: 4.0, scale: 0.5, first: 1, with_rope: false };
        assert_eq!([0, 2].map(|at| tempering.factor(at)), [1.0, 1.0]);
        assert_eq!(tempering.factor(3), (1.0 + 0.5 * 2f64.ln()) as f32);
        assert_eq!(tempering.factor(11), (1.0 + 0.5 * 4f64.ln()) as f32);
    }
}
