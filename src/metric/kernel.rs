//! Kernel distance: squared maximum mean discrepancy with a cubic kernel.

use rayon::prelude::*;

use super::spec::{Better, Family, Null, Range, Spec, Truth};
use crate::{
    cloud::{Clouds, MetricError},
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
        stop,
    },
    math::{
        gemm::{rows_by_rows, rows_by_rows_f64},
        lanes::{cube, cube_less_1, sum_of, sum_of_cubes},
    },
    rng,
};

/// The unbiased value of [`kernel_distance`], which may fall below 0.
pub const KERNEL_DISTANCE: Spec = Spec {
    name: "kernel_distance",
    title: "Kernel distance",
    family: Family::Moments,
    range: Range::Any,
    better: Better::Lower,
    null: Null::Known(0.0),
    truth: &[Truth::Distance],
    cost: "O((n + m)² d)",
    parameter: None,
};

/// A kernel distance, unbiased and biased.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kernel {
    /// Without the diagonals: 0 on average for equal distributions, so it may fall below 0.
    pub unbiased: f64,
    /// With the diagonals: never below 0, and above it for equal distributions.
    pub biased: f64,
    /// The largest of the three means that these are sums of: what their rounding is relative to.
    pub largest_term: f64,
}

const BLOCK: usize = 256;

/// Kernel distance of `Q` to `P` over all rows; lower is better.
///
/// ```text
/// k(x, y)  = (⟨x, y⟩/d + 1)³
/// unbiased = Σ_{i≠l} k(x_i, x_l)/(n(n−1)) + Σ_{j≠l} k(y_j, y_l)/(m(m−1)) − 2 mean_ij k(x_i, y_j)
/// ```
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for a cloud of one row.
///
/// # Cost and sources
///
/// `O((n + m)² d)` in `f64`, `O((n + m) d)` memory. Bińkowski et al. 2018, arXiv:1801.01401, without its subsets.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::kernel::kernel_distance;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 1.0]), model: line(&[2.0, 2.0]) };
/// let scores = kernel_distance(Clouds::new(sets.as_ref())?)?;
/// // k(0, 1) = 1; k(2, 2) = 5³; k(0, 2) = 1 and k(1, 2) = 3³ have the mean 14
/// assert_eq!(scores.unbiased, 1.0 + 125.0 - 2.0 * 14.0);
/// assert_eq!(scores.biased, (1.0 + 8.0 + 2.0 * 1.0) / 4.0 + 125.0 - 2.0 * 14.0);
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn kernel_distance(clouds: Clouds<'_>) -> Result<Kernel, MetricError> {
    let sides = clouds.sides();
    check(sides)?;
    let d = clouds.dim();
    let values = sides.map(values);
    let own = |of: &[f64]| (own_sum(of, d), diagonal_sum(of, d));
    let Sides { reference: (pp, diagonal_p), model: (qq, diagonal_q) } =
        Sides { reference: own(&values.reference), model: own(&values.model) };
    let (n, m) = (sides.reference.rows() as f64, sides.model.rows() as f64);
    let cross = 2.0 * pair_sum(&values.reference, &values.model, d) / (n * m);
    let own = [(pp - diagonal_p) / (n * (n - 1.0)), (qq - diagonal_q) / (m * (m - 1.0))];
    Ok(Kernel {
        unbiased: own[0] + own[1] - cross,
        largest_term: own[0].abs().max(own[1].abs()).max(cross.abs()),
        biased: pp / (n * n) + qq / (m * m) - cross,
    })
}

fn check(sides: Sides<&Matrix>) -> Result<(), MetricError> {
    for side in [Side::Reference, Side::Model] {
        let n = sides.get(side).rows();
        if n < 2 {
            return Err(MetricError::NoKthNeighbor { side, n, k: 1 });
        }
    }
    Ok(())
}

fn values(rows: &Matrix) -> Vec<f64> {
    (0..rows.rows()).flat_map(|i| rows.row_f64(i)).collect()
}

fn cubic(product: f64, d: usize) -> f64 {
    (product / d as f64 + 1.0).powi(3)
}

/// `Σ_ij k(a_i, b_j)`, each tile's sum in order and the tiles' sums in order.
fn pair_sum(a: &[f64], b: &[f64], d: usize) -> f64 {
    let pairs = a.chunks(BLOCK * d).flat_map(|a| b.chunks(BLOCK * d).map(move |b| (a, b, 1.0)));
    sum_of_tiles(pairs.collect(), d)
}

