//! Blocks of weights in the order in which the kernels read them.

use rayon::prelude::*;

use super::{
    chunk::PANEL,
    format::{Fields, Format, Layout},
};
use crate::math::simd::Lines;

/// Rows of a strip: as many as a register has lanes.
const STRIP: usize = 16;

/// Where things are in a strip: scales of all blocks, then their codes. Every field of a block stands beside those of
/// the other rows.
#[derive(Clone, Copy)]
pub(super) struct StripLayout {
    /// Bytes of a block's scales.
    pub scales: usize,
    /// First byte of codes.
    pub codes: usize,
    /// Words of a block's codes in a row.
    pub words: usize,
    /// Bytes of a strip.
    pub bytes: usize,
}

/// An `n × k` matrix of blocks in strips of 16 rows; missing rows are 0. It takes as much memory as its blocks do in a
/// file, and for Q4_K, Q5_K and MXFP4 up to a sixteenth more.
pub struct Blocks {
    format: Format,
    n: usize,
    k: usize,
    strips: Lines<u8>,
}

impl Blocks {
    /// Packs `n` rows of `k` numbers; `row` gives the blocks of each, and several threads ask.
    ///
    /// # Panics
    ///
    /// Where `k` is no whole number of blocks, or a row has another length.
    pub fn new<'a>(
        format: Format,
        n: usize,
        k: usize,
        row: impl Fn(usize) -> &'a [u8] + Sync,
    ) -> Self {
        let Layout { block, size, halves, bytes, words } = format.layout();
        assert!(k.is_multiple_of(block), "rows of whole blocks");
        let layout = strip_layout(format, k);
        let mut strips = Lines::zeros(n.div_ceil(PANEL) * PANEL / STRIP * layout.bytes);
        let pack = |(strip, out): (usize, &mut [u8])| {
            let first = strip * STRIP;
            let rows: Vec<_> = (first..n.min(first + STRIP)).map(&row).collect();
            assert!(rows.iter().all(|row| row.len() == k / block * size), "rows of k numbers");
            let (scales, codes) = out.split_at_mut(layout.codes);
            for b in 0..k / block {
                let scales = &mut scales[b * layout.scales..][..layout.scales];
                let codes = &mut codes[b * words * 4 * STRIP..][..words * 4 * STRIP];
                for (lane, row) in rows.iter().enumerate() {
                    let fields = format.fields(&row[b * size..][..size]);
                    for (i, half) in fields.halves[..halves].iter().enumerate() {
                        let at = 2 * (i * STRIP + lane);
                        scales[at..at + 2].copy_from_slice(&half.to_le_bytes());
                    }
                    for (i, byte) in fields.bytes[..bytes].iter().enumerate() {
                        scales[(2 * halves + i) * STRIP + lane] = *byte;
                    }
                    let codes = codes.as_chunks_mut::<4>().0.iter_mut().skip(lane).step_by(STRIP);
                    codes.zip(&fields.words).for_each(|(to, word)| *to = word.to_le_bytes());
                }
            }
        };
        if k > 0 {
            strips.par_chunks_mut(layout.bytes).enumerate().for_each(pack);
        }
        Self { format, n, k, strips }
    }

    /// Rows of the matrix: outputs of the product.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Columns of the matrix: inputs of the product.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How its blocks are stored.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Number of panels of 32 rows.
    pub fn panels(&self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.strips.len()
    }

    /// Writes row `n` of the matrix to `out`, of `k` values: those of [`Format::widen`], bit for bit.
    pub fn row(&self, n: usize, out: &mut [f32]) {
        let Layout { block, halves, bytes, words, .. } = self.format.layout();
        let layout = self.layout();
        let (strip, lane) = (&self.strips[n / STRIP * layout.bytes..][..layout.bytes], n % STRIP);
        let mut fields = Fields { halves: [0; 2], bytes: [0; 16], words: [0; 48] };
        for (b, out) in out[..self.k].chunks_exact_mut(block).enumerate() {
            let scales = &strip[b * layout.scales..][..layout.scales];
            for (i, half) in fields.halves[..halves].iter_mut().enumerate() {
                let at = 2 * (i * STRIP + lane);
                *half = u16::from_le_bytes([scales[at], scales[at + 1]]);
            }
            for (i, byte) in fields.bytes[..bytes].iter_mut().enumerate() {
                *byte = scales[(2 * halves + i) * STRIP + lane];
            }
            let codes = strip[layout.codes..].as_chunks::<4>().0;
            for (i, word) in fields.words[..words].iter_mut().enumerate() {
                *word = u32::from_le_bytes(codes[(b * words + i) * STRIP + lane]);
            }
            self.format.widen_fields(&fields, out);
        }
    }

    pub(super) fn layout(&self) -> StripLayout {
        strip_layout(self.format, self.k)
    }

    /// Both strips of a panel.
    pub(super) fn panel(&self, panel: usize) -> [&[u8]; 2] {
        let bytes = self.layout().bytes;
        let (first, second) =
            self.strips[panel * PANEL / STRIP * bytes..][..2 * bytes].split_at(bytes);
        [first, second]
    }
}

fn strip_layout(format: Format, k: usize) -> StripLayout {
    let Layout { block, halves, bytes, words, .. } = format.layout();
    let scales = (2 * halves + bytes) * STRIP;
    let codes = (k / block * scales).next_multiple_of(64);
    StripLayout { scales, codes, words, bytes: codes + k / block * words * 4 * STRIP }
}
