//! Products of rows with rows, where both sides are packed alike and once.
#![expect(unsafe_code, reason = "tiles are written through pointers")]

use std::ops::Range;

use rayon::prelude::*;

use super::{PANEL, kernel};
use crate::math::simd::{Isa, Lines};

/// Steps of `k` that are taken at a time: those of two panels stay in a core's first-level cache.
const DEPTH: usize = 128;

/// Rows in panels of 32: `panel[k · 32 + j]` is value `k` of row `32 · panel + j`, missing rows 0.
pub struct Panels {
    rows: usize,
    k: usize,
    values: Lines,
}

impl Panels {
    /// Packs `rows` rows of `k` values, which `write` gives by their index; several threads ask for them.
    pub fn new(rows: usize, k: usize, write: impl Fn(usize, &mut [f32]) + Sync) -> Self {
        let mut values = Lines::zeros(rows.div_ceil(PANEL) * PANEL * k);
        let pack = |(panel, values): (usize, &mut [f32])| {
            let first = panel * PANEL;
            let mut of_rows = vec![0.0; (rows - first).min(PANEL) * k];
            for (j, row) in of_rows.chunks_exact_mut(k).enumerate() {
                write(first + j, row);
            }
            // Blocks of k keep what is read and written in the first-level cache.
            for from in (0..k).step_by(PANEL) {
                for (j, row) in of_rows.chunks_exact(k).enumerate() {
                    for i in from..k.min(from + PANEL) {
                        values[i * PANEL + j] = row[i];
                    }
                }
            }
        };
        if k > 0 {
            values.par_chunks_mut(PANEL * k).enumerate().for_each(pack);
        }
        Self { rows, k, values }
    }

    /// Packs rows of `k` values that stand one after the other.
    pub fn of(values: &[f32], k: usize) -> Self {
        let rows = values.len().checked_div(k).unwrap_or(0);
        Self::new(rows, k, |i, out| out.copy_from_slice(&values[i * k..][..k]))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Writes row `i` to `out`, of `k` values.
    pub fn row(&self, i: usize, out: &mut [f32]) {
        let panel = &self.values[i / PANEL * PANEL * self.k..];
        out.iter_mut().enumerate().for_each(|(at, out)| *out = panel[at * PANEL + i % PANEL]);
    }

    /// `out[i, j] = scale · ⟨a_i, b_j⟩` for ranges of rows that begin where panels do; `out` is row-major.
    ///
    /// Each value is one chain of fused multiply-adds in the order of `k`, so that it is the same in any
    /// range and on any processor. Runs on the calling thread.
    ///
    /// # Panics
    ///
    /// Where rows differ in length, a range begins within a panel, or `out` has another shape.
    pub fn products(
        (a, of_a): (&Self, Range<usize>),
        (b, of_b): (&Self, Range<usize>),
        scale: f32,
        out: &mut [f32],
    ) {
        let within = |side: &Self, of: &Range<usize>| {
            of.start.is_multiple_of(PANEL) && of.start <= of.end && of.end <= side.rows
        };
        assert!(a.k == b.k && within(a, &of_a) && within(b, &of_b), "ranges of equal rows");
        assert_eq!(out.len(), of_a.len() * of_b.len(), "one value for each pair of rows");
        let isa = Isa::best();
        let panels = |of: &Range<usize>| of.clone().step_by(PANEL);
        let depths = (0..a.k.max(1)).step_by(DEPTH).map(|from| from..a.k.min(from + DEPTH));
        let strips =
            depths.flat_map(|depth| panels(&of_b).map(move |column| (depth.clone(), column)));
        for (depth, column) in strips {
            let steps = |side: &'_ Self, first: usize| {
                first * side.k + depth.start * PANEL..first * side.k + depth.end * PANEL
            };
            let panel_b = &b.values[steps(b, column)];
            for row in panels(&of_a) {
                let job = kernel::Job {
                    a: &a.values[steps(a, row)],
                    rows: (of_a.end - row).min(PANEL),
                    // Tiles of nearly equal height.
                    height: PANEL.div_ceil(PANEL.div_ceil(kernel::tile_rows(isa))),
                    k: depth.len(),
                    goes_on: depth.start > 0,
                    step: Some(PANEL),
                    columns: (of_b.end - column).min(PANEL),
                    stride: of_b.len(),
                    c: out[(row - of_a.start) * of_b.len() + column - of_b.start..].as_mut_ptr(),
                };
                // SAFETY: both panels have these steps, and the rows and columns of the job lie in `out`.
                unsafe { kernel::f32(isa, &job, panel_b) }
            }
        }
        if scale != 1.0 {
            out.iter_mut().for_each(|value| *value *= scale);
        }
    }
}

/// `out = scale · A Bᵀ`, where `a` holds rows of `d` values, `b` too, and `out` is row-major with one
/// column per row of `b`. Runs on the calling thread, but for the packing of large sides.
pub(crate) fn rows_by_rows(a: &[f32], b: &[f32], d: usize, scale: f32, out: &mut [f32]) {
    assert!(d > 0 && a.len().is_multiple_of(d) && b.len().is_multiple_of(d), "rows of {d}");
    let (a, b) = (Panels::of(a, d), Panels::of(b, d));
    Panels::products((&a, 0..a.rows()), (&b, 0..b.rows()), scale, out);
}
