//! What a run says, in plain words.

use super::{
    record::Results,
    trail::{Spot, Trail, models, trails},
};
use crate::{
    metric::{
        prdc::{PRECISION, RECALL},
        spec::{Spec, Truth},
    },
    score::record::Estimate,
};

/// The sentences at the top of a report: each model along the temperature, models against each
/// other near `T = 1`, and what a perfect model would score.
pub fn headline(results: &Results) -> Vec<String> {
    let all = trails(results);
    let mains = mains(&all, results);
    let mut sentences: Vec<String> = mains.iter().filter_map(|trail| course(trail, &all)).collect();
    if let [first, others @ ..] = mains.as_slice() {
        sentences.extend(others.iter().take(3).filter_map(|other| against(first, other)));
    }
    sentences.extend(ceiling(&all));
    if sentences.is_empty() {
        sentences.push("No cell of this run has both precision and recall yet.".to_owned());
    }
    sentences
}

/// One trail a model: that with the most shots.
fn mains<'a, 'b>(all: &'b [Trail<'a>], results: &Results) -> Vec<&'b Trail<'a>> {
    let of = |model: &str| {
        let own = all.iter().filter(|t| t.model == model);
        own.reduce(|best, next| if next.shots > best.shots { next } else { best })
    };
    models(results).into_iter().filter_map(of).take(4).collect()
}

fn course(trail: &Trail<'_>, all: &[Trail<'_>]) -> Option<String> {
    let both = |spot: &Spot<'_>| Some((spot.estimate(&PRECISION)?, spot.estimate(&RECALL)?));
    let (first, last) = (trail.spots.first()?, trail.spots.last()?);
    let (p, r) = both(first)?;
    let name = trail.label(all);
    if trail.spots.len() == 1 {
        return Some(format!(
            "{name} at T = {}: precision {:.2}, recall {:.2}.",
            first.temperature, p.value, r.value
        ));
    }
    let (p_end, r_end) = both(last)?;
    let change = |a: &Estimate, b: &Estimate| match b.value - a.value {
        d if d > 0.02 => "rises",
        d if d < -0.02 => "falls",
        _ => "stays, going",
    };
    let (peak, recall) = trail.best(&RECALL)?;
    let inside = peak.temperature > first.temperature
        && peak.temperature < last.temperature
        && recall.value > r_end.value + 0.02;
    let tail = if inside {
        format!(
            "; its recall is greatest at T = {} ({:.2}): beyond that, heat costs quality and buys no \
             diversity",
            peak.temperature, recall.value
        )
    } else {
        String::new()
    };
    Some(format!(
        "From T = {} to T = {}, the precision of {name} {} from {:.2} to {:.2} and its recall {} from \
         {:.2} to {:.2}{tail}.",
        first.temperature,
        last.temperature,
        change(&p, &p_end),
        p.value,
        p_end.value,
        change(&r, &r_end),
        r.value,
        r_end.value,
    ))
}

fn against(first: &Trail<'_>, other: &Trail<'_>) -> Option<String> {
    let spot = other.nearest(1.0)?;
    let base = first.spots.iter().find(|s| s.temperature == spot.temperature)?;
    let part = |spec: &Spec, more: &str, less: &str| {
        let (a, b) = (spot.estimate(spec)?, base.estimate(spec)?);
        let apart = match (a.low.zip(a.high), b.low.zip(b.high)) {
            (Some((al, ah)), Some((bl, bh))) => ah < bl || bh < al,
            _ => (a.value - b.value).abs() > 0.02,
        };
        let word = match (apart, a.value > b.value) {
            (false, _) => "not clearly different in",
            (true, true) => more,
            (true, false) => less,
        };
        Some(format!("{word} {} ({:.2} against {:.2})", spec.name, a.value, b.value))
    };
    Some(format!(
        "At T = {}, {} is {} and {} compared with {}.",
        spot.temperature,
        other.model,
        part(&PRECISION, "higher in", "lower in")?,
        part(&RECALL, "higher in", "lower in")?,
        first.model,
    ))
}

