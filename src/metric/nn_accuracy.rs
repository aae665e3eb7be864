//! Two-sample accuracy of the nearest neighbor: whether a text's nearest other text is of its own side.

use super::spec::{Better, Family, Null, Range, Spec};
use crate::{
    cloud::{Clouds, MetricError, neighbors::Neighbors, space::Rows},
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
};

/// [`nn_accuracy()`].
pub const NN_ACCURACY: Spec = Spec {
    name: "nn_accuracy",
    title: "Two-sample accuracy of the nearest neighbor",
    family: Family::Extra,
    range: Range::Unit,
    better: Better::Neither,
    null: Null::Known(0.5),
    truth: &[],
    cost: "O((n + m)² d)",
    parameter: None,
};

/// Share of all rows whose nearest other row is of their own side; ½ is best.
///
/// ```text
/// Z = P ∪ Q, a row once for each time it occurs;   N(z) = the rows of Z \ {z} nearest to z
/// accuracy = 1/(n + m) Σ_z |{ y ∈ N(z) : side(y) = side(z) }| / |N(z)|
/// ```
///
/// Above what [`expected`] says of one distribution the sides are told apart; below it the model's rows lie
/// nearer to the reference's than fresh texts would, as copies do: a model that repeats the reference row by
/// row scores 0. Where several rows are nearest alike each counts as the same part of one, whatever their
/// order; a copy is a nearest row at distance 0.
///
/// # Arguments
///
/// * `clouds`: `P` is `n × d` and `Q` is `m × d`, in one feature space. Distances are Euclidean.
///
/// # Errors
///
/// [`MetricError::NoKthNeighbor`] for a row without another, which two sides that are not empty never have.
///
/// # Cost and sources
///
/// `O((n + m)² d)` time, `O((n + m) d)` memory.
/// Lopez-Paz & Oquab 2017, arXiv:1610.06545; Xu et al. 2018, arXiv:1806.07755.
///
/// # Example
///
/// ```
/// # use llmpr::{cloud::Clouds, data::{matrix::Matrix, sides::Sides}, metric::nn_accuracy::nn_accuracy};
/// let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
/// let of = |p: &[f32], q: &[f32]| {
///     let sets = Sides { reference: line(p), model: line(q) };
///     nn_accuracy(Clouds::new(sets.as_ref())?)
/// };
/// assert_eq!(of(&[0.0, 1.0], &[8.0, 9.0])?, 1.0); // told apart
/// assert_eq!(of(&[0.0, 5.0], &[0.0, 5.0])?, 0.0); // copied
/// assert_eq!(of(&[0.0, 1.0], &[3.0, 9.0])?, 0.75); // only 3 is taken for one of the reference
/// # Ok::<(), llmpr::cloud::MetricError>(())
/// ```
pub fn nn_accuracy(clouds: Clouds<'_>) -> Result<f64, MetricError> {
    let n = clouds.reference().rows();
    let pooled = clouds.reference().stack(clouds.model());
    let rows = Rows::alone(&pooled);
    let neighbors = Neighbors::find(&rows, 1, Side::Reference)?;
    let mut copies = vec![Sides { reference: 0u64, model: 0u64 }; rows.distinct.len()];
    for (row, &g) in rows.distinct.of.iter().enumerate() {
        let copies = &mut copies[g as usize];
        *(if row < n { &mut copies.reference } else { &mut copies.model }) += 1;
    }
    let told = |(g, own): (usize, &Sides<u64>)| {
        let total = own.reference + own.model;
        if total > 1 {
            let others = |of: u64| (of * of.saturating_sub(1)) as f64;
            return (others(own.reference) + others(own.model)) / (total - 1) as f64;
        }
        let list = neighbors.of(g);
        let nearest = list.iter().take_while(|near| near.squared == list[0].squared);
        let (same, all) = nearest.fold((0, 0), |(same, all), near| {
            let Sides { reference, model } = copies[near.row as usize];
            let same_side = if own.reference > 0 { reference } else { model };
            (same + same_side, all + reference + model)
        });
        same as f64 / all as f64
    };
    Ok(copies.iter().enumerate().map(told).sum::<f64>() / pooled.rows() as f64)
}

