//! Sliced Wasserstein distance: transport along random directions.

use rayon::prelude::*;

use super::spec::{Better, Family, Null, Range, Spec};
use crate::{
    cloud::Clouds,
    data::{matrix::Matrix, rows::mean, sides::Sides},
    math::gemm::rows_by_rows_f64,
    rng,
};

/// [`sliced_wasserstein`].
pub const SLICED_WASSERSTEIN: Spec = Spec {
    name: "sliced_wasserstein",
    title: "Sliced Wasserstein distance",
    family: Family::Moments,
    range: Range::Positive,
    better: Better::Lower,
    null: Null::COUNTS,
    truth: &[],
    cost: "O((n + m) (d + log(n + m))) per direction",
    parameter: None,
};
/// [`sliced_w_approx`].
pub const SLICED_W_APPROX: Spec = Spec {
    name: "sliced_w_approx",
    title: "Sliced Wasserstein distance, approximate",
    cost: "O((n + m) d)",
    ..SLICED_WASSERSTEIN
};

/// Sliced 2-Wasserstein distance between `P` and `Q`; lower is better.
///
/// ```text
/// SW₂² = mean over directions θ of ∫₀¹ (F⁻¹_{θ·P}(u) − F⁻¹_{θ·Q}(u))² du
/// ```
///
/// # Arguments
///
/// * `directions`: number of directions, uniform on the sphere; the error falls as its root.
/// * `seed`: of the directions.
///
/// # Cost and sources
///
/// `O((n + m) (d + log(n + m)))` per direction. Bonneel et al. 2015.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::sliced::sliced_wasserstein;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// // In one column there is one direction: 0 goes to 2 and 2 to 6.
/// let sets = Sides { reference: line(&[0.0, 2.0]), model: line(&[2.0, 6.0]) };
/// let distance = sliced_wasserstein(Clouds::new(sets.as_ref())?, 10, 0);
/// assert!((distance - 10f64.sqrt()).abs() < 1e-12); // √((2² + 4²)/2)
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn sliced_wasserstein(clouds: Clouds<'_>, directions: usize, seed: u64) -> f64 {
    let axes = random_axes(directions.max(1), clouds.dim(), seed);
    let mut along = clouds.sides().map(|rows| projections(rows, &axes));
    for values in [&mut along.reference, &mut along.model] {
        values.par_iter_mut().for_each(|values| values.sort_unstable_by(f64::total_cmp));
    }
    let Sides { reference, model } = &along;
    let squared: Vec<f64> = reference.par_iter().zip(model).map(|(x, y)| transport(x, y)).collect();
    root_mean(&squared)
}

/// [`sliced_wasserstein`] between parts of `P` and `Q`, whose rows are sorted once along every direction.
pub(crate) fn sliced_distances(
    clouds: Clouds<'_>,
    directions: usize,
    seed: u64,
    parts: &[Sides<Vec<usize>>],
) -> Vec<f64> {
    let axes = random_axes(directions.max(1), clouds.dim(), seed);
    let along = clouds.sides().map(|rows| projections(rows, &axes));
    let members = Sides {
        reference: members(parts.iter().map(|part| &part.reference), clouds.reference().rows()),
        model: members(parts.iter().map(|part| &part.model), clouds.model().rows()),
    };
    let sorted = |values: &[f64]| {
        let mut order: Vec<(f64, u32)> = values.iter().copied().zip(0..).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        order
    };
    let of_axis = |(x, y): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
        let (x, y) = (sorted(x), sorted(y));
        let (mut part_x, mut part_y) = (vec![0.0; x.len()], vec![0.0; y.len()]);
        let of_part = |(in_p, in_q): (&Vec<bool>, &Vec<bool>)| {
            let (n, m) = (keep(&x, in_p, &mut part_x), keep(&y, in_q, &mut part_y));
            transport(&part_x[..n], &part_y[..m])
        };
        members.reference.iter().zip(&members.model).map(of_part).collect()
    };
    let Sides { reference, model } = &along;
    let squared: Vec<Vec<f64>> = reference.par_iter().zip(model).map(of_axis).collect();
    let of_part = |i: usize| root_mean(&squared.iter().map(|of| of[i]).collect::<Vec<f64>>());
    (0..parts.len()).map(of_part).collect()
}

/// Per part: whether it has each of `n` rows.
fn members<'a>(parts: impl Iterator<Item = &'a Vec<usize>>, n: usize) -> Vec<Vec<bool>> {
    let member = |rows: &Vec<usize>| {
        let mut member = vec![false; n];
        rows.iter().for_each(|&row| member[row] = true);
        member
    };
    parts.map(member).collect()
}

/// Writes the values of a part's rows to the front of `out`, in order; how many there are.
fn keep(sorted: &[(f64, u32)], member: &[bool], out: &mut [f64]) -> usize {
    let mut count = 0;
    for &(value, row) in sorted {
        out[count] = value;
        count += usize::from(member[row as usize]);
    }
    count
}

fn root_mean(squared: &[f64]) -> f64 {
    (squared.iter().sum::<f64>() / squared.len() as f64).sqrt()
}

