//! What follows attention in a block, as tensors: one MLP, or the experts that each token's router chooses.

use candle_core::{D, DType, Device, Result, Tensor};

use super::{cuda, layers::Linear};
use crate::lm::{
    LmError,
    arch::config::{Activation, Experts, ModelConfig},
    engine::router,
    parts::{self, ExpertsParts, MlpParts},
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

impl Mlp {
    fn new(parts: &MlpParts, device: &Device, dtype: DType) -> std::result::Result<Self, LmError> {
        let (up, down) = (&parts.up, &parts.down);
        Ok(Self { up: Linear::new(up, device, dtype)?, down: Linear::new(down, device, dtype)? })
    }

    fn forward(&self, f: Activation, x: &Tensor) -> Result<Tensor> {
        let inner = self.down.weight.dim(0)?;
        let wide = self.up.forward(x)?;
        if x.device().is_cuda() {
            return self.down.forward(&cuda::gate(&wide, inner, f)?);
        }
        let halves = || -> Result<[Tensor; 2]> {
            Ok([
                wide.narrow(1, 0, inner)?.contiguous()?,
                wide.narrow(1, inner, inner)?.contiguous()?,
            ])
        };
        let wide = match f {
            Activation::ClampedSwish { alpha, limit } => {
                let [gate, up] = halves()?;
                let gate = gate.minimum(limit as f64)?;
                let opened = (&gate / ((&gate * -f64::from(alpha))?.exp()? + 1.0)?)?;
                ((up.clamp(-limit, limit)? + 1.0)? * opened)?
            }
            _ if wide.dim(D::Minus1)? == 2 * inner => {
                let [gate, up] = halves()?;
                (activate(f, &gate)? * up)?
            }
            _ => activate(f, &wide)?,
        };
        self.down.forward(&wide)
    }
}

fn activate(f: Activation, x: &Tensor) -> Result<Tensor> {
    match f {
        Activation::Silu => x.silu(),
        Activation::GeluTanh => x.gelu(),
        Activation::Gelu => x.gelu_erf(),
        Activation::Relu => x.relu(),
        Activation::ClampedSwish { .. } => candle_core::bail!("a clamped gate has an up half"),
    }
}

impl Feed {
    pub fn new(
        config: &ModelConfig,
        feed: &parts::Feed,
        device: &Device,
        dtype: DType,
    ) -> std::result::Result<Self, LmError> {
        Ok(match (feed, config.experts) {
            (parts::Feed::Experts(experts), Some(config)) => {
                Self::Experts(Box::new(Sparse::new(config, experts, device, dtype)?))
            }
            (parts::Feed::Experts(_), None) => {
                unreachable!("experts are read where there are some")
            }
            (parts::Feed::Mlp(mlp), _) => Self::Mlp(Mlp::new(mlp, device, dtype)?),
        })
    }

    pub fn forward(&self, f: Activation, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Mlp(mlp) => mlp.forward(f, x),
            Self::Experts(sparse) => sparse.forward(f, x),
        }
    }

    /// Numbers of all matrices.
    pub fn weights(&self) -> usize {
        let of = |mlp: &Mlp| mlp.up.weight.elem_count() + mlp.down.weight.elem_count();
        match self {
            Self::Mlp(mlp) => of(mlp),
            Self::Experts(sparse) => {
                sparse.each.iter().chain(&sparse.shared).map(of).sum::<usize>()
                    + sparse.router.weight.elem_count()
            }
        }
    }
}

impl Sparse {
    fn new(
        config: Experts,
        parts: &ExpertsParts,
        device: &Device,
        dtype: DType,
    ) -> std::result::Result<Self, LmError> {
        let mlp = |parts: &MlpParts| Mlp::new(parts, device, dtype);
        let linear = |parts| Linear::new(parts, device, dtype);
        Ok(Self {
            config,
            router: linear(&parts.router)?,
            each: parts.each.iter().map(mlp).collect::<std::result::Result<_, _>>()?,
            shared: parts.shared.as_ref().map(mlp).transpose()?,
            shared_gate: parts.shared_gate.as_ref().map(linear).transpose()?,
        })
    }

    /// The router's logits come to main memory, where experts are chosen; their products stay on the device.
    fn forward(&self, f: Activation, x: &Tensor) -> Result<Tensor> {
        let logits = self.router.forward(x)?.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        let chosen = router::choose(&self.config, &logits.flatten_all()?.to_vec1::<f32>()?);
        let mut out = x.zeros_like()?;
        for (expert, mlp) in self.each.iter().enumerate() {
            let of = chosen.of(expert);
            if of.is_empty() {
                continue;
            }
            let rows: Vec<_> = of.iter().map(|(row, _)| *row as u32).collect();
            let weights: Vec<_> = of.iter().map(|(_, weight)| *weight).collect();
            let rows = Tensor::new(rows, x.device())?;
            let weights = Tensor::new(weights, x.device())?.to_dtype(x.dtype())?.unsqueeze(1)?;
            let picked = x.index_select(&rows, 0)?;
            let added = match self.config.scales_input {
                true => mlp.forward(f, &picked.broadcast_mul(&weights)?)?,
                false => mlp.forward(f, &picked)?.broadcast_mul(&weights)?,
            };
            out = out.index_add(&rows, &added, 0)?;
        }
        if let Some(shared) = &self.shared {
            let added = shared.forward(f, x)?;
            let added = match &self.shared_gate {
                Some(gate) => added.broadcast_mul(&candle_nn::ops::sigmoid(&gate.forward(x)?)?)?,
                None => added,
            };
            out = (out + added)?;
        }
        Ok(out)
    }
}
