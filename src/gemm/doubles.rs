//! Products of rows in `f64`.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use rayon::prelude::*;

use crate::simd::{Doubles, Isa, for_isa};

/// Rows of a panel, and columns of a block of products.
const PANEL: usize = 24;

/// Lines in a step of a panel.
const STEP: usize = PANEL / 8;

/// Products of the rows of two panels.
type Block = [f64; PANEL * PANEL];

/// A cache line.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Line([f64; 8]);

/// Rows in panels of 24: step `i` of a panel holds value `i` of each of its rows, missing rows 0.
#[derive(Default)]
pub(crate) struct Rows {
    rows: usize,
    steps: usize,
    lines: Vec<Line>,
}

impl Rows {
    /// Packs `rows` rows of `k` values, of which `value(row, i)` is the one at `i`.
    pub(crate) fn new(rows: usize, k: usize, value: impl Fn(usize, usize) -> f64 + Sync) -> Self {
        let mut packed = Self::default();
        packed.fill(rows, k, value);
        packed
    }

    /// Takes other rows, in the memory that is there. Several threads ask for values where there are many.
    pub(crate) fn fill(
        &mut self,
        rows: usize,
        k: usize,
        value: impl Fn(usize, usize) -> f64 + Sync,
    ) {
        const SERIAL: usize = 1 << 16;
        (self.rows, self.steps) = (rows, k);
        self.lines.resize(rows.div_ceil(PANEL) * k * STEP, Line::default());
        let pack = |(panel, lines): (usize, &mut [Line])| {
            let first = panel * PANEL;
            for (i, step) in lines.chunks_exact_mut(STEP).enumerate() {
                for (j, x) in step.iter_mut().flat_map(|line| &mut line.0).enumerate() {
                    *x = if first + j < rows { value(first + j, i) } else { 0.0 };
                }
            }
        };
        let panel = (k * STEP).max(1);
        if rows * k < SERIAL {
            self.lines.chunks_mut(panel).enumerate().for_each(pack);
        } else {
            self.lines.par_chunks_mut(panel).enumerate().for_each(pack);
        }
    }

    fn panels(&self) -> usize {
        self.rows.div_ceil(PANEL)
    }

    fn panel(&self, panel: usize) -> &[Line] {
        &self.lines[panel * self.steps * STEP..][..self.steps * STEP]
    }

    /// `out = scale · A Bᵀ`, row-major with one column per row of `other`.
    ///
    /// Each value is one chain of fused multiply-adds in the order of the columns. Runs on the calling
    /// thread.
    pub(crate) fn products(&self, other: &Self, scale: f64, out: &mut [f64]) {
        let (m, n) = (self.rows, other.rows);
        assert_eq!(self.steps, other.steps, "rows of equal length");
        assert_eq!(out.len(), m * n, "a product of {m} rows and {n} rows");
        let isa = Isa::best();
        let mut block = [0.0; PANEL * PANEL];
        for column in 0..other.panels() {
            for row in 0..self.panels() {
                products(isa, self.panel(row), other.panel(column), &mut block);
                let from = column * PANEL;
                let rows = out[row * PANEL * n..].chunks_exact_mut(n);
                for (out, products) in rows.zip(block.chunks_exact(PANEL)) {
                    let out = &mut out[from..n.min(from + PANEL)];
                    out.iter_mut().zip(products).for_each(|(out, product)| *out = scale * product);
                }
            }
        }
    }
}

/// `out = scale · A Bᵀ` as [`Rows::products`], of rows of `d` values each.
pub(crate) fn rows_by_rows(a: &[f64], b: &[f64], d: usize, scale: f64, out: &mut [f64]) {
    assert!(d > 0 && a.len().is_multiple_of(d) && b.len().is_multiple_of(d), "rows of {d}");
    let pack = |rows: &[f64]| Rows::new(rows.len() / d, d, |row, i| rows[row * d + i]);
    pack(a).products(&pack(b), scale, out);
}

/// `Aᵀ A`, the sum over rows of the products of their columns.
pub(crate) struct Gram {
    d: usize,
    sums: Vec<f64>,
    columns: Rows,
}

impl Gram {
    /// Zeros for `d` columns.
    pub(crate) fn new(d: usize) -> Self {
        Self { d, sums: vec![0.0; d * d], columns: Rows::default() }
    }

    /// Adds the rows `0..rows` of `A`, of which `value(row, column)` is a value, on all threads. How rows come
    /// in blocks decides the rounding.
    pub(crate) fn add(&mut self, rows: usize, value: impl Fn(usize, usize) -> f64 + Sync) {
        let (d, columns) = (self.d, &mut self.columns);
        columns.fill(d, rows, |column, row| value(row, column));
        let isa = Isa::best();
        // The longest rows of the triangle first, each for whoever is free.
        let panels = self.sums.par_chunks_mut((PANEL * d).max(1)).enumerate().rev().with_max_len(1);
        panels.for_each(|(row, sums)| {
            let mut block = [0.0; PANEL * PANEL];
            for column in 0..=row {
                products(isa, columns.panel(row), columns.panel(column), &mut block);
                let from = column * PANEL;
                for (sums, products) in sums.chunks_exact_mut(d).zip(block.chunks_exact(PANEL)) {
                    let sums = &mut sums[from..d.min(from + PANEL)];
                    sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
                }
            }
        });
    }