/// What [`nn_accuracy()`] is on average when `n` and `m` rows come from one distribution without copies.
///
/// ```text
/// (n (n − 1) + m (m − 1)) / ((n + m)(n + m − 1))
/// ```
///
/// Just below ½ for equal sizes, since a row is not its own neighbor.
pub fn expected(clouds: Clouds<'_>) -> f64 {
    let Sides { reference: n, model: m } = clouds.sides().map(Matrix::rows).map(|n| n as f64);
    (n * (n - 1.0) + m * (m - 1.0)) / ((n + m) * (n + m - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng;

    fn with<T>(p: &[f32], q: &[f32], of: impl Fn(Clouds<'_>) -> T) -> T {
        let line = |xs: &[f32]| Matrix::new(1, xs.to_vec()).unwrap();
        let sets = Sides { reference: line(p), model: line(q) };
        of(Clouds::new(sets.as_ref()).unwrap())
    }

    fn accuracy(p: &[f32], q: &[f32]) -> f64 {
        with(p, q, |clouds| nn_accuracy(clouds).unwrap())
    }

    #[test] // closed form
    fn sides_apart_score_one_and_a_copied_reference_zero() {
        assert_eq!(accuracy(&[0.0, 1.0, 2.0], &[50.0, 51.0]), 1.0);
        assert_eq!(accuracy(&[0.0, 10.0, 20.0], &[20.0, 0.0, 10.0]), 0.0);
        assert_eq!(accuracy(&[0.0], &[1.0]), 0.0);
    }

    #[test] // closed form
    fn rows_that_are_nearest_alike_share_one_vote() {
        // 0 lies between −1 of P and 1 of Q: half a vote. −1 has 0 of its side: 1. 1 has 0 of the other: 0.
        assert_eq!(accuracy(&[-1.0, 0.0], &[1.0]), 0.5);
        // Three copies, two of P: each P copy sees one of P and one of Q, the Q copy two of P.
        assert_eq!(accuracy(&[4.0, 4.0], &[4.0]), 1.0 / 3.0);
        // The copies at 1 see each other alone; 0 is taken for one of them.
        assert_eq!(accuracy(&[0.0], &[1.0, 1.0]), 2.0 / 3.0);
    }

    #[test]
    fn exchanging_the_sides_changes_nothing() {
        let (p, q) = ([0.0, 1.0, 1.0, 4.0, 7.5], [1.0, 2.0, 7.0, 9.0]);
        assert_eq!(accuracy(&p, &q), accuracy(&q, &p));
    }

    #[test] // closed form
    fn one_distribution_is_expected_just_below_a_half_at_equal_sizes() {
        assert_eq!(with(&[0.0, 1.0], &[2.0, 3.0], expected), 1.0 / 3.0);
        assert_eq!(with(&[0.0, 1.0, 2.0], &[3.0], expected), 0.5);
    }

    #[test] // simulated: 200 pairs of one distribution; the mean within 4 of its standard errors
    fn fresh_texts_score_what_is_expected() {
        let of = |i: u64| {
            let mut rng = rng::named(i, "nearest neighbor");
            let mut draw = |n: usize| (0..n).map(|_| rng::next_unit(&mut rng) as f32).collect();
            let (p, q): (Vec<f32>, Vec<f32>) = (draw(30), draw(20));
            with(&p, &q, |clouds| nn_accuracy(clouds).unwrap() - expected(clouds))
        };
        let off: Vec<f64> = (0..200).map(of).collect();
        let mean = off.iter().sum::<f64>() / 200.0;
        let variance = off.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 199.0;
        assert!(mean.abs() < 4.0 * (variance / 200.0).sqrt(), "{mean} ± {variance}");
    }
}