fn ceiling(all: &[Trail<'_>]) -> Option<String> {
    let mean = |spec: &Spec| {
        let spots = all.iter().flat_map(|t| &t.spots);
        let values: Vec<f64> = spots.filter_map(|s| s.estimate(spec)?.ceiling).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let (p, r) = (mean(&PRECISION)?, mean(&RECALL)?);
    Some(format!(
        "A perfect model would score about {p:.2} in precision and {r:.2} in recall at this sample \
         size; more than that is no merit but a sign of texts that differ from the reference in another way."
    ))
}

/// Where estimates differ from what is exactly true; empty where the truth is not known.
pub fn verdicts(results: &Results) -> Vec<String> {
    let all = trails(results);
    let mut sentences = Vec::new();
    for trail in mains(&all, results) {
        for (spec, truth) in [(&PRECISION, Truth::Precision), (&RECALL, Truth::Recall)] {
            sentences.extend(verdict(trail, spec, truth));
        }
    }
    sentences
}

fn verdict(trail: &Trail<'_>, spec: &Spec, truth: Truth) -> Option<String> {
    let name = spec.name;
    struct Row {
        t: f64,
        exact: f64,
        estimate: Estimate,
    }
    let rows: Vec<Row> = trail
        .spots
        .iter()
        .filter_map(|spot| {
            let (exact, estimate) = (spot.truth(truth)?.value, spot.estimate(spec)?);
            Some(Row { t: spot.temperature, exact, estimate })
        })
        .collect();
    let off = |row: &Row| row.estimate.value - row.exact;
    let worst = rows.iter().max_by(|a, b| off(a).abs().total_cmp(&off(b).abs()))?;
    let missed = rows.iter().filter(|row| {
        let (low, high) = row.estimate.low.zip(row.estimate.high).unwrap_or((f64::NAN, f64::NAN));
        row.exact < low || row.exact > high
    });
    let n = rows.len();
    let exact: Vec<f64> = rows.iter().map(|row| row.exact).collect();
    let estimated: Vec<f64> = rows.iter().map(|row| row.estimate.value).collect();
    let order = match spearman(&exact, &estimated) {
        Some(rho) if rho >= 0.9 => {
            format!("ranks the temperatures as the truth does (Spearman {rho:.2})")
        }
        Some(rho) if rho >= 0.5 => {
            format!("ranks the temperatures roughly as the truth does (Spearman {rho:.2})")
        }
        Some(rho) => {
            format!("does not rank the temperatures as the truth does (Spearman {rho:.2})")
        }
        None => "cannot be ranked against a truth that stays the same".to_owned(),
    };
    let size = match off(worst).abs() {
        d if d <= 0.05 => "and is never off by more than 0.05".to_owned(),
        _ => format!(
            "and is off most at T = {}: {:.2} where {:.2} is true",
            worst.t, worst.estimate.value, worst.exact
        ),
    };
    Some(format!(
        "The estimated {name} of {} {order} {size}; the truth is outside its interval at {} of {n} \
         temperatures.",
        trail.model,
        missed.count(),
    ))
}

/// Rank correlation, ties sharing their mean rank; `None` where one side is constant or alone.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let ranks = |values: &[f64]| -> Vec<f64> {
        let rank = |v: &f64| {
            let below = values.iter().filter(|w| *w < v).count() as f64;
            let equal = values.iter().filter(|w| *w == v).count() as f64;
            below + (equal - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let (a, b) = (ranks(a), ranks(b));
    let center = (a.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - center) * (y - center)).sum()
    };
    let norm = (product(&a, &a) * product(&b, &b)).sqrt();
    (norm > 0.0).then(|| product(&a, &b) / norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spearman_is_that_of_the_ranks() {
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.1, 0.2, 0.3]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5/√(4.5·5).
        let tied = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!((tied - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12);
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}