/// `Σ_ij k(a_i, a_j)`: a tile off the diagonal stands for its mirror image, too.
fn own_sum(a: &[f64], d: usize) -> f64 {
    let blocks: Vec<&[f64]> = a.chunks(BLOCK * d).collect();
    let pairs = blocks.iter().enumerate().flat_map(|(i, &a)| {
        let others = blocks[i..].iter().enumerate();
        others.map(move |(offset, &b)| (a, b, if offset == 0 { 1.0 } else { 2.0 }))
    });
    sum_of_tiles(pairs.collect(), d)
}

/// The kernel's sums over tiles, each times its weight.
fn sum_of_tiles(tiles: Vec<(&[f64], &[f64], f64)>, d: usize) -> f64 {
    let sum = |(a, b, weight): (&[f64], &[f64], f64)| {
        stop::check();
        let mut products = vec![0.0; a.len() / d * (b.len() / d)];
        rows_by_rows_f64(a, b, d, 1.0, &mut products);
        weight * sum_of_cubes(&products, d as f64)
    };
    tiles.into_par_iter().map(sum).collect::<Vec<f64>>().iter().sum()
}

fn diagonal_sum(a: &[f64], d: usize) -> f64 {
    a.chunks_exact(d).map(|row| cubic(row.iter().map(|x| x * x).sum(), d)).sum()
}

/// The unbiased kernel distances between parts of `P` and `Q`, all of them in one pass over the kernel.
///
/// # Arguments
///
/// * `parts`: rows of either side, at least two of each, no row twice.
///
/// # Cost
///
/// `O((n + m)² (d + parts))` in `f64`, `O((n + m) (d + parts))` memory.
pub(crate) fn kernel_distances(clouds: Clouds<'_>, parts: &[Sides<Vec<usize>>]) -> Vec<f64> {
    let d = clouds.dim();
    let values = clouds.sides().map(values);
    let members = Sides {
        reference: members(parts.iter().map(|part| &part.reference), clouds.reference().rows()),
        model: members(parts.iter().map(|part| &part.model), clouds.model().rows()),
    };
    let sums = |rows, columns| part_sums((&values, &members), rows, columns, d, parts.len());
    let within = Sides {
        reference: sums(Side::Reference, Side::Reference),
        model: sums(Side::Model, Side::Model),
    };
    let across = sums(Side::Model, Side::Reference);
    let distance = |(i, part): (usize, &Sides<Vec<usize>>)| {
        let Sides { reference: n, model: m } = part.as_ref().map(|rows| rows.len() as f64);
        within.reference[i] / (n * (n - 1.0)) + within.model[i] / (m * (m - 1.0))
            - 2.0 * across[i] / (n * m)
    };
    parts.iter().enumerate().map(distance).collect()
}

/// Per block of `n` rows: parts × rows, 1 where the part has the row.
fn members<'a>(parts: impl Iterator<Item = &'a Vec<usize>> + Clone, n: usize) -> Vec<Vec<f64>> {
    let count = parts.clone().count();
    let width = |block: usize| BLOCK.min(n - block * BLOCK);
    let mut members: Vec<Vec<f64>> =
        (0..n.div_ceil(BLOCK)).map(|block| vec![0.0; count * width(block)]).collect();
    for (i, rows) in parts.enumerate() {
        for &row in rows {
            let block = row / BLOCK;
            members[block][i * width(block) + row % BLOCK] = 1.0;
        }
    }
    members
}

