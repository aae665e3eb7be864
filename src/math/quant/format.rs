//! Types of blocks, and what their bits mean.
//!
//! A number is `scale · code + offset`, where a code has 4 to 8 bits and 16 or 32 numbers share a scale. The product of
//! scale and code has at most 24 bits and is exact, so that the sum alone is rounded.

use half::{bf16, f16};

/// Numbers of a group: they share an offset, and 16 or all of them a scale.
pub const GROUP: usize = 32;

/// How a block of weights is stored, by ggml's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are ggml's")]
pub enum Format {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
    Iq4Nl,
    Mxfp4,
}

/// Values of the codes of IQ4_NL, each plus 128.
pub(super) const IQ4_NL: [u8; 16] =
    [1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241];

/// Twice the values of the codes of MXFP4 (e2m1), each plus 12.
pub(super) const MXFP4: [u8; 16] = [12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0];

/// A block taken apart.
pub(super) struct Fields {
    /// Scale and offset as halves: those of the block, or of the scales and offsets of its groups.
    pub halves: [u16; 2],
    /// Scales and offsets of the groups of a block.
    pub bytes: [u8; 16],
    /// The codes' bits as they are stored, the first byte lowest.
    pub words: [u32; 48],
}

/// How many of each a block has.
pub(super) struct Layout {
    /// Numbers.
    pub block: usize,
    /// Bytes as stored.
    pub size: usize,
    pub halves: usize,
    pub bytes: usize,
    pub words: usize,
}

