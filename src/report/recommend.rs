//! Which settings to take: the best cells for quality, for balance and for diversity, and what is not clearly worse.

use super::{
    record::Results,
    trail::{Spot, Trail, trails},
};
use crate::{
    metric::prdc::{PRECISION, RECALL},
    score::{record::Estimate, warnings::Code},
};

/// A wish and the setting that fulfils it best.
#[derive(Clone, Debug, PartialEq)]
pub struct Recommended {
    /// What is wanted.
    pub aim: &'static str,
    /// How much recall counts against precision.
    pub b: f64,
    /// Model and settings in words.
    pub settings: String,
    /// The place of its first cell among those of the results.
    pub cell: usize,
    /// Quality, the mean over seeds.
    pub precision: Estimate,
    /// Diversity.
    pub recall: Estimate,
    /// `F_b` of the two.
    pub f: Estimate,
    /// Other settings whose interval of `F_b` meets this one's.
    pub as_good: usize,
    /// Settings that were held against each other.
    pub of: usize,
}

/// What people want, and `b` of the F-score that says so.
const AIMS: [(&str, f64); 3] =
    [("quality first", 0.25), ("balanced", 1.0), ("diversity first", 4.0)];

/// `F_b = (1 + b²) P R / (b² P + R)`; 0 where both are.
fn f_b(precision: f64, recall: f64, b: f64) -> f64 {
    let below = b * b * precision + recall;
    if below > 0.0 { (1.0 + b * b) * precision * recall / below } else { 0.0 }
}

/// `F_b` with its interval by linear propagation, precision and recall taken as independent:
/// `h² = (∂F/∂P h_P)² + (∂F/∂R h_R)²`.
fn scored(precision: &Estimate, recall: &Estimate, b: f64) -> Estimate {
    let (p, r) = (precision.value, recall.value);
    let value = f_b(p, r, b);
    let half = |e: &Estimate| Some((e.high? - e.low?) / 2.0);
    let below = (b * b * p + r).powi(2);
    let width = half(precision).zip(half(recall)).filter(|_| below > 0.0).map(|(hp, hr)| {
        let by_precision = (1.0 + b * b) * r * r / below;
        let by_recall = (1.0 + b * b) * b * b * p * p / below;
        (by_precision * hp).hypot(by_recall * hr)
    });
    Estimate {
        low: width.map(|h| (value - h).max(0.0)),
        high: width.map(|h| (value + h).min(1.0)),
        ..Estimate::bare(value)
    }
}

/// Whether a cell's recall says more than the truth: its texts are wider than the reference.
fn misleads(spot: &Spot<'_>) -> bool {
    let code = |warning: &crate::score::record::Warning| warning.code == Code::OverDispersion;
    spot.cells.iter().any(|cell| cell.score.warnings.iter().any(code))
}

/// The best settings of all for each wish; none without precision and recall. Cells that are wider than the reference,
/// whose recall flatters them, are taken only where there are no others.
pub fn recommended(results: &Results) -> Vec<Recommended> {
    let all = trails(results);
    let spots = || all.iter().flat_map(|trail| trail.spots.iter().map(move |spot| (trail, spot)));
    let honest = spots().any(|(_, spot)| !misleads(spot));
    let read = |(trail, spot): (&Trail<'_>, &Spot<'_>)| {
        let (p, r) = (spot.estimate(&PRECISION)?, spot.estimate(&RECALL)?);
        let settings = format!("{}, T = {}", trail.label(&all), spot.temperature);
        let first = spot.cells.first()?;
        let cell = results.cells.iter().position(|cell| std::ptr::eq(cell, *first))?;
        Some((settings, cell, p, r))
    };
    let known: Vec<_> =
        spots().filter(|(_, spot)| !honest || !misleads(spot)).filter_map(read).collect();
    let best = |(aim, b): (&'static str, f64)| {
        let of = |(_, _, p, r): &(String, usize, Estimate, Estimate)| scored(p, r, b);
        // Of equals the first.
        let best = known.iter().rev().max_by(|x, y| of(x).value.total_cmp(&of(y).value))?;
        let f = of(best);
        let meets = |other: &Estimate| match (other.high, f.low) {
            (Some(high), Some(low)) => high >= low,
            _ => other.value == f.value,
        };
        let as_good = known.iter().filter(|other| meets(&of(other))).count() - 1;
        let (settings, cell, precision, recall) = best.clone();
        Some(Recommended { aim, b, settings, cell, precision, recall, f, as_good, of: known.len() })
    };
    AIMS.into_iter().filter_map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::record::tests::{cell, result, turned},
        score::record::Warning,
    };

    fn results(cells: &[(f64, f64, f64)]) -> Results {
        let of = |&(t, p, r): &(f64, f64, f64)| {
            let mut found = result(cell("tiny", t));
            let near = |value: f64| Estimate {
                low: Some(value - 0.02),
                high: Some(value + 0.02),
                ..Estimate::bare(value)
            };
            found.score.metrics.insert("precision".into(), near(p));
            found.score.metrics.insert("recall".into(), near(r));
            found
        };
        Results { cells: cells.iter().map(of).collect(), ..turned() }
    }

    #[test]
    fn each_wish_has_its_best_setting_and_its_interval() {
        let known = results(&[(0.3, 0.95, 0.2), (0.7, 0.9, 0.7), (1.2, 0.3, 0.9)]);
        let found = recommended(&known);
        let told: Vec<_> = found.iter().map(|of| (of.aim, of.cell)).collect();
        assert_eq!(told, [("quality first", 1), ("balanced", 1), ("diversity first", 2)]);
        // F_1 = 2 · 0.9 · 0.7 / 1.6; h = 0.02 · 2 √(0.7⁴ + 0.9⁴) / 1.6².
        let f = &found[1].f;
        assert!((f.value - 0.7875).abs() < 1e-12);
        let half = 0.02 * 2.0 * (0.7f64.powi(4) + 0.9f64.powi(4)).sqrt() / 2.56;
        assert!((f.high.unwrap() - f.value - half).abs() < 1e-12);
        assert_eq!((found[1].as_good, found[1].of), (0, 3));
        assert_eq!(found[1].settings, "tiny, T = 0.7");
    }

    #[test]
    fn settings_that_are_not_clearly_worse_are_counted_and_flattered_ones_left_out() {
        let mut known = results(&[(0.7, 0.9, 0.7), (0.8, 0.89, 0.7), (1.4, 0.9, 0.95)]);
        let warning = Warning { code: Code::OverDispersion, message: "wide".into() };
        known.cells[2].score.warnings.push(warning);
        let found = recommended(&known);
        assert_eq!((found[1].cell, found[1].as_good, found[1].of), (0, 1, 2));
        assert!(recommended(&Results { cells: vec![], ..turned() }).is_empty());
    }
}
