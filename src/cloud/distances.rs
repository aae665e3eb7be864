//! Distances between rows, kept so that parts of the rows read from them what a pass would compute again.

use rayon::prelude::*;

use super::pass::soft_product;
use crate::{
    data::{
        matrix::Matrix,
        rows::{ReadRows, mean},
        sides::Sides,
        stop,
    },
    math::{gemm::Rows, simd::widest},
};

/// Bytes above which distances are not kept.
const MOST_BYTES: usize = 512 << 20;

/// Rows whose distances are computed together.
const BLOCK: usize = 128;

/// Products that are taken side by side.
const LANES: usize = 8;

/// Squared distances from the first rows of a set to all of its rows.
pub(crate) struct Distances {
    /// First rows × all rows, in units of `unit`.
    squared: Vec<f32>,
    /// A power of two near the largest, so that none is beyond the range of `f32`, whatever the features' unit.
    unit: f64,
    columns: usize,
}

/// Some rows of a set, each with the number of rows that equal it.
pub(crate) struct Taken<'a> {
    /// Which rows.
    pub(crate) rows: &'a [usize],
    /// How many equal each, itself among them.
    pub(crate) copies: &'a [u32],
}

impl Distances {
    /// How many are kept, from the first `n` of so many rows; none where they are too many.
    pub(crate) fn kept(n: usize, rows: usize) -> Option<usize> {
        n.checked_mul(rows).filter(|&values| values <= MOST_BYTES / 4)
    }

    /// Those from the first `n` rows; none where they would take more than half a gibibyte.
    ///
    /// # Cost
    ///
    /// `O(n (n + m) d)` in `f64` for `n + m` rows, `4 n (n + m)` bytes.
    pub(crate) fn from_first(n: usize, matrix: &Matrix) -> Option<Self> {
        let (columns, d) = (matrix.rows(), matrix.cols());
        let values = Self::kept(n, columns)?;
        // Far from the origin products would hide what rows differ by.
        let center = mean(&[matrix]);
        let read = |i: usize, values: &mut [f64]| {
            matrix.read(i, 0, values);
            values.iter_mut().zip(&center).for_each(|(x, center)| *x -= center);
        };
        let all = Rows::new(columns, d, read);
        let norm = |i: usize| {
            let mut values = vec![0.0; d];
            read(i, &mut values);
            values.iter().map(|x| x * x).sum()
        };
        let norms: Vec<f64> = (0..columns).into_par_iter().map(norm).collect();
        let largest = norms.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let unit = largest.log2().floor().exp2();
        let mut squared = vec![0.0; values];
        squared.par_chunks_mut((BLOCK * columns).max(1)).enumerate().for_each(|(block, out)| {
            stop::check();
            let from = block * BLOCK;
            let some = Rows::new(out.len() / columns, d, |i, values| read(from + i, values));
            let mut products = vec![0.0; out.len()];
            some.products(&all, -2.0, &mut products);
            let rows = out.chunks_exact_mut(columns).zip(products.chunks_exact(columns));
            for ((out, products), norm) in rows.zip(&norms[from..]) {
                let of = out.iter_mut().zip(products).zip(&norms);
                of.for_each(|((out, product), other)| {
                    *out = ((norm + other + product).max(0.0) / unit) as f32;
                });
            }
        });
        Some(Self { squared, unit, columns })
    }

