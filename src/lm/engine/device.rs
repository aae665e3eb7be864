//! Which device computes, and in which number type.

use candle_core::Device;

use super::tensor::cuda;
use crate::lm::{LmError, checkpoint::notes};

/// Why a word names no device or number type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the field")]
#[non_exhaustive]
pub enum ChoiceError {
    /// It is no [`DeviceChoice`].
    #[error("`{word}` is no device; use auto, cpu, cuda or cuda:N")]
    Device { word: String },
    /// It is no [`DtypeChoice`].
    #[error("`{word}` is no number type; use auto, f32, f16 or bf16")]
    Dtype { word: String },
}

/// `auto`, `cpu` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA device `N`.
    Cuda(usize),
}

impl std::str::FromStr for DeviceChoice {
    type Err = ChoiceError;

    fn from_str(word: &str) -> Result<Self, ChoiceError> {
        let no = || ChoiceError::Device { word: word.to_owned() };
        match word {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = word.strip_prefix("cuda:").ok_or_else(no)?;
                index.parse().map(Self::Cuda).map_err(|_| no())
            }
        }
    }
}

/// Opens the chosen device; `auto` falls back to the CPU where CUDA cannot be used, and says so in a
/// [note](notes) where there is a GPU.
///
/// # Errors
///
/// [`LmError::Gpu`] when a CUDA device was asked for by name and cannot be opened.
pub fn open(choice: DeviceChoice) -> Result<Device, LmError> {
    match choice {
        DeviceChoice::Auto if candle_core::utils::cuda_is_available() => Ok(cuda::open(0)
            .unwrap_or_else(|error| {
                let fault = gpu_fault(&error);
                if fault != NO_GPU {
                    notes::tell(&format!(
                        "CUDA device 0 cannot be opened ({fault}), so the CPU is used"
                    ));
                }
                Device::Cpu
            })),
        DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda(index) => {
            cuda::open(index).map_err(|error| LmError::Gpu { index, fault: gpu_fault(&error) })
        }
    }
}

/// The fault of a machine that CUDA has nothing to do with.
const NO_GPU: &str = "there is no NVIDIA driver or no GPU here";

/// What is wrong with a CUDA device, in one line: the driver's own words may be missing with the driver.
fn gpu_fault(error: &candle_core::Error) -> String {
    let text = error.to_string();
    match text.contains("CUDA_ERROR_NO_DEVICE") {
        true => NO_GPU.into(),
        // Behind the first line comes a backtrace, if anything.
        false => text.lines().next().unwrap_or_default().into(),
    }
}

/// The type in which weights are kept and products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtypeChoice {
    /// What is fastest on the device without changing results beyond the checkpoint's own precision.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl std::str::FromStr for DtypeChoice {
    type Err = ChoiceError;

    fn from_str(word: &str) -> Result<Self, ChoiceError> {
        match word {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            _ => Err(ChoiceError::Dtype { word: word.to_owned() }),
        }
    }
}