/// Per part: the sum of the kernel over pairs of its rows of one side and of another, no row with itself.
fn part_sums(
    (values, members): (&Sides<Vec<f64>>, &Sides<Vec<Vec<f64>>>),
    rows: Side,
    columns: Side,
    d: usize,
    parts: usize,
) -> Vec<f64> {
    let of_block = |(at, block): (usize, &[f64])| {
        let count = block.len() / d;
        let mut toward = vec![0.0; count * parts];
        let mut part = vec![0.0; count * parts];
        // Within one side, tiles off the diagonal stand for their mirror images, too.
        let (first, twice) = if rows == columns { (at, 2.0) } else { (0, 1.0) };
        let others = values.get(columns).chunks(BLOCK * d).zip(members.get(columns));
        for (other, (column, chosen)) in others.enumerate().skip(first) {
            let weight = if other == at { 1.0 } else { twice };
            let width = column.len() / d;
            let mut kernel = vec![0.0; count * width];
            rows_by_rows_f64(block, column, d, 1.0, &mut kernel);
            cube(&mut kernel, d as f64);
            if rows == columns && other == at {
                (0..count).for_each(|i| kernel[i * width + i] = 0.0);
            }
            rows_by_rows_f64(&kernel, chosen, width, weight, &mut part);
            toward.iter_mut().zip(&part).for_each(|(sum, x)| *sum += x);
        }
        let own = members.get(rows)[at].chunks_exact(count).enumerate();
        let sum = |(b, own): (usize, &[f64])| {
            own.iter().enumerate().map(|(i, own)| own * toward[i * parts + b]).sum::<f64>()
        };
        own.map(sum).collect::<Vec<f64>>()
    };
    let blocks = values.get(rows).par_chunks(BLOCK * d).enumerate();
    let sums: Vec<Vec<f64>> = blocks.map(of_block).collect();
    (0..parts).map(|b| sums.iter().map(|block| block[b]).sum()).collect()
}

/// How often a random split of the pooled rows is at least as far apart as `P` and `Q`: the p-value of
/// "same distribution" by the unbiased kernel distance.
///
/// # Arguments
///
/// * `permutations`: number of splits, all of them tried in one pass over the pooled kernel.
/// * `seed`: of the splits.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for a cloud of one row.
///
/// # Cost
///
/// `O((n + m)² (d + permutations))` in `f32`, `O((n + m) (d + permutations))` memory.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::kernel::kernel_test;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let ten = |from: f32| line(&(0..10).map(|i| from + i as f32).collect::<Vec<_>>());
/// let sets = Sides { reference: ten(0.0), model: ten(100.0) };
/// // Of 99 splits none parts the rows as well: 1 of 100.
/// assert_eq!(kernel_test(Clouds::new(sets.as_ref())?, 99, 0)?, 0.01);
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn kernel_test(clouds: Clouds<'_>, permutations: usize, seed: u64) -> Result<f64, MetricError> {
    let sides = clouds.sides();
    check(sides)?;
    let (n, m, d) = (sides.reference.rows(), sides.model.rows(), clouds.dim());
    let pooled = [sides.reference.as_slice(), sides.model.as_slice()].concat();
    let splits = permutations + 1;
    // Split 0 is the real one; row b of `member` is 1 for the rows it calls the reference's.
    let mut member = vec![0.0f32; splits * (n + m)];
    let mut rng = rng::named(seed, "kernel permutations");
    let mut order: Vec<usize> = (0..n + m).collect();
    for split in member.chunks_exact_mut(n + m) {
        order[..n].iter().for_each(|&i| split[i] = 1.0);
        rng::shuffle(&mut rng, &mut order);
    }
    let sums = split_sums(&pooled, d, &member, n + m);
    let (n, m) = (n as f64, m as f64);
    let distance = |&Sums { within, across, rest }: &Sums| {
        within / (n * (n - 1.0)) + rest / (m * (m - 1.0)) - 2.0 * across / (n * m)
    };
    let distances: Vec<f64> = sums.iter().map(distance).collect();
    let as_far = distances[1..].iter().filter(|&&other| other >= distances[0]).count();
    Ok((1 + as_far) as f64 / splits as f64)
}

/// Sums of the kernel less 1 over pairs of different rows: within a split's reference, across, and the rest.
///
/// Distances are the same without the 1, which would drown small products in the rounding of `f32`.
#[derive(Clone, Copy, Default)]
struct Sums {
    within: f64,
    across: f64,
    rest: f64,
}

