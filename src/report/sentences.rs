//! What a run says, in plain words.

use super::{
    record::Results,
    trail::{Spot, Trail, models, trails},
};
use crate::{
    math::ranks::spearman,
    metric::{
        extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED},
        prdc::{PRECISION, RECALL},
        spec::{Spec, Truth},
    },
    score::record::Estimate,
};

/// The sentences at the top of a report: each model along the temperature, models against each
/// other near `T = 1`, and what a perfect model would score.
///
/// Where the truth is known it is what is told, and [`verdicts`] says how far estimates are from it; else
/// estimates are called so.
pub fn headline(results: &Results) -> Vec<String> {
    let all = trails(results);
    let mains = mains(&all, results);
    let eye = Eye::of(&all);
    let told = |trail: &&Trail<'_>| course(trail, &all, eye);
    let mut sentences: Vec<String> = mains.iter().filter_map(told).collect();
    if let [first, others @ ..] = mains.as_slice() {
        sentences.extend(others.iter().take(3).filter_map(|other| against(first, other, eye)));
    }
    sentences.extend(mains.iter().filter_map(|trail| beyond(trail, &all)));
    if !sentences.is_empty() {
        sentences.extend(ceiling(&all));
        sentences.push(OF_SAMPLING.to_owned());
    } else {
        sentences.push("No cell of this run has both precision and recall yet.".to_owned());
    }
    sentences
}

/// What an interval is.
pub const OF_SAMPLING: &str = "Intervals are of sampling: they say how far other texts of the same models would \
    move an estimate, not how far the estimate is from the truth.";

/// What the sentences tell: exact values where every trail has them, else estimates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Eye {
    Exact,
    Estimated,
}

impl Eye {
    fn of(all: &[Trail<'_>]) -> Self {
        let known = |spot: &Spot<'_>| {
            spot.truth(Truth::Precision).is_some() && spot.truth(Truth::Recall).is_some()
        };
        match !all.is_empty() && all.iter().flat_map(|trail| &trail.spots).all(known) {
            true => Self::Exact,
            false => Self::Estimated,
        }
    }

    fn word(self) -> &'static str {
        if self == Self::Exact { "exact" } else { "estimated" }
    }

    /// Precision and recall.
    fn both(self, spot: &Spot<'_>) -> Option<(Estimate, Estimate)> {
        match self {
            Self::Exact => Some((spot.truth(Truth::Precision)?, spot.truth(Truth::Recall)?)),
            Self::Estimated => Some((spot.estimate(&PRECISION)?, spot.estimate(&RECALL)?)),
        }
    }
}

/// Whether intervals show `a` and `b` to differ; by more than 0.02 where there are none.
fn apart(a: &Estimate, b: &Estimate) -> bool {
    match (a.low.zip(a.high), b.low.zip(b.high)) {
        (Some((al, ah)), Some((bl, bh))) => ah < bl || bh < al,
        _ => (a.value - b.value).abs() > 0.02,
    }
}

/// One trail a model: that with the most shots.
fn mains<'a, 'b>(all: &'b [Trail<'a>], results: &Results) -> Vec<&'b Trail<'a>> {
    let of = |model: &str| {
        let own = all.iter().filter(|t| t.model == model);
        own.reduce(|best, next| if next.shots > best.shots { next } else { best })
    };
    models(results).into_iter().filter_map(of).take(4).collect()
}

fn course(trail: &Trail<'_>, all: &[Trail<'_>], eye: Eye) -> Option<String> {
    let (first, last) = (trail.spots.first()?, trail.spots.last()?);
    let (p, r) = eye.both(first)?;
    let (name, word) = (trail.label(all), eye.word());
    if trail.spots.len() == 1 {
        return Some(format!(
            "{name} at T = {}: {word} precision {:.2}, {word} recall {:.2}.",
            first.temperature, p.value, r.value
        ));
    }
    let (p_end, r_end) = eye.both(last)?;
    let change = |a: &Estimate, b: &Estimate| {
        let how = match (apart(a, b), b.value > a.value) {
            (true, true) => "rises",
            (true, false) => "falls",
            (false, _) => "does not clearly change, going",
        };
        format!("{how} from {:.2} to {:.2}", a.value, b.value)
    };
    let recalls = trail.spots.iter().filter_map(|spot| Some((spot, eye.both(spot)?.1)));
    let (peak, recall) =
        recalls.reduce(|best, next| if next.1.value > best.1.value { next } else { best })?;
    let inside = peak.temperature > first.temperature
        && peak.temperature < last.temperature
        && recall.value > r_end.value
        && apart(&recall, &r_end);
    let tail = if inside {
        format!(
            "; its {word} recall is greatest at T = {} ({:.2}): beyond that, heat costs quality and buys no \
             diversity",
            peak.temperature, recall.value
        )
    } else {
        String::new()
    };
    Some(format!(
        "From T = {} to T = {}, the {word} precision of {name} {} and its {word} recall {}{tail}.",
        first.temperature,
        last.temperature,
        change(&p, &p_end),
        change(&r, &r_end),
    ))
}

