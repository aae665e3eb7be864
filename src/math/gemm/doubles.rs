//! Products of rows in `f64`.
#![expect(unsafe_code, reason = "vector instructions and raw tiles")]

use rayon::prelude::*;

use crate::math::simd::{Doubles, Isa, for_isa};

/// Rows of a panel, and columns of a block of products.
const PANEL: usize = 24;

/// Panels of columns that are packed together, and that a panel from afar is multiplied by while it is near.
const GROUP: usize = 4;

/// Steps that are taken at a time: those of two panels stay in a core's first-level cache.
const DEPTH: usize = 128;

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
    /// Packs `rows` rows of `k` values each, which `read(row, values)` writes.
    pub(crate) fn new(rows: usize, k: usize, read: impl Fn(usize, &mut [f64]) + Sync) -> Self {
        let mut packed = Self::default();
        packed.fill(rows, k, read);
        packed
    }

    /// Takes other rows, in the memory that is there. Several threads read rows where there are many.
    pub(crate) fn fill(&mut self, rows: usize, k: usize, read: impl Fn(usize, &mut [f64]) + Sync) {
        self.resize(rows, k);
        let pack = |panel: usize, lines: &mut [Line]| {
            let mut values = vec![0.0; k];
            let first = panel * PANEL;
            for j in 0..PANEL {
                if first + j < rows {
                    read(first + j, &mut values);
                } else {
                    values.fill(0.0);
                }
                let lane = lines.iter_mut().skip(j / 8).step_by(STEP);
                lane.zip(&values).for_each(|(line, &x)| line.0[j % 8] = x);
            }
        };
        self.each(1, pack);
    }

    /// Takes the columns of a matrix of `rows` rows and `columns` columns as rows of `rows` values;
    /// `read(row, column, values)` writes the row's values from that column on.
    fn fill_columns(
        &mut self,
        rows: usize,
        columns: usize,
        read: impl Fn(usize, usize, &mut [f64]) + Sync,
    ) {
        self.resize(columns, rows);
        let pack = |group: usize, lines: &mut [Line]| {
            let from = group * GROUP * PANEL;
            let mut values = [0.0; GROUP * PANEL];
            for row in 0..rows {
                read(row, from, &mut values[..(columns - from).min(GROUP * PANEL)]);
                let steps = lines.chunks_exact_mut(STEP).skip(row).step_by(rows);
                for (step, values) in steps.zip(values.chunks_exact(PANEL)) {
                    let values = values.as_chunks().0;
                    step.iter_mut().zip(values).for_each(|(line, values)| line.0 = *values);
                }
            }
        };
        self.each(GROUP, pack);
    }

    fn resize(&mut self, rows: usize, steps: usize) {
        (self.rows, self.steps) = (rows, steps);
        self.lines.resize(rows.div_ceil(PANEL) * steps * STEP, Line::default());
    }

    /// Hands out `group` panels at a time.
    fn each(&mut self, group: usize, pack: impl Fn(usize, &mut [Line]) + Sync) {
        const SERIAL: usize = 1 << 16;
        let panel = (group * self.steps * STEP).max(1);
        if self.rows * self.steps < SERIAL {
            self.lines.chunks_mut(panel).enumerate().for_each(|(i, lines)| pack(i, lines));
        } else {
            self.lines.par_chunks_mut(panel).enumerate().for_each(|(i, lines)| pack(i, lines));
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
    let pack = |rows: &[f64]| {
        Rows::new(rows.len() / d, d, |row, values| values.copy_from_slice(&rows[row * d..][..d]))
    };
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
        let mut sums = vec![0.0; d * d];
        // Memory that is written before it is read costs one fault a page, and not two.
        sums.par_chunks_mut(1 << 16).for_each(|sums| sums.fill(0.0));
        Self { d, sums, columns: Rows::default() }
    }

    /// Adds `rows` rows of `A`, on all threads; `read(row, column, values)` writes the row's values from
    /// that column on. Sums are rounded every 512 rows.
    pub(crate) fn add(&mut self, rows: usize, read: impl Fn(usize, usize, &mut [f64]) + Sync) {
        const BLOCK: usize = 512;
        for from in (0..rows).step_by(BLOCK) {
            self.add_block(BLOCK.min(rows - from), |row, column, values| {
                read(from + row, column, values);
            });
        }
    }

    fn add_block(&mut self, rows: usize, read: impl Fn(usize, usize, &mut [f64]) + Sync) {
        let (d, columns) = (self.d, &mut self.columns);
        columns.fill_columns(rows, d, read);
        let isa = Isa::best();
        // Groups only where there are several for each thread; no value depends on them.
        let several = columns.panels() >= 4 * GROUP * rayon::current_num_threads();
        let group_size = if several { GROUP } else { 1 };
        // The longest rows of the triangle first, each group for whoever is free.
        let groups = self.sums.par_chunks_mut((group_size * PANEL * d).max(1)).enumerate().rev();
        groups.with_max_len(1).for_each(|(group, sums)| {
            let mut block = [0.0; PANEL * PANEL];
            let first = group * group_size;
            let rows = sums.len().div_ceil(PANEL * d);
            for column in 0..first + rows {
                for row in column.saturating_sub(first)..rows {
                    products(isa, columns.panel(first + row), columns.panel(column), &mut block);
                    let (sums, from) = (&mut sums[row * PANEL * d..], column * PANEL);
                    for (sums, products) in sums.chunks_exact_mut(d).zip(block.chunks_exact(PANEL))
                    {
                        let sums = &mut sums[from..d.min(from + PANEL)];
                        sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
                    }
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
    out.fill(0.0);
    for (a, b) in a.chunks(DEPTH * STEP).zip(b.chunks(DEPTH * STEP)) {
        // SAFETY: the caller's promise.
        unsafe { add_products::<S>(a, b, out) }
    }
}

/// Goes on with the sums in `out`.
///
/// # Safety
///
/// As [`panel_by_panel`].
#[inline(always)]
unsafe fn add_products<S: Doubles>(a: &[Line], b: &[Line], out: &mut Block) {
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

/// Goes on with `M` rows by `8 · N` columns: one accumulator a value, in the order of the steps.
///
/// # Safety
///
/// As [`add_products`]; the tile lies within the panels and the block.
#[inline(always)]
unsafe fn tile<S: Doubles, const M: usize, const N: usize>(
    steps: usize,
    a: *const f64,
    b: *const f64,
    out: *mut f64,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums: [[S::D; N]; M] =
            std::array::from_fn(|r| std::array::from_fn(|j| S::load(out.add(r * PANEL + 8 * j))));
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
            Rows::new(PANEL, 40, |row, out| out.copy_from_slice(&values[row * 40..][..40]))
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
    fn a_gram_matrix_sums_blocks_of_512_rows() {
        // Columns in groups of panels for one thread, and without for more.
        let (rows, d) = (512 + 300, 24 * 17 + 5);
        let a = numbers("a", rows * d);
        let read = |row: usize, column: usize, out: &mut [f64]| {
            out.copy_from_slice(&a[row * d + column..][..out.len()]);
        };
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut gram = Gram::new(d);
                gram.add(600, read);
                gram.add(212, |row, column, out| read(600 + row, column, out));
                gram.lower()
            })
        };
        let (sums, others) = (with_threads(1), with_threads(3));
        for i in 0..d {
            assert_eq!(sums[i * d..=i * d + i], others[i * d..=i * d + i]);
            for j in (0..=i).step_by(7) {
                let column = |at: usize| a.iter().skip(at).step_by(d);
                let part = |from, n| chain(column(i).skip(from).take(n), column(j).skip(from));
                let plain = part(0, 512) + part(512, 88) + part(600, 212);
                assert_eq!(sums[i * d + j], plain, "{i}, {j}");
            }
        }
    }
}
