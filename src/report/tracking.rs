//! How well estimates follow the truth, where the truth is known.

use super::record::CellResult;
use crate::{
    math::ranks::spearman,
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
}
