//! A language model ready to run.

use candle_core::{DType, Device};
use std::sync::Arc;

use super::{
    cpu::{decoder::Decoder, linear::Keep},
    device::{self, DeviceChoice, DtypeChoice},
    network::Network,
    tensor::TensorDecoder,
};
use crate::{
    lm::{
        Checkpoint, LmError, ModelConfig, Tokenizer, Weights,
        checkpoint::{load, notes},
    },
    math::gemm::Storage,
};

/// A checkpoint with its network on a device.
pub struct Lm {
    checkpoint: Arc<Checkpoint>,
    network: Box<dyn Network>,
    precision: String,
}

impl Lm {
    /// Opens a model by name and loads it.
    ///
    /// # Errors
    ///
    /// [`LmError`] naming the file and what is wrong with it, or the device that cannot be used.
    pub fn open(model: &str, device: DeviceChoice, dtype: DtypeChoice) -> Result<Self, LmError> {
        Self::load(load::open(model)?, &device::open(device)?, dtype)
    }

    /// Reads the weights of a checkpoint onto a device.
    ///
    /// On the CPU `auto` keeps half-precision weights as they are and computes in f32, which gives
    /// the same numbers as f32 weights. Blocks of quantized files are kept, too, and multiplied with
    /// activations rounded to 16-bit integers ([`quant`](crate::math::quant)); everything else is kept in f32. On
    /// CUDA `auto` is bf16.
    ///
    /// # Errors
    ///
    /// A tensor that is missing or misshapen, or a device that fails.
    pub fn load(
        checkpoint: impl Into<Arc<Checkpoint>>,
        device: &Device,
        dtype: DtypeChoice,
    ) -> Result<Self, LmError> {
        let checkpoint = checkpoint.into();
        let precision = Self::precision_of(&checkpoint, device, dtype).to_owned();
        let Checkpoint { config, weights, .. } = &*checkpoint;
        let network = network(config, weights, device, dtype)?;
        if let Some(how) = kept(&checkpoint.dtype, weights.in_blocks(), &precision) {
            notes::tell(&format!("{}: {how}", checkpoint.source));
        }
        Ok(Self { checkpoint, network, precision })
    }

    /// The [`precision`](Self::precision) that a checkpoint would be loaded in.
    pub fn precision_of(
        checkpoint: &Checkpoint,
        device: &Device,
        dtype: DtypeChoice,
    ) -> &'static str {
        match device {
            // Half-precision weights that are widened exactly give the numbers of f32 weights.
            Device::Cpu => match (dtype, checkpoint.dtype.as_str()) {
                (DtypeChoice::Bf16, _) => "cpu-bf16",
                (DtypeChoice::F16, stored) if stored != "f16" => "cpu-f16",
                (DtypeChoice::Auto, _) if checkpoint.weights.in_blocks() => "cpu-i16",
                _ => "cpu-f32",
            },
            _ => match device_dtype(dtype) {
                DType::F32 => "cuda-f32",
                DType::F16 => "cuda-f16",
                _ => "cuda-bf16",
            },
        }
    }

    /// What the model was opened as.
    pub fn source(&self) -> &str {
        &self.checkpoint.source
    }

    /// The checkpoint it was read from.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Dimensions and variants.
    pub fn config(&self) -> &ModelConfig {
        &self.checkpoint.config
    }

    /// The tokenizer, where the checkpoint has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.checkpoint.tokenizer.as_ref()
    }

    /// The network.
    pub fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// Device and number type, as signatures name them: `cpu-f32`.
    pub fn precision(&self) -> &str {
        &self.precision
    }
}

/// A network with the weights of a checkpoint on a device.
///
/// # Errors
///
/// Those of [`Lm::load`].
pub fn network(
    config: &ModelConfig,
    weights: &Weights,
    device: &Device,
    dtype: DtypeChoice,
) -> Result<Box<dyn Network>, LmError> {
    Ok(match device {
        Device::Cpu => Box::new(Decoder::new(config, weights, keep(dtype, weights))?),
        _ => Box::new(TensorDecoder::new(config, weights, device, device_dtype(dtype))?),
    })
}

/// What a person should know of weights that are not kept as they are stored.
fn kept(stored: &str, in_blocks: bool, precision: &str) -> Option<String> {
    match precision {
        "cpu-i16" => None,
        _ if precision.ends_with(stored) || matches!(stored, "f16" | "bf16") => None,
        "cpu-f32" if in_blocks => Some(format!(
            "weights stored as {stored} are widened to f32 and kept so; --dtype auto keeps their blocks, which takes less memory and time"
        )),
        "cpu-f32" => Some(format!(
            "weights stored as {stored} are widened to f32 and kept so, the fastest type here; {stored} saves disk, not memory"
        )),
        _ => {
            let (_, kept) = precision.split_once('-').unwrap_or_default();
            Some(format!("weights stored as {stored} are kept and multiplied as {kept}"))
        }
    }
}

/// The type of weights and activations on a CUDA device.
fn device_dtype(dtype: DtypeChoice) -> DType {
    match dtype {
        DtypeChoice::Auto | DtypeChoice::Bf16 => DType::BF16,
        DtypeChoice::F16 => DType::F16,
        DtypeChoice::F32 => DType::F32,
    }
}

/// How weights are kept on the CPU.
fn keep(dtype: DtypeChoice, weights: &Weights) -> Keep {
    Keep::Numbers(match (dtype, weights.stored_type().as_str()) {
        (DtypeChoice::Bf16, _) => Storage::Pairs,
        (DtypeChoice::Auto, _) if weights.in_blocks() => return Keep::Blocks,
        (DtypeChoice::Auto, "bf16") => Storage::Bf16,
        (DtypeChoice::F16, _) | (DtypeChoice::Auto, "f16") => Storage::F16,
        _ => Storage::F32,
    })
}
