//! How well estimates follow the truth, where the truth is known.

use super::record::CellResult;

/// An estimate, the exact value it stands for, and whether more of it means less of that.
struct Pair {
    measure: &'static str,
    truth: &'static str,
    falls: bool,
}

const fn pair(measure: &'static str, truth: &'static str) -> Pair {
    Pair { measure, truth, falls: false }
}

const fn distance(measure: &'static str) -> Pair {
    Pair { measure, truth: "alpha@1", falls: true }
}

/// Estimates of quality, then of diversity, then of both. Exact `recall` is the mass of the modes that texts
/// reach, faulty or not, `recall_accepted` that of the modes of accepted texts, `alpha@1` is
/// `Σ min(p, q)` over the latter.
const PAIRS: [Pair; 28] = [
    pair("precision", "precision"),
    pair("density", "precision"),
    pair("comp_precision", "precision"),
    pair("sym_precision", "precision"),
    pair("clipped_density", "precision"),
    pair("p_precision", "precision"),
    pair("cover_precision", "precision"),
    pair("alpha_precision", "precision"),
    pair("max_f1_8_precision", "precision"),
    pair("recall", "recall"),
    pair("coverage", "recall"),
    pair("sym_recall", "recall"),
    pair("clipped_coverage", "recall"),
    pair("p_recall", "recall"),
    pair("cover_recall", "recall"),
    pair("beta_recall", "recall"),
    pair("max_f8_recall", "recall"),
    pair("vendi_score", "recall"),
    pair("recall", "recall_accepted"),
    pair("coverage", "recall_accepted"),
    pair("vendi_score", "recall_accepted"),
    pair("mauve", "alpha@1"),
    pair("mauve_star", "alpha@1"),
    pair("alpha@1", "alpha@1"),
    distance("frontier_integral"),
    distance("frechet_distance"),
    distance("kernel_distance"),
    distance("tv"),
];

/// Measures that are shares, so that their difference from an exact share means something.
fn is_share(measure: &str) -> bool {
    !["density", "vendi_score", "frontier_integral", "frechet_distance", "kernel_distance", "tv"]
        .contains(&measure)
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
    PAIRS.iter().filter_map(|pair| tracking(pair, &cells)).collect()
}

fn tracking(pair: &Pair, cells: &[&CellResult]) -> Option<Tracking> {
    let both = |cell: &&CellResult| {
        let estimate = cell.score.metrics.get(pair.measure)?.value;
        let truth = cell.truth.get(pair.truth)?.value;
        (estimate.is_finite() && truth.is_finite()).then(|| (cell.cell.label(), estimate, truth))
    };
    let found: Vec<(String, f64, f64)> = cells.iter().filter_map(both).collect();
    if found.is_empty() {
        return None;
    }
    let sign = if pair.falls { -1.0 } else { 1.0 };
    let estimates: Vec<f64> = found.iter().map(|(_, estimate, _)| sign * estimate).collect();
    let truths: Vec<f64> = found.iter().map(|(_, _, truth)| *truth).collect();
    let share = is_share(pair.measure);
    let total: f64 = found.iter().map(|(_, estimate, truth)| estimate - truth).sum();
    let off = |row: &(String, f64, f64)| (row.1 - row.2).abs();
    Some(Tracking {
        measure: pair.measure.to_owned(),
        truth: pair.truth.to_owned(),
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
