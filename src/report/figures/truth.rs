//! Estimates beside exact values, where the task knows its true distribution.

use super::{
    Axis, Figure, Key, Look, Panel, Point, Series, Spot, Trail, diversity, left_out, look, point,
    quality, read,
};
use crate::metric::{
    extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED},
    prdc::{PRECISION, RECALL},
    spec::{Spec, Truth},
};

/// Trails that the figure shows at most.
const MOST_TRAILS: usize = 3;

pub(super) fn against_truth(all: &[Trail<'_>]) -> Option<Figure> {
    let known = |t: &&Trail<'_>| {
        t.spots
            .iter()
            .any(|s| s.truth(Truth::Precision).is_some() || s.truth(Truth::Recall).is_some())
    };
    let most = all.iter().filter(known).map(|t| t.shots).max()?;
    let known: Vec<Trail<'_>> =
        all.iter().filter(|t| t.shots == most && known(t)).cloned().collect();
    let trails = &known[..known.len().min(MOST_TRAILS)];
    let panel = |spec: &Spec, truth: Truth, title: String| {
        let mut series = Vec::new();
        for trail in trails {
            let (look, name) = (look(trail, trails), trail.label(trails));
            let exact = trail.spots.iter().filter_map(|spot| {
                let e = spot.truth(truth)?;
                let words = truth.name().replace('_', ", ");
                let note = format!("{name}, T = {}: exact {}", spot.temperature, read(&words, &e));
                Some(point(spot.temperature, &e, note))
            });
            series.push(Series {
                label: format!("{name}: exact"),
                look,
                points: exact.collect(),
                band: false,
            });
            let estimate = trail.spots.iter().filter_map(|spot| {
                let e = spot.estimate(spec)?;
                let note =
                    format!("{name}, T = {}: estimated {}", spot.temperature, read(spec.name, &e));
                Some(point(spot.temperature, &e, note))
            });
            let points: Vec<Point> = estimate.collect();
            series.push(Series {
                label: format!("{name}: estimate"),
                look: Look { dash: look.dash + 1, shape: None, ..look },
                points,
                band: true,
            });
        }
        Panel { title, x: Axis::free("temperature"), y: Axis::unit(spec.name), series }
    };
    let mut panels = vec![
        panel(&PRECISION, Truth::Precision, quality()),
        panel(&RECALL, Truth::Recall, diversity()),
    ];
    if trails.iter().flat_map(|t| &t.spots).any(|s| s.truth(Truth::RecallAccepted).is_some()) {
        let title = format!("{} of accepted texts alone", RECALL.title);
        panels.push(panel(&RECALL, Truth::RecallAccepted, title));
    }
    let further =
        [(&MODES_REACHED, Truth::Recall), (&RECALL_EXTRAPOLATED, Truth::RecallExtrapolated)];
    for (spec, truth) in further {
        let both = |s: &Spot<'_>| s.truth(truth).is_some() && s.estimate(spec).is_some();
        if trails.iter().flat_map(|t| &t.spots).any(both) {
            panels.push(panel(spec, truth, spec.title.to_owned()));
        }
    }
    let legend =
        panels[0].series.iter().map(|s| Key { label: s.label.clone(), look: s.look }).collect();
    Some(Figure {
        name: "truth_vs_estimate".to_owned(),
        title: "What the estimates say, and what is true".to_owned(),
        caption: "This task's true distribution is known, so precision and recall can be computed \
                  exactly (solid) and held against the estimates from embeddings (dashed, with \
                  their intervals of sampling). Exact precision is the share of texts that the grammar accepts. \
                  Exact recall is the probability of the modes that the texts reach, where a text \
                  with a fault reaches the mode that it has settled on before the fault; the third \
                  panel counts the modes of accepted texts alone, which mixes quality into \
                  diversity, and shows the same estimate. Modes reached is another estimate of exact recall; \
                  recall extrapolated is held against the modes that infinitely many texts would reach, as far as \
                  those that few texts reached tell."
            .to_owned()
            + &left_out(trails.len(), known.len()),
        panels,
        legend,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{
            record::tests::{cell, result, turned},
            trail::trails,
        },
        score::record::Estimate,
    };

    #[test]
    fn cells_that_differ_in_top_p_alone_have_names_and_looks_of_their_own() {
        let of = |top_p: f64, temperature: f64| {
            let mut record = cell("tiny", temperature);
            record.decoding = format!("T={temperature},top-p={top_p}").parse().unwrap();
            let mut found = result(record);
            found.score.metrics.insert("precision".into(), Estimate::bare(0.9));
            found.truth.insert("precision".into(), Estimate::bare(0.8));
            found
        };
        let cells = [0.4, 0.7].iter().flat_map(|&p| [0.5, 1.0].map(|t| of(p, t))).collect();
        let results = crate::report::record::Results { cells, ..turned() };
        let legend = against_truth(&trails(&results)).unwrap().legend;
        let labels: Vec<&str> = legend.iter().map(|key| key.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "tiny, top-p 0.4: exact",
                "tiny, top-p 0.4: estimate",
                "tiny, top-p 0.7: exact",
                "tiny, top-p 0.7: estimate",
            ]
        );
        for (i, a) in legend.iter().enumerate() {
            assert!(legend[..i].iter().all(|b| a.look != b.look), "{legend:?}");
        }
    }
}