/// What more texts of the same model would reach.
fn beyond(trail: &Trail<'_>, all: &[Trail<'_>]) -> Option<String> {
    let (first, last) = (trail.spots.first()?, trail.spots.last()?);
    let (a, b) = (first.estimate(&RECALL_EXTRAPOLATED)?, last.estimate(&RECALL_EXTRAPOLATED)?);
    let (t, end) = (first.temperature, last.temperature);
    let rest = match trail.spots.len() {
        1 => String::new(),
        _ => format!(" and {:.2} at T = {end}", b.value),
    };
    Some(format!(
        "Infinitely many texts of {} would reach an estimated {:.2} of the reference at T = {t}{rest} \
         (recall extrapolated).",
        trail.label(all),
        a.value,
    ))
}

fn against(first: &Trail<'_>, other: &Trail<'_>, eye: Eye) -> Option<String> {
    let spot = other.nearest(1.0)?;
    let base = first.spots.iter().find(|s| s.temperature == spot.temperature)?;
    let ((p, r), (p_base, r_base)) = (eye.both(spot)?, eye.both(base)?);
    let part = |name: &str, a: Estimate, b: Estimate| {
        let word = match (apart(&a, &b), a.value > b.value) {
            (false, _) => "not clearly different in",
            (true, true) => "higher in",
            (true, false) => "lower in",
        };
        format!("{word} {} {name} ({:.2} against {:.2})", eye.word(), a.value, b.value)
    };
    Some(format!(
        "At T = {}, {} is {} and {} compared with {}.",
        spot.temperature,
        other.model,
        part(PRECISION.name, p, p_base),
        part(RECALL.name, r, r_base),
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
        "A perfect model would score about {p:.2} in estimated precision and {r:.2} in estimated recall at \
         this sample size; more than that is no merit but a sign of texts that differ from the reference in another way."
    ))
}

/// Where estimates differ from what is exactly true; empty where the truth is not known.
pub fn verdicts(results: &Results) -> Vec<String> {
    let all = trails(results);
    let mut sentences = Vec::new();
    for trail in mains(&all, results) {
        let pairs = [
            (&PRECISION, Truth::Precision),
            (&RECALL, Truth::Recall),
            (&MODES_REACHED, Truth::Recall),
            (&RECALL_EXTRAPOLATED, Truth::RecallExtrapolated),
        ];
        for (spec, truth) in pairs {
            sentences.extend(verdict(trail, spec, truth));
        }
        sentences.extend(unseen(trail, &results.embedder));
    }
    sentences
}

/// What the embedder cannot see: texts that it takes for plausible, and of which most are known to be faulty.
fn unseen(trail: &Trail<'_>, embedder: &str) -> Option<String> {
    /// Estimates off by less are not worth a sentence of their own.
    const FAR: f64 = 0.1;
    let above = |spot: &Spot<'_>| {
        let (exact, estimate) = (spot.truth(Truth::Precision)?, spot.estimate(&PRECISION)?);
        Some((spot.temperature, exact.value, estimate.value))
    };
    let found = trail.spots.iter().filter_map(above);
    let (t, exact, estimate) =
        found.max_by(|a, b| (a.2 - a.1).total_cmp(&(b.2 - b.1))).filter(|(_, e, s)| s - e > FAR)?;
    let embedder = embedder.rsplit('/').find(|part| !part.is_empty()).unwrap_or("the embedder");
    Some(format!(
        "At T = {t}, {embedder} takes {estimate:.2} of the texts of {} for ones like the reference's, and {exact:.2} \
         are: a text of the right shape with wrong facts lies among right ones in its features, where no measure \
         over them can tell it from these. The likelihood of texts under a model of the reference can: `llmpr score \
         --likelihood A B`.",
        trail.model,
    ))
}

