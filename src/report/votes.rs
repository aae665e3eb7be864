//! Votes between texts of two or more cells: Bradley-Terry strengths with intervals.

use serde::Serialize;

use crate::math::special::normal_quantile;

/// What a reader chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The text on the left.
    Left,
    /// The text on the right.
    Right,
    /// Neither.
    Tie,
}

/// A pair of texts that was judged: whose text stood on each side, and the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Contestant on the left.
    pub left: usize,
    /// Contestant on the right.
    pub right: usize,
    /// What was chosen.
    pub choice: Choice,
}

/// A contestant's result.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Strength {
    /// Pairs it stood in.
    pub pairs: usize,
    /// Pairs it won; a tie counts half.
    pub won: f64,
    /// Log-odds of winning against the mean of all contestants.
    pub strength: f64,
    /// Ends of its 95 % interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Strengths of `count` contestants.
///
/// ```text
/// P(i beats j) = 1 / (1 + e^{s_j − s_i}),   Σ s = 0
/// ```
///
/// By Newton's method on the likelihood of all votes and of half a vote for either side of every pair of contestants
/// that met, so that one that always wins has a finite strength. A tie is half a vote for either. Intervals are those
/// of the inverse information (Wald). `O(votes + count³)` an iteration. Bradley & Terry 1952, Biometrika 39.
pub fn bradley_terry(votes: &[Vote], count: usize) -> Vec<Strength> {
    // wins[i][j]: votes for i against j.
    let mut wins = vec![vec![0.0f64; count]; count];
    let (mut pairs, mut won) = (vec![0usize; count], vec![0.0f64; count]);
    for &Vote { left, right, choice } in votes {
        let share = match choice {
            Choice::Left => 1.0,
            Choice::Right => 0.0,
            Choice::Tie => 0.5,
        };
        wins[left][right] += share;
        wins[right][left] += 1.0 - share;
        for (side, share) in [(left, share), (right, 1.0 - share)] {
            pairs[side] += 1;
            won[side] += share;
        }
    }
    let all = (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
    let met: Vec<(usize, usize)> = all.filter(|&(i, j)| wins[i][j] + wins[j][i] > 0.0).collect();
    for (i, j) in met {
        wins[i][j] += 0.5;
        wins[j][i] += 0.5;
    }
    let mut s = vec![0.0; count];
    let mut inverse = Vec::new();
    for _ in 0..100 {
        let (slope, information) = derivatives(&wins, &s);
        inverse = inverted(information);
        let step: Vec<f64> = inverse
            .iter()
            .map(|row| row.iter().zip(&slope).map(|(a, b)| a * b).sum::<f64>().clamp(-2.0, 2.0))
            .collect();
        s.iter_mut().zip(&step).for_each(|(s, step)| *s += step);
        if step.iter().all(|step| step.abs() < 1e-12) {
            break;
        }
    }
    let z = normal_quantile(0.975);
    let of = |i: usize| {
        // 11ᵀ adds 1/count² everywhere, the variance of a sum that is known to be 0.
        let spare = 1.0 / (count * count) as f64;
        let half = z * (inverse[i][i] - spare).max(0.0).sqrt();
        let (low, high) = (s[i] - half, s[i] + half);
        Strength { pairs: pairs[i], won: won[i], strength: s[i], low, high }
    };
    (0..count).map(of).collect()
}

/// The slope of the log-likelihood at `s`, and its information with `11ᵀ` added, which keeps `Σ s` at 0.
fn derivatives(wins: &[Vec<f64>], s: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let count = s.len();
    let (mut slope, mut information) = (vec![0.0; count], vec![vec![1.0; count]; count]);
    for i in 0..count {
        for j in (0..count).filter(|&j| j != i) {
            let chance = 1.0 / (1.0 + (s[j] - s[i]).exp());
            let met = wins[i][j] + wins[j][i];
            slope[i] += wins[i][j] - met * chance;
            information[i][i] += met * chance * (1.0 - chance);
            information[i][j] -= met * chance * (1.0 - chance);
        }
    }
    (slope, information)
}

/// The inverse of a positive definite matrix by Gauss and Jordan; what is singular stays zero.
fn inverted(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    let mut inverse = vec![vec![0.0; n]; n];
    (0..n).for_each(|i| inverse[i][i] = 1.0);
    for at in 0..n {
        let pivot = a[at][at];
        if pivot.abs() < 1e-12 {
            inverse[at].fill(0.0);
            continue;
        }
        for matrix in [&mut a, &mut inverse] {
            // Both are scaled by the pivot of the first.
            matrix[at].iter_mut().for_each(|value| *value /= pivot);
        }
        let (row, inverse_row) = (a[at].clone(), inverse[at].clone());
        for other in (0..n).filter(|&other| other != at) {
            let factor = a[other][at];
            a[other].iter_mut().zip(&row).for_each(|(value, own)| *value -= factor * own);
            let own = inverse[other].iter_mut().zip(&inverse_row);
            own.for_each(|(value, own)| *value -= factor * own);
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(left: usize, right: usize, won: usize, lost: usize) -> Vec<Vote> {
        let of = |choice, n| std::iter::repeat_n(Vote { left, right, choice }, n);
        of(Choice::Left, won).chain(of(Choice::Right, lost)).collect()
    }

    #[test]
    fn of_two_the_strengths_are_the_log_odds_of_their_votes() {
        let found = bradley_terry(&votes(0, 1, 30, 10), 2);
        // Half a vote each: ln(30.5 / 10.5), half of it above and half below 0.
        let odds = (30.5f64 / 10.5).ln();
        assert!((found[0].strength - odds / 2.0).abs() < 1e-9, "{found:?}");
        assert!((found[1].strength + odds / 2.0).abs() < 1e-9, "{found:?}");
        // The variance of the log-odds is 1/30.5 + 1/10.5, that of half of them a quarter.
        let half = 1.959_964 * (1.0 / 30.5 + 1.0 / 10.5f64).sqrt() / 2.0;
        let width = found[0].high - found[0].strength;
        assert!((width - half).abs() < 1e-5, "{width} {half}");
        assert_eq!((found[0].pairs, found[0].won), (40, 30.0));
    }

    #[test]
    fn who_always_wins_has_a_finite_strength_and_ties_count_half() {
        let all = bradley_terry(&votes(0, 1, 20, 0), 2);
        assert!(all[0].strength.is_finite() && all[0].low > 0.0, "{all:?}");
        let ties = vec![Vote { left: 1, right: 0, choice: Choice::Tie }; 7];
        let even = bradley_terry(&ties, 2);
        assert!(even[0].strength.abs() < 1e-12 && even[0].won == 3.5, "{even:?}");
    }

    #[test]
    fn three_are_ranked_through_each_other_and_sum_to_zero() {
        let all = [votes(0, 1, 15, 5), votes(1, 2, 15, 5), votes(2, 0, 3, 17)].concat();
        let found = bradley_terry(&all, 3);
        assert!(found[0].strength > found[1].strength && found[1].strength > found[2].strength);
        let sum: f64 = found.iter().map(|of| of.strength).sum();
        assert!(sum.abs() < 1e-9, "{found:?}");
    }
}