/// 32 numbers.
pub(super) struct Group {
    pub codes: [i16; GROUP],
    /// Of the first and of the second half of the codes.
    pub scales: [f32; 2],
    pub offset: f32,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
        Self::Iq4Nl,
        Self::Mxfp4,
    ];

    pub(super) fn layout(self) -> Layout {
        let (block, size, halves, bytes, words) = match self {
            Self::Q4_0 | Self::Iq4Nl => (32, 18, 1, 0, 4),
            Self::Mxfp4 => (32, 17, 1, 0, 4),
            Self::Q4_1 => (32, 20, 2, 0, 4),
            Self::Q5_0 => (32, 22, 1, 0, 5),
            Self::Q5_1 => (32, 24, 2, 0, 5),
            Self::Q8_0 => (32, 34, 1, 0, 8),
            Self::Q4K => (256, 144, 2, 16, 32),
            Self::Q5K => (256, 176, 2, 16, 40),
            Self::Q6K => (256, 210, 1, 16, 48),
        };
        Layout { block, size, halves, bytes, words }
    }

    /// Numbers of a block.
    pub fn block(self) -> usize {
        self.layout().block
    }

    /// Bytes of a block.
    pub fn size(self) -> usize {
        self.layout().size
    }

    /// Its name as ggml writes it in lower case: `q4_1`, `q4k`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4k",
            Self::Q5K => "q5k",
            Self::Q6K => "q6k",
            Self::Iq4Nl => "iq4_nl",
            Self::Mxfp4 => "mxfp4",
        }
    }

    /// Whether numbers have an offset.
    pub(super) fn has_offset(self) -> bool {
        matches!(self, Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K)
    }

    /// Whether 16 numbers share a scale, and not 32.
    pub(super) fn halves_groups(self) -> bool {
        self == Self::Q6K
    }

    /// Writes the numbers of whole blocks to `out`, as f32.
    ///
    /// # Panics
    ///
    /// Where `blocks` and `out` are not as many whole blocks.
    pub fn widen(self, blocks: &[u8], out: &mut [f32]) {
        let Layout { block, size, .. } = self.layout();
        assert!(
            blocks.len() / size == out.len() / block
                && blocks.len().is_multiple_of(size)
                && out.len().is_multiple_of(block),
            "whole blocks"
        );
        for (bytes, out) in blocks.chunks_exact(size).zip(out.chunks_exact_mut(block)) {
            self.widen_fields(&self.fields(bytes), out);
        }
    }

    /// Writes the numbers of a block.
    pub(super) fn widen_fields(self, fields: &Fields, out: &mut [f32]) {
        for (g, out) in out.chunks_exact_mut(GROUP).enumerate() {
            let group = self.group(fields, g);
            for (i, out) in out.iter_mut().enumerate() {
                *out = group.scales[i / 16].mul_add(f32::from(group.codes[i]), group.offset);
            }
        }
    }

    /// Takes a block apart.
    pub(super) fn fields(self, bytes: &[u8]) -> Fields {
        let mut fields = Fields { halves: [0; 2], bytes: [0; 16], words: [0; 48] };
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let Fields { halves, bytes: small, words } = &mut fields;
        let codes = match self {
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 | Self::Iq4Nl => {
                halves[0] = half(0);
                &bytes[2..]
            }
            Self::Q4_1 | Self::Q5_1 => {
                *halves = [half(0), half(2)];
                &bytes[4..]
            }
            Self::Mxfp4 => {
                // Half of 2^(e - 127), whose codes are doubled.
                halves[0] = match bytes[0] {
                    e @ (0 | 1) => 0x20 << e,
                    e => u16::from(e - 1) << 7,
                };
                &bytes[1..]
            }
            Self::Q4K | Self::Q5K => {
                // Offsets are subtracted.
                *halves = [half(0), half(2) ^ 0x8000];
                let packed = &bytes[4..16];
                for g in 0..4 {
                    small[g] = packed[g] & 63;
                    small[8 + g] = packed[4 + g] & 63;
                    small[4 + g] = packed[8 + g] & 15 | packed[g] >> 6 << 4;
                    small[12 + g] = packed[8 + g] >> 4 | packed[4 + g] >> 6 << 4;
                }
                &bytes[16..]
            }
            Self::Q6K => {
                halves[0] = half(208);
                // Signed, kept as numbers from 0 on.
                small.iter_mut().zip(&bytes[192..]).for_each(|(to, from)| *to = from ^ 0x80);
                &bytes[..192]
            }
        };
        for (word, bytes) in words.iter_mut().zip(codes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        fields
    }

    /// Group `g` of a block.
    pub(super) fn group(self, fields: &Fields, g: usize) -> Group {
        let Fields { halves, bytes, words } = fields;
        let byte = |i: usize| words[i / 4] >> (8 * (i % 4)) & 0xff;
        let half = |i: usize| f16::from_bits(halves[i]).to_f32();
        let nibble = |i: usize, high: usize| byte(i) >> (4 * high) & 15;
        let code = |i: usize| -> u32 {
            match self {
                Self::Q4_0 | Self::Q4_1 => nibble(i % 16, i / 16),
                Self::Q5_0 | Self::Q5_1 => nibble(4 + i % 16, i / 16) | (words[0] >> i & 1) << 4,
                Self::Q8_0 => byte(i) ^ 0x80,
                Self::Q4K => nibble(32 * (g / 2) + i, g % 2),
                Self::Q5K => nibble(32 + 32 * (g / 2) + i, g % 2) | (byte(i) >> g & 1) << 4,
                Self::Q6K => {
                    let (n, q) = (g / 4, g % 4);
                    let low = nibble(64 * n + 32 * (q % 2) + i, q / 2);
                    low | (byte(128 + 32 * n + i) >> (2 * q) & 3) << 4
                }
                Self::Iq4Nl => u32::from(IQ4_NL[nibble(i % 16, i / 16) as usize]),
                Self::Mxfp4 => u32::from(MXFP4[nibble(i % 16, i / 16) as usize]),
            }
        };
        let zero = self.zero().cast_signed() as i16;
        let codes = std::array::from_fn(|i| code(i) as i16 - zero);
        let (scales, offset) = match self {
            Self::Q4_0 | Self::Q5_0 | Self::Q8_0 | Self::Iq4Nl => ([half(0); 2], 0.0),
            Self::Mxfp4 => ([bf16::from_bits(halves[0]).to_f32(); 2], 0.0),
            Self::Q4_1 | Self::Q5_1 => ([half(0); 2], half(1)),
            Self::Q4K | Self::Q5K => {
                let [scale, offset] = [bytes[g], bytes[8 + g]].map(f32::from);
                ([half(0) * scale; 2], half(1) * offset)
            }
            Self::Q6K => {
                let scale = |i: usize| f32::from(bytes[i]) - 128.0;
                ([2 * g, 2 * g + 1].map(|i| half(0) * scale(i)), 0.0)
            }
        };
        Group { codes, scales, offset }
    }

    /// What is subtracted from a code as it is stored, or as its table has it.
    pub(super) fn zero(self) -> u32 {
        match self {
            Self::Q4_0 => 8,
            Self::Q5_0 => 16,
            Self::Q8_0 | Self::Iq4Nl => 128,
            Self::Q6K => 32,
            Self::Mxfp4 => 12,
            Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K => 0,
        }
    }
}
