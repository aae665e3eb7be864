//! Codes of a strip as 16-bit integers, in the order in which activations come.
#![expect(unsafe_code, reason = "vector instructions and raw strips")]

use super::{
    chunk::{Chunk, STEPS},
    format::{Format, IQ4_NL, MXFP4},
    pack::StripLayout,
};
use crate::math::simd::Words;

/// Both halves of a word.
const fn both(half: u32) -> u32 {
    half << 16 | half
}

/// What is done to a code as it is stored.
#[derive(Clone, Copy)]
struct Decode<S: Words> {
    zero: S::W,
    table: Option<[u8; 16]>,
}

/// Where the groups of a strip go.
struct Out<'a> {
    chunk: &'a mut Chunk,
    /// First lane of the strip in the chunk.
    lane: usize,
}

impl Out<'_> {
    /// # Safety
    ///
    /// As for [`Words`]; `group` and `step` lie in a chunk.
    #[inline(always)]
    unsafe fn code<S: Words>(&mut self, group: usize, step: usize, code: S::W) {
        // SAFETY: 16 lanes from the strip's first on.
        unsafe { S::store_words(self.chunk.codes[group][step][self.lane..].as_mut_ptr(), code) }
    }

    /// # Safety
    ///
    /// As [`code`](Self::code).
    #[inline(always)]
    unsafe fn scales<S: Words>(&mut self, group: usize, scales: [S::V; 2], offset: S::V) {
        // SAFETY: as above.
        unsafe {
            for (at, scale) in self.chunk.scales[group].iter_mut().zip(scales) {
                S::store(at[self.lane..].as_mut_ptr(), scale);
            }
            S::store(self.chunk.offsets[group][self.lane..].as_mut_ptr(), offset);
        }
    }
}

/// Writes the blocks from `first` on to the groups of a chunk, `blocks` of them.
///
/// # Safety
///
/// Needs the instructions of `S`; `strip` is a whole strip of that layout, and the blocks lie in it and
/// fit into a chunk.
#[inline(always)]
pub(super) unsafe fn unpack<S: Words>(
    format: Format,
    layout: &StripLayout,
    strip: *const u8,
    (first, blocks): (usize, usize),
    lane: usize,
    chunk: &mut Chunk,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut out = Out { chunk, lane };
        let table = match format {
            Format::Iq4Nl => Some(IQ4_NL),
            Format::Mxfp4 => Some(MXFP4),
            _ => None,
        };
        let decode = Decode::<S> { zero: S::splat_word(both(format.zero())), table };
        for b in 0..blocks {
            let scales = strip.add((first + b) * layout.scales);
            let codes = strip.add(layout.codes + (first + b) * layout.words * 64).cast::<u32>();
            match format {
                Format::Q4K | Format::Q5K => four_bits_of_256::<S>(format, scales, codes, &mut out),
                Format::Q6K => six_bits::<S>(decode, scales, codes, &mut out),
                _ => {
                    let scale = match format {
                        Format::Mxfp4 => S::load_bf16(scales.cast()),
                        _ => S::load_f16(scales.cast()),
                    };
                    let offset = match format.has_offset() {
                        true => S::load_f16(scales.add(32).cast()),
                        false => S::zero(),
                    };
                    out.scales::<S>(b, [scale; 2], offset);
                    match format {
                        Format::Q8_0 => eight_bits::<S>(decode, codes, b, &mut out),
                        Format::Q5_0 | Format::Q5_1 => {
                            five_bits::<S>(decode, codes, b, &mut out);
                        }
                        _ => four_bits::<S>(decode, codes, b, &mut out),
                    }
                }
            }
        }
    }
}

/// Byte `2 h + v` of word `i` holds number `4 i + 2 h + v` in its low bits and that 16 further on in the others.
#[inline(always)]
unsafe fn four_bits<S: Words>(of: Decode<S>, codes: *const u32, group: usize, out: &mut Out<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let mask = S::splat_word(both(15));
        for i in 0..4 {
            let word = S::words(codes.add(16 * i));
            for v in 0..2 {
                for high in 0..2 {
                    let by = 8 * v + 4 * high;
                    let mut code = S::and(S::right(word, by as u32), mask);
                    if let Some(table) = &of.table {
                        code = S::look_up(table, code);
                    }
                    code = S::sub_halves(code, of.zero);
                    out.code::<S>(group, 2 * (i + 4 * high) + v, code);
                }
            }
        }
    }
}