/// Directions of Gaussian coordinates, normalized.
fn random_axes(count: usize, d: usize, seed: u64) -> Vec<f64> {
    let mut rng = rng::named(seed, "sliced directions");
    let mut axes = Vec::with_capacity(count * d);
    for _ in 0..count {
        let axis: Vec<f64> = (0..d)
            .map(|_| {
                let (u, v) = (1.0 - rng::next_unit(&mut rng), rng::next_unit(&mut rng));
                (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
            })
            .collect();
        let length = axis.iter().map(|x| x * x).sum::<f64>().sqrt();
        axes.extend(axis.iter().map(|x| x / length));
    }
    axes
}

/// Per axis: the coordinates of all rows, in their order.
fn projections(rows: &Matrix, axes: &[f64]) -> Vec<Vec<f64>> {
    const BLOCK: usize = 512;
    let (d, count) = (rows.cols(), axes.len() / rows.cols());
    let mut along = vec![Vec::with_capacity(rows.rows()); count];
    for from in (0..rows.rows()).step_by(BLOCK) {
        let block: Vec<f64> =
            (from..rows.rows().min(from + BLOCK)).flat_map(|i| rows.row_f64(i)).collect();
        let width = block.len() / d;
        let mut out = vec![0.0; count * width];
        rows_by_rows_f64(axes, &block, d, 1.0, &mut out);
        along.iter_mut().zip(out.chunks_exact(width)).for_each(|(all, part)| all.extend(part));
    }
    along
}

/// `∫₀¹ (F⁻¹(u) − G⁻¹(u))² du` of two sorted samples, of any sizes.
fn transport(x: &[f64], y: &[f64]) -> f64 {
    let (n, m) = (x.len(), y.len());
    let (mut i, mut j, mut done, mut sum) = (0, 0, 0, 0.0);
    // Shares in units of 1/(nm), where every break is an integer.
    while i < n && j < m {
        let next = ((i + 1) * m).min((j + 1) * n);
        sum += (next - done) as f64 * (x[i] - y[j]).powi(2);
        done = next;
        i = next / m;
        j = next / n;
    }
    sum / (n as f64 * m as f64)
}

/// The value that [`sliced_wasserstein`] concentrates on when coordinates are many and weakly dependent.
///
/// ```text
/// SW₂² ≈ ‖μ − μ̂‖²/d + (√(E‖x − μ‖²/d) − √(E‖y − μ̂‖²/d))²
/// ```
///
/// # Cost and sources
///
/// `O((n + m) d)`. Nadjahi et al. 2021, arXiv:2106.15427; `dgm-eval`'s `sw_approx`.
///
/// # Example
///
/// ```
/// # use llmpr::data::matrix::Matrix;
/// # use llmpr::cloud::Clouds;
/// # use llmpr::metric::sliced::sliced_w_approx;
/// # use llmpr::data::sides::Sides;
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let sets = Sides { reference: line(&[0.0, 2.0]), model: line(&[2.0, 6.0]) };
/// // Means 1 and 4, spreads 1 and 2.
/// assert_eq!(sliced_w_approx(Clouds::new(sets.as_ref())?), (9f64 + 1.0).sqrt());
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn sliced_w_approx(clouds: Clouds<'_>) -> f64 {
    let d = clouds.dim() as f64;
    let sides = clouds.sides();
    let means = sides.map(|rows| mean(&[rows]));
    let spread = |rows: &Matrix, mean: &[f64]| {
        let of_row = |i| rows.row_f64(i).zip(mean).map(|(x, mean)| (x - mean).powi(2)).sum::<f64>();
        ((0..rows.rows()).map(of_row).sum::<f64>() / rows.rows() as f64 / d).sqrt()
    };
    let Sides { reference: p, model: q } = &means;
    let apart = p.iter().zip(q).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / d;
    (apart + (spread(sides.reference, p) - spread(sides.model, q)).powi(2)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_line_the_quantiles_are_matched_whatever_the_sizes() {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let distance = |p: &[f32], q: &[f32]| {
            let sets = Sides { reference: line(p), model: line(q) };
            sliced_wasserstein(Clouds::new(sets.as_ref()).unwrap(), 3, 0)
        };
        assert!((distance(&[0.0, 2.0], &[3.0, 1.0]) - 1.0).abs() < 1e-12);
        assert_eq!(distance(&[1.0, 2.0, 2.0, 1.0], &[1.0, 2.0]), 0.0);
        // Thirds against halves: [0, 1/3) to 0, [1/3, 1/2) is 1 against 0, [1/2, 2/3) is 1 against 2.
        assert!((distance(&[0.0, 1.0, 2.0], &[0.0, 2.0]).powi(2) - 1.0 / 3.0).abs() < 1e-12);
    }
    #[test]
    fn distances_of_parts_are_those_of_clouds_of_their_rows_to_the_last_bit() {
        let cloud = |n: usize, name: &str| {
            let mut rng = rng::named(4, name);
            let values = (0..5 * n).map(|_| rng::next_below(&mut rng, 9) as f32 / 7.0).collect();
            Matrix::new(5, values).unwrap()
        };
        let (p, q) = (cloud(700, "p"), cloud(40, "q"));
        let part = |from: usize, step: usize| Sides {
            reference: (from..700).step_by(step).collect::<Vec<_>>(),
            model: (from..40).step_by(step).collect(),
        };
        let parts = [part(0, 2), part(1, 3), part(0, 1)];
        let clouds = Clouds::new(Sides { reference: &p, model: &q }).unwrap();
        for (part, got) in parts.iter().zip(sliced_distances(clouds, 9, 1, &parts)) {
            let (p, q) = (p.select(&part.reference), q.select(&part.model));
            let clouds = Clouds::new(Sides { reference: &p, model: &q }).unwrap();
            assert_eq!(got, sliced_wasserstein(clouds, 9, 1));
        }
    }
}
