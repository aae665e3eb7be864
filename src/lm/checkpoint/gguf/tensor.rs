//! One tensor of a GGUF file: where its bytes are and how they become numbers.

use std::borrow::Cow;

use candle_core::{
    DType, Device, Result, Tensor,
    quantized::{GgmlDType, QStorage, QTensor},
};

use super::Reader;
use crate::math::quant::Format;

/// The type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Plain numbers, or blocks that only the tensor library reads.
    Candle(GgmlDType),
    /// Blocks.
    Blocks(Format),
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Candle(GgmlDType::F32),
            1 => Self::Candle(GgmlDType::F16),
            2 => Self::Blocks(Format::Q4_0),
            3 => Self::Blocks(Format::Q4_1),
            6 => Self::Blocks(Format::Q5_0),
            7 => Self::Blocks(Format::Q5_1),
            8 => Self::Blocks(Format::Q8_0),
            10 => Self::Candle(GgmlDType::Q2K),
            11 => Self::Candle(GgmlDType::Q3K),
            12 => Self::Blocks(Format::Q4K),
            13 => Self::Blocks(Format::Q5K),
            14 => Self::Blocks(Format::Q6K),
            20 => Self::Blocks(Format::Iq4Nl),
            30 => Self::Candle(GgmlDType::BF16),
            39 => Self::Blocks(Format::Mxfp4),
            _ => return None,
        })
    }

    /// Numbers of a block, and its bytes.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Candle(kind) => (kind.block_size(), kind.type_size()),
            Self::Blocks(format) => (format.block(), format.size()),
        }
    }
}

/// Shape, type and place of a tensor.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Rows first, as everywhere here (the file has them last).
    pub shape: Vec<usize>,
    /// The type it is stored in.
    pub kind: Kind,
    offset: u64,
    pub(super) bytes: std::ops::Range<usize>,
}

impl TensorInfo {
    /// Reads the directory's entry behind the tensor's name.
    pub(super) fn read(reader: &mut Reader<'_>) -> std::result::Result<Self, String> {
        let rank = reader.u32()?;
        if !(1..=4).contains(&rank) {
            return Err(format!("a tensor with {rank} dimensions"));
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            let size = reader.u64()?;
            let size = usize::try_from(size).ok().filter(|size| (1..=1 << 40).contains(size));
            shape.push(size.ok_or("a tensor with a dimension of 0 or beyond 2^40")?);
        }
        shape.reverse();
        let number = reader.u32()?;
        let kind = Kind::of(number).ok_or_else(|| {
            format!(
                "tensor type number {number} is not supported; supported are F32, F16, BF16, Q8_0, \
                 Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL and MXFP4"
            )
        })?;
        Ok(Self { shape, kind, offset: reader.u64()?, bytes: 0..0 })
    }

    /// Finds the bytes in a file of `length` bytes whose tensors begin at `start`.
    pub(super) fn place(
        &mut self,
        start: usize,
        alignment: usize,
        length: usize,
    ) -> std::result::Result<(), String> {
        let Self { shape, kind, .. } = self;
        let row = shape.last().copied().unwrap_or_default();
        let (block, bytes) = kind.block();
        if !row.is_multiple_of(block) {
            return Err(format!("rows of {row} do not divide into blocks of {block}"));
        }
        let count = shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
        let size = count.and_then(|n| (n / block).checked_mul(bytes));
        let first = usize::try_from(self.offset).ok().and_then(|offset| start.checked_add(offset));
        let place = first.zip(size).and_then(|(first, size)| Some(first..first.checked_add(size)?));
        let fits = place.filter(|place| place.end <= length);
        let fits = fits.ok_or_else(|| {
            format!(
                "{shape:?} at offset {} reaches beyond the file's {length} bytes; cut short?",
                self.offset
            )
        })?;
        if !fits.start.is_multiple_of(alignment) {
            return Err(format!("its offset {} is not a multiple of {alignment}", self.offset));
        }
        self.bytes = fits;
        Ok(())
    }

    /// The stored type as a word: `f32`, `q4_1`, `q6k`.
    pub fn kind_name(&self) -> String {
        match self.kind {
            Kind::Candle(kind) => format!("{kind:?}").to_lowercase(),
            Kind::Blocks(format) => format.name().to_owned(),
        }
    }

    /// The numbers on the CPU: f32, f16 and bf16 as stored, quantized types as f32.
    pub(super) fn tensor(&self, file: &[u8]) -> Result<Tensor> {
        let bytes = &file[self.bytes.clone()];
        let plain = |dtype| Tensor::from_raw_buffer(bytes, dtype, &self.shape, &Device::Cpu);
        match self.kind {
            Kind::Candle(GgmlDType::F32) => plain(DType::F32),
            Kind::Candle(GgmlDType::F16) => plain(DType::F16),
            Kind::Candle(GgmlDType::BF16) => plain(DType::BF16),
            Kind::Candle(kind) => {
                // Mapped files begin on a page and offsets are multiples of 8 or more, so that the
                // alignment this asserts is given.
                let storage = QStorage::from_data(Cow::Borrowed(bytes), &Device::Cpu, kind)?;
                QTensor::new(storage, self.shape.as_slice())?.dequantize(&Device::Cpu)
            }
            Kind::Blocks(format) => {
                let mut numbers = vec![0.0; self.shape.iter().product()];
                format.widen(bytes, &mut numbers);
                Tensor::from_vec(numbers, self.shape.as_slice(), &Device::Cpu)
            }
        }
    }
}