/// The same with the fifth bits of all 32 numbers in the first word.
#[inline(always)]
unsafe fn five_bits<S: Words>(of: Decode<S>, codes: *const u32, group: usize, out: &mut Out<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mask, low, high) =
            (S::splat_word(both(15)), S::splat_word(1 << 4), S::splat_word(1 << 20));
        let fifths = S::words(codes);
        for step in 0..STEPS {
            // Numbers `at` and `at + 2`.
            let (i, v) = (step / 2, step % 2);
            let at = (4 * i + v) as u32;
            let first = match at {
                0..4 => S::left(fifths, 4 - at),
                _ => S::right(fifths, at - 4),
            };
            let second = match at {
                0..18 => S::left(fifths, 18 - at),
                _ => S::right(fifths, at - 18),
            };
            let fifth = S::or(S::and(first, low), S::and(second, high));
            let word = S::words(codes.add(16 * (1 + i % 4)));
            let four = S::and(S::right(word, (8 * v + i / 4 * 4) as u32), mask);
            out.code::<S>(group, step, S::sub_halves(S::or(four, fifth), of.zero));
        }
    }
}

/// Signed bytes.
#[inline(always)]
unsafe fn eight_bits<S: Words>(of: Decode<S>, codes: *const u32, group: usize, out: &mut Out<'_>) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mask, sign) = (S::splat_word(both(0xff)), S::splat_word(0x8080_8080));
        for i in 0..8 {
            let word = S::xor(S::words(codes.add(16 * i)), sign);
            for v in 0..2 {
                let code = S::and(S::right(word, 8 * v as u32), mask);
                out.code::<S>(group, 2 * i + v, S::sub_halves(code, of.zero));
            }
        }
    }
}

/// Q4_K and Q5_K: two groups share bytes, and the fifth bits of all eight.
#[inline(always)]
unsafe fn four_bits_of_256<S: Words>(
    format: Format,
    scales: *const u8,
    codes: *const u32,
    out: &mut Out<'_>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mask, one) = (S::splat_word(both(15)), S::splat_word(both(1)));
        let (scale, offset) = (S::load_f16(scales.cast()), S::load_f16(scales.add(32).cast()));
        let five = format == Format::Q5K;
        let low = if five { codes.add(16 * 8) } else { codes };
        for group in 0..8 {
            let times = |v, at| S::mul(v, S::to_floats(S::bytes(scales.add(64 + 16 * at))));
            out.scales::<S>(group, [times(scale, group); 2], times(offset, 8 + group));
            for i in 0..8 {
                let word = S::words(low.add(16 * (8 * (group / 2) + i)));
                let fifths = if five { S::words(codes.add(16 * i)) } else { word };
                for v in 0..2 {
                    let by = 8 * v + 4 * (group % 2);
                    let mut code = S::and(S::right(word, by as u32), mask);
                    if five {
                        let fifth = S::and(S::right(fifths, (8 * v + group) as u32), one);
                        code = S::or(code, S::left(fifth, 4));
                    }
                    out.code::<S>(group, 2 * i + v, code);
                }
            }
        }
    }
}

/// Q6_K: four groups share the bytes of their fifth and sixth bits, two by two those of the others.
#[inline(always)]
unsafe fn six_bits<S: Words>(
    of: Decode<S>,
    scales: *const u8,
    codes: *const u32,
    out: &mut Out<'_>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let (mask, two) = (S::splat_word(both(15)), S::splat_word(both(3)));
        let scale = S::load_f16(scales.cast());
        let times = |at: usize| {
            let signed = S::to_floats(S::bytes(scales.add(32 + 16 * at)));
            S::mul(scale, S::fma(S::splat(1.0), signed, S::splat(-128.0)))
        };
        for group in 0..8 {
            let (n, q) = (group / 4, group % 4);
            out.scales::<S>(group, [times(2 * group), times(2 * group + 1)], S::zero());
            for i in 0..8 {
                let word = S::words(codes.add(16 * (16 * n + 8 * (q % 2) + i)));
                let highs = S::words(codes.add(16 * (32 + 8 * n + i)));
                for v in 0..2 {
                    let low = S::and(S::right(word, (8 * v + q / 2 * 4) as u32), mask);
                    let high = S::and(S::right(highs, (8 * v + 2 * q) as u32), two);
                    let code = S::or(low, S::left(high, 4));
                    out.code::<S>(group, 2 * i + v, S::sub_halves(code, of.zero));
                }
            }
        }
    }
}