    /// Per row of either part: `Π min(1, d/R)` over the rows of the other, `R` being the radius around the other's;
    /// 0 where it vanishes. The first part is of the first rows. As exact as distances in `f32` are.
    pub(crate) fn soft(&self, parts: &Sides<Taken<'_>>, radii: Sides<f64>) -> Sides<Vec<f64>> {
        let Sides { reference: p, model: q } = parts;
        let scale = radii.map(|radius| self.unit / (radius * radius));
        // Where both factors are 1: rounding of the limit leaves them 1 as well.
        let limit = (scale.reference.min(scale.model).recip() * (1.0 + 1e-6)) as f32;
        let power = |x: f64, copies| if copies == 1 { x } else { x.powi(copies as i32) };
        let single = q.copies.iter().all(|&copies| copies == 1);
        let mut of_q = vec![1.0; q.rows.len()];
        let mut squared = vec![0.0; q.rows.len()];
        let of_row = |(&row, &copies): (&usize, &u32)| {
            let distances = &self.squared[row * self.columns..][..self.columns];
            squared.iter_mut().zip(q.rows).for_each(|(x, &other)| *x = distances[other]);
            // Lanes of their own, so that no factor waits for the one before.
            let mut lanes = [1.0; LANES];
            let mut chunks = squared.chunks(LANES).zip(q.copies.chunks(LANES));
            let mut whole = 0;
            if copies == 1 && single {
                whole = squared.len() / LANES * LANES;
                factors(&squared, limit, scale, &mut of_q, &mut lanes);
                chunks = squared[whole..].chunks(LANES).zip(q.copies[whole..].chunks(LANES));
            }
            for ((squared, its_copies), of_q) in chunks.zip(of_q[whole..].chunks_mut(LANES)) {
                // Most rows are inside no ball of the other side.
                if squared.iter().fold(f32::INFINITY, |least, &x| least.min(x)) > limit {
                    continue;
                }
                let rows = squared.iter().zip(its_copies).zip(of_q);
                for (lane, ((&x, &its_copies), of_q)) in lanes.iter_mut().zip(rows) {
                    let x = f64::from(x);
                    *of_q = normal(*of_q * power((x * scale.reference).min(1.0), copies));
                    *lane = normal(*lane * power((x * scale.model).min(1.0), its_copies));
                }
            }
            soft_product(lanes.iter().product())
        };
        let of_p = p.rows.iter().zip(p.copies).map(of_row).collect();
        Sides { reference: of_p, model: of_q.into_iter().map(soft_product).collect() }
    }
}

widest! {
    /// What [`Distances::soft`] makes of one row in whole lanes, where no row has a copy.
    fn factors(squared: &[f32], limit: f32, scale: Sides<f64>, of_q: &mut [f64], lanes: &mut [f64; LANES]) {
        let chunks = squared.as_chunks::<LANES>().0.iter().zip(of_q.as_chunks_mut::<LANES>().0);
        for (squared, of_q) in chunks {
            if squared.iter().all(|&x| x > limit) {
                continue;
            }
            for lane in 0..LANES {
                let x = f64::from(squared[lane]);
                of_q[lane] = normal(of_q[lane] * (x * scale.reference).min(1.0));
                lanes[lane] = normal(lanes[lane] * (x * scale.model).min(1.0));
            }
        }
    }
}

/// A product, or 0 where it is so small that arithmetic would be slow.
#[inline(always)]
fn normal(product: f64) -> f64 {
    if product < 1e-60 { 0.0 } else { product }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    #[test] // the definition, term by term
    fn products_read_from_what_is_kept_are_those_of_the_definition() {
        let mut rng = rng::named(3, "kept distances");
        let mut draw = || (rng::next_unit(&mut rng) as f32 - 0.5) * 1.6;
        let matrix = Matrix::new(5, (0..5 * 300).map(|_| draw()).collect()).unwrap();
        let kept = Distances::from_first(180, &matrix).unwrap();
        let (p, q): (Vec<usize>, Vec<usize>) =
            ((0..90).map(|i| 2 * i).collect(), (170..300).collect());
        let one = vec![1; 130];
        let factor = |i: usize, j: usize, radius: f64| {
            let squared: f64 =
                matrix.row_f64(i).zip(matrix.row_f64(j)).map(|(x, y)| (x - y).powi(2)).sum();
            (squared.sqrt() / radius).min(1.0)
        };
        let mut between = 0;
        let mut check = |got: f64, want: f64| {
            between += usize::from(want > 0.01 && want < 0.99);
            assert!((got - want).abs() < 1e-5, "{got}, {want}");
        };
        for copies in [(0..130).map(|i| 1 + i % 2).collect::<Vec<u32>>(), one.clone()] {
            let parts = Sides {
                reference: Taken { rows: &p, copies: &one[..90] },
                model: Taken { rows: &q, copies: &copies },
            };
            let got = kept.soft(&parts, Sides { reference: 0.7, model: 0.9 });
            for (&i, &got) in p.iter().zip(&got.reference) {
                let each = q.iter().zip(&copies);
                check(got, each.map(|(&j, &n)| factor(i, j, 0.9).powi(n as i32)).product());
            }
            for (&j, &got) in q.iter().zip(&got.model) {
                check(got, p.iter().map(|&i| factor(i, j, 0.7)).product());
            }
        }
        assert!(between > 60, "{between} are neither inside nor outside");
    }
}
