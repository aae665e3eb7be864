//! How well estimates follow the truth, where the truth is known.

use super::record::CellResult;
use crate::{
    metric::spec::{Parameter, Spec, Truth},
    score::catalog,
};

/// Every estimate with an exact value that it stands for: quality, then diversity, then both.
fn pairs() -> impl Iterator<Item = (&'static Spec, Truth)> {
    let stands_for = |truth| {
        let of = move |spec: &&Spec| spec.truth.contains(&truth);
        catalog::specs().filter(of).map(move |spec| (spec, truth))
    };
    Truth::ALL.into_iter().flat_map(stands_for)
}

/// How one measure follows its exact counterpart over cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracking {
    /// The measure.
    pub measure: String,
    /// The exact value it is held against.
    pub truth: String,
    /// Cells in which both are known.
    pub cells: usize,
    /// Spearman's rank correlation, distances counted downwards; NaN where either does not vary.
    pub spearman: f64,
    /// Mean of estimate minus truth; `None` for measures that are no shares.
    pub bias: Option<f64>,
    /// The largest difference from the truth: the cell, the estimate, the exact value.
    pub worst: Option<(String, f64, f64)>,
}

/// How well each measure follows the truth over `cells`; measures that no cell has are left out.
///
/// A rank correlation of 1 says that the measure puts the cells in their true order, a bias above 0
/// that it flatters the model.
pub fn track<'a>(cells: impl IntoIterator<Item = &'a CellResult>) -> Vec<Tracking> {
    let cells: Vec<&CellResult> = cells.into_iter().collect();
    pairs().filter_map(|(spec, truth)| tracking(spec, truth, &cells)).collect()
}

fn tracking(spec: &Spec, truth: Truth, cells: &[&CellResult]) -> Option<Tracking> {
    // Exact overlap is that of slope 1.
    let measure = spec.key((spec.parameter == Some(Parameter::Slope)).then_some(1.0));
    let both = |cell: &&CellResult| {
        let estimate = cell.score.metrics.get(&measure)?.value;
        let truth = cell.truth.get(truth.name())?.value;
        (estimate.is_finite() && truth.is_finite()).then(|| (cell.cell.label(), estimate, truth))
    };
    let found: Vec<(String, f64, f64)> = cells.iter().filter_map(both).collect();
    if found.is_empty() {
        return None;
    }
    let sign = if truth.falls() { -1.0 } else { 1.0 };
    let estimates: Vec<f64> = found.iter().map(|(_, estimate, _)| sign * estimate).collect();
    let truths: Vec<f64> = found.iter().map(|(_, _, truth)| *truth).collect();
    let share = spec.is_share() && !truth.falls();
    let total: f64 = found.iter().map(|(_, estimate, truth)| estimate - truth).sum();
    let off = |row: &(String, f64, f64)| (row.1 - row.2).abs();
    Some(Tracking {
        measure,
        truth: truth.name().to_owned(),
        cells: found.len(),
        spearman: spearman(&estimates, &truths),
        bias: share.then_some(total / found.len() as f64),
        worst: found.iter().filter(|_| share).max_by(|a, b| off(a).total_cmp(&off(b))).cloned(),
    })
}

/// Spearman's rank correlation; equal values share their mean rank. NaN where a side does not vary.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { product(&a, &b) / scale } else { f64::NAN }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    for group in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let below = values.iter().filter(|&&v| v < values[group[0]]).count();
        let rank = below as f64 + (group.len() as f64 - 1.0) / 2.0;
        group.iter().for_each(|&i| ranks[i] = rank);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_of_quality_come_before_those_of_diversity_and_of_both() {
        let names = |wanted: &[Truth]| -> Vec<&str> {
            pairs().filter(|(_, t)| wanted.contains(t)).map(|(spec, _)| spec.name).collect()
        };
        assert_eq!(pairs().count(), 30);
        assert_eq!(names(&[Truth::Precision])[..3], ["precision", "density", "comp_precision"]);
        assert_eq!(names(&[Truth::RecallAccepted]), ["recall", "coverage", "vendi_score"]);
        let both = [Truth::Overlap, Truth::Distance, Truth::Rest];
        let distances = ["frontier_integral", "frechet_distance", "kernel_distance", "tv"];
        assert_eq!(names(&both), [&["mauve", "mauve_star", "alpha"][..], &distances].concat());
        let unscaled: Vec<&str> = pairs()
            .filter(|(spec, truth)| !spec.is_share() || truth.falls())
            .map(|(spec, _)| spec.name)
            .collect();
        let scores = ["density", "vendi_score", "vendi_score"];
        assert_eq!(unscaled, [&scores[..], &distances].concat());
    }

    #[test] // closed form
    fn ranks_decide_and_ties_share_theirs() {
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.1, 0.2, 0.3]), 1.0);
        assert_eq!(spearman(&[3.0, 2.0, 1.0], &[0.1, 0.2, 0.3]), -1.0);
        // Ranks 0, ½+½, 2 against 0, 1, 2 with one pair tied: (0, 0.5, 0.5, 3) with (0, 1, 2, 3).
        let tied = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]);
        assert!((tied - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12, "{tied}");
        assert!(spearman(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }
}
