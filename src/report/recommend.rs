//! Which settings to take: the best cells for quality, for balance and for diversity, and what is not clearly worse.

use super::{
    record::Results,
    trail::{Spot, Trail, trails},
};
use crate::{
    metric::{
        prdc::{PRECISION, RECALL},
        spec::Truth,
    },
    score::{record::Estimate, warnings::Code},
};

/// What a run says on which settings to take.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// Whether precision and recall are the exact ones, which then are known of every setting.
    pub exact: bool,
    /// Settings that were held against each other.
    pub of: usize,
    /// The best for each wish; none where each setting has precision 0 or recall 0, which no wish makes good.
    pub best: Vec<Recommended>,
}

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

/// The best settings of all for each wish; `None` without precision and recall.
///
/// Where the task knows the exact values of every setting, they decide. Of estimates, those of cells that are wider than the
/// reference, whose recall flatters them, are taken only where there are no others.
pub fn recommended(results: &Results) -> Option<Advice> {
    let all = trails(results);
    let spots = || all.iter().flat_map(|trail| trail.spots.iter().map(move |spot| (trail, spot)));
    let estimated = |spot: &Spot<'_>| Some((spot.estimate(&PRECISION)?, spot.estimate(&RECALL)?));
    let known = |spot: &Spot<'_>| Some((spot.truth(Truth::Precision)?, spot.truth(Truth::Recall)?));
    let exact = spots().all(|(_, spot)| known(spot).is_some());
    let honest = !exact && spots().any(|(_, spot)| !misleads(spot));
    let read = |(trail, spot): (&Trail<'_>, &Spot<'_>)| {
        let (p, r) = if exact { known(spot) } else { estimated(spot) }?;
        let settings = format!("{}, T = {}", trail.label(&all), spot.temperature);
        let first = spot.cells.first()?;
        let cell = results.cells.iter().position(|cell| std::ptr::eq(cell, *first))?;
        Some((settings, cell, p, r))
    };
    let settings: Vec<_> =
        spots().filter(|(_, spot)| !honest || !misleads(spot)).filter_map(read).collect();
    let best = |(aim, b): (&'static str, f64)| {
        let of = |(_, _, p, r): &(String, usize, Estimate, Estimate)| scored(p, r, b);
        // Of equals the first.
        let best = settings.iter().rev().max_by(|x, y| of(x).value.total_cmp(&of(y).value))?;
        let f = of(best);
        let meets = |other: &Estimate| match (other.high, f.low) {
            (Some(high), Some(low)) => high >= low,
            _ => other.value == f.value,
        };
        let as_good = settings.iter().filter(|other| meets(&of(other))).count() - 1;
        let (settings, cell, precision, recall) = best.clone();
        let found = Recommended { aim, b, settings, cell, precision, recall, f, as_good };
        (found.f.value > 0.0).then_some(found)
    };
    let advice =
        || Advice { exact, of: settings.len(), best: AIMS.into_iter().filter_map(best).collect() };
    (!settings.is_empty()).then(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::record::{
            CellResult,
            tests::{cell, result, turned},
        },
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
        let advice = recommended(&known).unwrap();
        let found = &advice.best;
        let told: Vec<_> = found.iter().map(|of| (of.aim, of.cell)).collect();
        assert_eq!(told, [("quality first", 1), ("balanced", 1), ("diversity first", 2)]);
        // F_1 = 2 · 0.9 · 0.7 / 1.6; h = 0.02 · 2 √(0.7⁴ + 0.9⁴) / 1.6².
        let f = &found[1].f;
        assert!((f.value - 0.7875).abs() < 1e-12);
        let half = 0.02 * 2.0 * (0.7f64.powi(4) + 0.9f64.powi(4)).sqrt() / 2.56;
        assert!((f.high.unwrap() - f.value - half).abs() < 1e-12);
        assert_eq!((found[1].as_good, advice.of, advice.exact), (0, 3, false));
        assert_eq!(found[1].settings, "tiny, T = 0.7");
    }

    #[test]
    fn settings_that_are_not_clearly_worse_are_counted_and_flattered_ones_left_out() {
        let mut known = results(&[(0.7, 0.9, 0.7), (0.8, 0.89, 0.7), (1.4, 0.9, 0.95)]);
        let warning = Warning { code: Code::OverDispersion, message: "wide".into() };
        known.cells[2].score.warnings.push(warning);
        let advice = recommended(&known).unwrap();
        assert_eq!((advice.best[1].cell, advice.best[1].as_good, advice.of), (0, 1, 2));
        assert_eq!(recommended(&Results { cells: vec![], ..turned() }), None);
    }

    #[test]
    fn nothing_is_recommended_where_every_setting_has_no_precision_or_no_recall() {
        let advice = recommended(&results(&[(0.3, 0.0, 0.9), (0.7, 0.8, 0.0)])).unwrap();
        assert_eq!((advice.best, advice.of), (vec![], 2));
    }

    #[test]
    fn exact_values_decide_where_every_setting_has_them() {
        let mut known = results(&[(0.3, 0.95, 0.9), (0.7, 0.5, 0.5)]);
        let warning = Warning { code: Code::OverDispersion, message: "wide".into() };
        known.cells[1].score.warnings.push(warning);
        let told = |cell: &mut CellResult, p: f64, r: f64| {
            cell.truth.insert("precision".into(), Estimate::bare(p));
            cell.truth.insert("recall".into(), Estimate::bare(r));
        };
        told(&mut known.cells[1], 0.8, 0.6);
        assert_eq!(recommended(&known).unwrap().best[1].cell, 0);
        told(&mut known.cells[0], 0.4, 0.1);
        let advice = recommended(&known).unwrap();
        assert!(advice.exact && advice.best.iter().all(|of| of.cell == 1));
        assert_eq!((advice.best[1].precision.value, advice.best[1].recall.value), (0.8, 0.6));
    }
}