fn split_sums(rows: &[f32], d: usize, member: &[f32], n: usize) -> Vec<Sums> {
    let splits = member.len() / n;
    let blocks: Vec<usize> = (0..n).step_by(BLOCK).collect();
    // Per block of rows: splits × rows.
    let of_columns = |&start: &usize| -> Vec<f32> {
        let end = (start + BLOCK).min(n);
        member.chunks_exact(n).flat_map(|split| &split[start..end]).copied().collect()
    };
    let chosen: Vec<Vec<f32>> = blocks.par_iter().map(of_columns).collect();
    // Per block of rows: K·member for its rows, from which each split takes its sums.
    let of_block = |&from: &usize| {
        stop::check();
        let block = &rows[from * d..(from + BLOCK).min(n) * d];
        let count = block.len() / d;
        let mut toward = vec![0.0f32; count * splits];
        let mut part = vec![0.0f32; count * splits];
        let mut everyone = vec![0.0f64; count];
        for (&start, chosen) in blocks.iter().zip(&chosen) {
            let other = &rows[start * d..(start + BLOCK).min(n) * d];
            let width = other.len() / d;
            let mut kernel = vec![0.0f32; count * width];
            rows_by_rows(block, other, d, 1.0 / d as f32, &mut kernel);
            cube_less_1(&mut kernel);
            if start == from {
                (0..count).for_each(|i| kernel[i * width + i] = 0.0);
            }
            for (row, sum) in kernel.chunks_exact(width).zip(&mut everyone) {
                *sum += sum_of(row);
            }
            rows_by_rows(&kernel, chosen, width, 1.0, &mut part);
            toward.iter_mut().zip(&part).for_each(|(sum, x)| *sum += x);
        }
        let sums = (0..splits).map(|b| {
            let mut sums = Sums::default();
            for i in 0..count {
                let toward = f64::from(toward[i * splits + b]);
                if member[b * n + from + i] > 0.0 {
                    sums.within += toward;
                    sums.across += everyone[i] - toward;
                } else {
                    sums.rest += everyone[i] - toward;
                }
            }
            sums
        });
        sums.collect::<Vec<Sums>>()
    };
    let parts: Vec<Vec<Sums>> = blocks.par_iter().map(of_block).collect();
    let mut total = vec![Sums::default(); splits];
    for (sum, part) in parts.iter().flat_map(|part| part.iter().enumerate()) {
        total[sum].within += part.within;
        total[sum].across += part.across;
        total[sum].rest += part.rest;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, shift: f32, name: &str) -> Matrix {
        let mut rng = rng::named(5, name);
        let draw = |_| rng::next_unit(&mut rng) as f32 + shift;
        Matrix::new(3, (0..3 * n).map(draw).collect()).unwrap()
    }

    #[test] // by hand: d = 1, k(x, y) = (xy + 1)³
    fn two_rows_each_are_summed_by_hand() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let sets = Sides { reference: line(&[0.0, 1.0]), model: line(&[1.0, 2.0]) };
        let kernel = kernel_distance(Clouds::new(sets.as_ref()).unwrap()).unwrap();
        // k(0,1) = 1; k(1,2) = 27; cross: 1, 1, 8, 27; diagonals: 1 + 8 and 8 + 125.
        assert_eq!(kernel.unbiased, 1.0 + 27.0 - 2.0 * 37.0 / 4.0);
        assert_eq!(kernel.biased, (2.0 + 9.0) / 4.0 + (54.0 + 133.0) / 4.0 - 2.0 * 37.0 / 4.0);
    }

    #[test] // rounding of sums of some 10⁵ terms of size 1
    fn distances_of_parts_are_those_of_clouds_of_their_rows() {
        let (p, q) = (noise(600, 0.0, "p"), noise(300, 0.1, "q"));
        let part = |from: usize, step: usize| Sides {
            reference: (from..600).step_by(step).collect::<Vec<_>>(),
            model: (from..300).step_by(step).collect(),
        };
        let parts = [part(0, 2), part(1, 3), part(0, 1)];
        let clouds = Clouds::new(Sides { reference: &p, model: &q }).unwrap();
        for (part, got) in parts.iter().zip(kernel_distances(clouds, &parts)) {
            let (p, q) = (p.select(&part.reference), q.select(&part.model));
            let clouds = Clouds::new(Sides { reference: &p, model: &q }).unwrap();
            let want = kernel_distance(clouds).unwrap().unbiased;
            assert!((got - want).abs() < 1e-12, "{got}, {want}");
        }
    }

    #[test]
    fn a_shift_is_found_and_sameness_is_not_denied() {
        let p = noise(300, 0.0, "p");
        let value = |q: &Matrix| {
            let sets = Sides { reference: &p, model: q };
            kernel_test(Clouds::new(sets).unwrap(), 199, 1).unwrap()
        };
        assert_eq!(value(&noise(200, 0.3, "q")), 1.0 / 200.0);
        assert!(value(&noise(200, 0.0, "q")) > 0.02);
    }
}
