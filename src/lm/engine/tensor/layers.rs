//! Norms and linear layers as tensors.

use candle_core::{DType, Device, Tensor};
use candle_nn::ops;

use crate::lm::{
    LmError,
    checkpoint::matrix::Matrix,
    parts::{LinearParts, NormParts},
};

pub(super) struct Norm {
    gain: Tensor,
    bias: Option<Tensor>,
    eps: f32,
}

pub(super) struct Linear {
    /// `in × out`.
    pub weight: Tensor,
    pub bias: Option<Tensor>,
}

impl Norm {
    pub fn new(
        parts: &NormParts,
        eps: f64,
        device: &Device,
        dtype: DType,
    ) -> Result<Self, LmError> {
        let here = |tensor: &Tensor| tensor.to_device(device)?.to_dtype(dtype);
        let bias = parts.bias.as_ref().map(here).transpose()?;
        Ok(Self { gain: here(&parts.gain)?, bias, eps: eps as f32 })
    }

    pub fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let x = x.contiguous()?;
        match &self.bias {
            Some(bias) => ops::layer_norm(&x, &self.gain, bias, self.eps),
            None => ops::rms_norm(&x, &self.gain, self.eps),
        }
    }
}

impl Norm {
    /// Every head of `rows × heads · head_dim` by itself, each with its own gain.
    pub fn forward_heads(&self, x: &Tensor, head_dim: usize) -> candle_core::Result<Tensor> {
        let shape = x.dims2()?;
        let heads = x.contiguous()?.reshape(((), head_dim))?;
        let ones = Tensor::ones(head_dim, x.dtype(), x.device())?;
        let plain = Self {
            bias: self.bias.is_some().then(|| ones.zeros_like()).transpose()?,
            gain: ones,
            eps: self.eps,
        };
        let normed = plain.forward(&heads)?.reshape(shape)?.broadcast_mul(&self.gain)?;
        match &self.bias {
            Some(bias) => normed.broadcast_add(bias),
            None => Ok(normed),
        }
    }
}

impl Linear {
    /// Matrices that read the same input, as one.
    pub fn new(parts: &LinearParts, device: &Device, dtype: DType) -> Result<Self, LmError> {
        let here = |tensor: Tensor| tensor.to_device(device)?.to_dtype(dtype);
        let bias = match parts.biases.is_empty() {
            true => None,
            false => Some(here(Tensor::cat(&parts.biases, 0)?)?),
        };
        let weights: Vec<_> =
            parts.weights.iter().map(Matrix::tensor).collect::<candle_core::Result<_>>()?;
        Ok(Self { weight: here(Tensor::cat(&weights, 0)?)?.t()?, bias })
    }

    pub fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