fn verdict(trail: &Trail<'_>, spec: &Spec, truth: Truth) -> Option<String> {
    let name = spec.name.replace('_', " ");
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
    let bias = rows.iter().map(off).sum::<f64>() / n as f64;
    let bias = match bias.abs() {
        size if size <= 0.005 => "on average as large as the exact one".to_owned(),
        size => format!(
            "on average {size:.2} {} the exact one",
            if bias > 0.0 { "above" } else { "below" }
        ),
    };
    let exact: Vec<f64> = rows.iter().map(|row| row.exact).collect();
    let estimated: Vec<f64> = rows.iter().map(|row| row.estimate.value).collect();
    let order = match spearman(&exact, &estimated) {
        rho if rho.is_nan() => "cannot be ranked against a truth that stays the same".to_owned(),
        rho if rho >= 0.9 => {
            format!("ranks the temperatures as the truth does (Spearman {rho:.2})")
        }
        rho if rho >= 0.5 => {
            format!("ranks the temperatures roughly as the truth does (Spearman {rho:.2})")
        }
        rho => {
            format!("does not rank the temperatures as the truth does (Spearman {rho:.2})")
        }
    };
    let size = match off(worst).abs() {
        d if d <= 0.05 => "never off by more than 0.05".to_owned(),
        _ => format!(
            "off most at T = {}: {:.2} where {:.2} is true",
            worst.t, worst.estimate.value, worst.exact
        ),
    };
    Some(format!(
        "The estimated {name} of {} {order}, is {bias} and {size}; the truth is outside its interval at {} of {n} \
         temperatures.",
        trail.model,
        missed.count(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::{
        CellResult,
        tests::{cell, result, turned},
    };

    /// A cell at `temperature` whose recall is estimated in an interval of ±0.04, with the exact one.
    fn seen(temperature: f64, recall: f64, exact: Option<f64>) -> CellResult {
        let mut result = result(cell("tiny", temperature));
        let measured = |value: f64| Estimate {
            low: Some(value - 0.04),
            high: Some((value + 0.04).min(1.0)),
            ceiling: Some(0.95),
            ..Estimate::bare(value)
        };
        result.score.metrics.insert("precision".into(), measured(0.9));
        result.score.metrics.insert("recall".into(), measured(recall));
        if let Some(exact) = exact {
            result.truth.insert("precision".into(), Estimate::bare(0.8));
            result.truth.insert("recall".into(), Estimate::bare(exact));
        }
        result
    }

    fn results(cells: Vec<CellResult>) -> Results {
        Results { cells, ..turned() }
    }

    #[test]
    fn what_is_exactly_known_leads_and_the_bias_of_estimates_stands_below() {
        let known = results(vec![seen(0.3, 0.45, Some(0.1)), seen(1.2, 1.0, Some(0.272))]);
        let told = headline(&known);
        assert_eq!(
            told[0],
            "From T = 0.3 to T = 1.2, the exact precision of tiny does not clearly change, going from 0.80 to \
             0.80 and its exact recall rises from 0.10 to 0.27."
        );
        assert!(!told[0].contains("1.00"), "{told:?}");
        assert!(told.contains(&OF_SAMPLING.to_owned()), "{told:?}");
        let below = verdicts(&known);
        let recall = below.iter().find(|sentence| sentence.contains("recall")).unwrap();
        assert!(recall.contains("is on average 0.54 above the exact one"), "{recall}");
        assert!(recall.contains("1.00 where 0.27 is true"), "{recall}");
    }

    #[test]
    fn more_texts_are_told_of_and_texts_that_an_embedder_takes_for_right() {
        let mut cells = vec![seen(0.3, 0.5, Some(0.4)), seen(1.4, 0.7, Some(0.6))];
        cells[1].truth.insert("precision".into(), Estimate::bare(0.23));
        for (cell, share) in cells.iter_mut().zip([0.45, 0.95]) {
            let metrics = &mut cell.score.metrics;
            metrics.insert("recall_extrapolated".into(), Estimate::bare(share));
        }
        let known = results(cells);
        let more = "Infinitely many texts of tiny would reach an estimated 0.45 of the reference at T = 0.3 and 0.95 \
                    at T = 1.4 (recall extrapolated).";
        assert!(headline(&known).contains(&more.to_owned()), "{:?}", headline(&known));
        let unseen = "At T = 1.4, gpt2 takes 0.90 of the texts of tiny for ones like the reference's, and 0.23 are: ";
        assert!(
            verdicts(&known).iter().any(|told| told.starts_with(unseen)),
            "{:?}",
            verdicts(&known)
        );
    }

    #[test]
    fn estimates_are_called_so_and_change_only_where_intervals_part() {
        let near = results(vec![seen(0.3, 0.5, None), seen(1.2, 0.55, None)]);
        assert!(
            headline(&near)[0]
                .contains("estimated recall does not clearly change, going from 0.50 to 0.55"),
            "{:?}",
            headline(&near)
        );
        let apart = [seen(0.3, 0.5, None), seen(0.8, 0.9, None), seen(1.2, 0.7, None)];
        let told = &headline(&results(apart.to_vec()))[0];
        assert!(told.contains("estimated recall rises from 0.50 to 0.70"), "{told}");
        assert!(told.contains("its estimated recall is greatest at T = 0.8 (0.90)"), "{told}");
        assert!(verdicts(&near).is_empty());
    }
}
