//! What follows attention in a block: one MLP, or the experts that each token's router chooses.
//!
//! ```text
//! mlp(x) = down(f(gate(x)) · up(x))
//! experts(x) = Σ weight_e · mlp_e(x)  over the chosen e in their order, + σ(gate · x) · shared(x)
//! ```

use super::{
    super::{
        linear::{Keep, Linear},
        row_ops,
        work::Work,
    },
    norm::per_row,
};
use crate::{
    lm::{
        LmError,
        arch::config::{Activation, Experts, ModelConfig},
        engine::router,
        parts::{self, ExpertsParts, MlpParts},
    },
    math::{
        gemm::Workspace,
        simd::{Isa, Lines},
    },
};

pub(super) struct Mlp {
    up: Linear,
    down: Linear,
}

pub(super) enum Feed {
    Mlp(Mlp),
    Experts(Box<Sparse>),
}

pub(super) struct Sparse {
    config: Experts,
    router: Linear,
    each: Vec<Mlp>,
    shared: Option<Mlp>,
    shared_gate: Option<Linear>,
}

/// Buffers of one MLP.
struct Buffers<'a> {
    tiles: &'a mut Workspace,
    wide: &'a mut Lines,
    gate: &'a mut Lines,
}

impl Mlp {
    fn new(parts: &MlpParts, keep: Keep) -> Result<Self, LmError> {
        Ok(Self { up: Linear::new(&parts.up, keep)?, down: Linear::new(&parts.down, keep)? })
    }

    fn forward(
        &self,
        isa: Isa,
        f: Activation,
        x: &[f32],
        rows: usize,
        work: Buffers<'_>,
        out: &mut [f32],
    ) {
        let (width, inner) = (self.up.outputs(), self.down.inputs());
        let wide = work.wide.reserve(rows * width);
        self.up.forward(isa, work.tiles, x, rows, wide);
        let gate = work.gate.reserve(rows * inner);
        let wide = &*wide;
        per_row(rows * inner, gate, inner, |i, out| {
            let row = &wide[i * width..][..width];
            out.copy_from_slice(&row[width - inner..]);
            if width == 2 * inner {
                row_ops::gate(isa, f, &row[..inner], out);
            } else {
                row_ops::activate(isa, f, out);
            }
        });
        self.down.forward(isa, work.tiles, gate, rows, out);
    }
}

impl Feed {
    pub fn new(config: &ModelConfig, feed: &parts::Feed, keep: Keep) -> Result<Self, LmError> {
        Ok(match (feed, config.experts) {
            (parts::Feed::Experts(experts), Some(config)) => {
                Self::Experts(Box::new(Sparse::new(config, experts, keep)?))
            }
            (parts::Feed::Experts(_), None) => {
                unreachable!("experts are read where there are some")
            }
            (parts::Feed::Mlp(mlp), _) => Self::Mlp(Mlp::new(mlp, keep)?),
        })
    }

    /// The linear layers, for counting.
    pub fn linears(&self) -> Vec<&Linear> {
        let mut all = Vec::new();
        match self {
            Self::Mlp(mlp) => all.extend([&mlp.up, &mlp.down]),
            Self::Experts(sparse) => {
                all.extend([&sparse.router].into_iter().chain(&sparse.shared_gate));
                all.extend(sparse.each.iter().chain(&sparse.shared).flat_map(|m| [&m.up, &m.down]));
            }
        }
        all
    }

    /// Reads `rows` rows of `work.normed` and writes `work.projected`.
    pub fn forward(&self, isa: Isa, f: Activation, rows: usize, work: &mut Work) {
        let Work { tiles, normed, wide, gate, projected, experts, .. } = work;
        match self {
            Self::Mlp(mlp) => {
                let hidden = mlp.down.outputs();
                let out = projected.reserve(rows * hidden);
                let x = &normed[..rows * mlp.up.inputs()];
                mlp.forward(isa, f, x, rows, Buffers { tiles, wide, gate }, out);
            }
            Self::Experts(sparse) => {
                let hidden = sparse.router.inputs();
                let (x, out) = (&normed[..rows * hidden], projected.reserve(rows * hidden));
                sparse.forward(isa, f, x, rows, Buffers { tiles, wide, gate }, experts, out);
            }
        }
    }
}

impl Sparse {
    fn new(config: Experts, parts: &ExpertsParts, keep: Keep) -> Result<Self, LmError> {
        let mlp = |parts: &MlpParts| Mlp::new(parts, keep);
        let linear = |parts| Linear::new(parts, keep);
        Ok(Self {
            config,
            router: linear(&parts.router)?,
            each: parts.each.iter().map(mlp).collect::<Result<_, _>>()?,
            shared: parts.shared.as_ref().map(mlp).transpose()?,
            shared_gate: parts.shared_gate.as_ref().map(linear).transpose()?,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one call site; a struct would name them again")]
    fn forward(
        &self,
        isa: Isa,
        f: Activation,
        x: &[f32],
        rows: usize,
        work: Buffers<'_>,
        gathered: &mut Lines,
        out: &mut [f32],
    ) {
        let Buffers { tiles, wide, gate } = work;
        let hidden = self.router.inputs();
        let mut logits = vec![0.0; rows * self.config.count];
        self.router.forward(isa, tiles, x, rows, &mut logits);
        let chosen = router::choose(&self.config, &logits);
        out.fill(0.0);
        for (expert, mlp) in self.each.iter().enumerate() {
            // Every row adds its experts in the order of their numbers, whoever shares its pass.
            let of = chosen.of(expert);
            if of.is_empty() {
                continue;
            }
            let both = gathered.reserve(2 * of.len() * hidden);
            let (inputs, outputs) = both.split_at_mut(of.len() * hidden);
            for ((row, weight), to) in of.iter().zip(inputs.chunks_exact_mut(hidden)) {
                to.copy_from_slice(&x[row * hidden..][..hidden]);
                if self.config.scales_input {
                    to.iter_mut().for_each(|x| *x *= weight);
                }
            }
            let buffers = Buffers { tiles: &mut *tiles, wide: &mut *wide, gate: &mut *gate };
            mlp.forward(isa, f, inputs, of.len(), buffers, outputs);
            for ((row, weight), from) in of.iter().zip(outputs.chunks_exact(hidden)) {
                let by = if self.config.scales_input { 1.0 } else { *weight };
                row_ops::add_scaled(isa, &mut out[row * hidden..][..hidden], by, from);
            }
        }
        if let Some(shared) = &self.shared {
            let outputs = gathered.reserve(rows * hidden);
            let buffers = Buffers { tiles: &mut *tiles, wide, gate };
            shared.forward(isa, f, x, rows, buffers, outputs);
            let mut opened = vec![1.0; rows];
            if let Some(gate) = &self.shared_gate {
                gate.forward(isa, tiles, x, rows, &mut opened);
                opened.iter_mut().for_each(|x| *x = 1.0 / (1.0 + row_ops::exp(-*x)));
            }
            for ((out, by), from) in
                out.chunks_exact_mut(hidden).zip(opened).zip(outputs.chunks_exact(hidden))
            {
                row_ops::add_scaled(isa, out, by, from);
            }
        }
    }
}