    /// The lower triangle of the `d × d` matrix, row-major; entries above the diagonal are undefined.
    pub(crate) fn lower(self) -> Vec<f64> {
        self.sums
    }
}

/// `out[r, c] = Σ_i a[i, r] · b[i, c]` over the steps of two panels.
fn products(isa: Isa, a: &[Line], b: &[Line], out: &mut Block) {
    assert_eq!(a.len(), b.len(), "panels of equal length");
    // SAFETY: the processor has the instructions of its `Isa`.
    unsafe { run(isa, a, b, out) }
}

for_isa! {
    /// A panel by a panel.
    fn run(a: &[Line], b: &[Line], out: &mut Block) = panel_by_panel
}

/// # Safety
///
/// Needs the instructions of `S`; the panels are equally long.
#[inline(always)]
unsafe fn panel_by_panel<S: Doubles>(a: &[Line], b: &[Line], out: &mut Block) {
    let (steps, a, b) = (a.len() / STEP, a.as_ptr().cast::<f64>(), b.as_ptr().cast::<f64>());
    // SAFETY: tiles cover the 24 × 24 products, and each reads values of the panels.
    unsafe {
        let out = out.as_mut_ptr();
        if S::WIDE {
            for row in (0..PANEL).step_by(8) {
                tile::<S, 8, 3>(steps, a.add(row), b, out.add(row * PANEL));
            }
        } else {
            for row in (0..PANEL).step_by(6) {
                for column in (0..PANEL).step_by(8) {
                    tile::<S, 6, 1>(
                        steps,
                        a.add(row),
                        b.add(column),
                        out.add(row * PANEL + column),
                    );
                }
            }
        }
    }
}

/// `M` rows by `8 · N` columns: one accumulator a value, in the order of the steps.
///
/// # Safety
///
/// As [`panel_by_panel`]; the tile lies within the panels and the block.
#[inline(always)]
unsafe fn tile<S: Doubles, const M: usize, const N: usize>(
    steps: usize,
    a: *const f64,
    b: *const f64,
    out: *mut f64,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums = [[S::splat(0.0); N]; M];
        for i in 0..steps {
            let columns: [S::D; N] = std::array::from_fn(|j| S::load(b.add(i * PANEL + 8 * j)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = S::splat(*a.add(i * PANEL + r));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = S::fma(x, column, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                S::store(out.add(r * PANEL + 8 * j), sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn numbers(what: &str, len: usize) -> Vec<f64> {
        let mut rng = rng::named(1, what);
        (0..len).map(|_| rng::next_unit(&mut rng) - 0.5).collect()
    }

    fn chain<'a>(x: impl Iterator<Item = &'a f64>, y: impl Iterator<Item = &'a f64>) -> f64 {
        x.zip(y).fold(0.0, |sum, (x, y)| x.mul_add(*y, sum))
    }

    #[test] // the definition, bit for bit
    fn products_of_rows_have_the_bits_of_the_plain_loop() {
        for (m, d, n) in [(1, 1, 1), (3, 2, 25), (50, 33, 24), (7, 300, 90)] {
            let (a, b) = (numbers("a", m * d), numbers("b", n * d));
            let mut got = vec![f64::NAN; m * n];
            rows_by_rows(&a, &b, d, -2.0, &mut got);
            let rows = a.chunks_exact(d).flat_map(|x| b.chunks_exact(d).map(move |y| (x, y)));
            let plain: Vec<f64> = rows.map(|(x, y)| -2.0 * chain(x.iter(), y.iter())).collect();
            assert_eq!(got, plain, "{m} × {d} × {n}");
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let pack = |what| {
            let values = numbers(what, PANEL * 40);
            Rows::new(PANEL, 40, |row, i| values[row * 40 + i])
        };
        let (a, b) = (pack("a"), pack("b"));
        let of = |isa| {
            let mut out = [f64::NAN; PANEL * PANEL];
            products(isa, a.panel(0), b.panel(0), &mut out);
            out
        };
        assert!(of(Isa::Portable).iter().all(|value| value.is_finite()));
        Isa::available().into_iter().for_each(|isa| assert_eq!(of(isa), of(Isa::Portable)));
    }

    #[test]
    fn a_gram_matrix_sums_its_blocks() {
        let (rows, d) = (11, 61);
        let a = numbers("a", rows * d);
        let mut gram = Gram::new(d);
        gram.add(8, |row, column| a[row * d + column]);
        gram.add(3, |row, column| a[(8 + row) * d + column]);
        let sums = gram.lower();
        for i in 0..d {
            for j in 0..=i {
                let column = |at: usize| a.iter().skip(at).step_by(d);
                let first = chain(column(i).take(8), column(j));
                let plain = first + chain(column(i).skip(8), column(j).skip(8));
                assert_eq!(sums[i * d + j], plain, "{i}, {j}");
            }
        }
    }
}
