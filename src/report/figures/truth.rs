//! Estimates beside exact values, where the task knows its true distribution.

use super::{
    Axis, Figure, Key, Look, Panel, Point, Series, Spot, Trail, diversity, point, quality, read,
};
use crate::metric::{
    extrapolated::{MODES_REACHED, RECALL_EXTRAPOLATED},
    prdc::{PRECISION, RECALL},
    spec::{Spec, Truth},
};

/// Models and measures that the figure shows at most.
const MOST_MODELS: usize = 3;

pub(super) fn against_truth(all: &[Trail<'_>]) -> Option<Figure> {
    let known = |t: &&Trail<'_>| {
        t.spots
            .iter()
            .any(|s| s.truth(Truth::Precision).is_some() || s.truth(Truth::Recall).is_some())
    };
    let most = all.iter().filter(known).map(|t| t.shots).max()?;
    let trails: Vec<&Trail<'_>> =
        all.iter().filter(|t| t.shots == most && known(t)).take(MOST_MODELS).collect();
    let panel = |spec: &Spec, truth: Truth, title: String| {
        let mut series = Vec::new();
        for trail in &trails {
            let look = Look::line(trail.index);
            let exact = trail.spots.iter().filter_map(|spot| {
                let e = spot.truth(truth)?;
                let words = truth.name().replace('_', ", ");
                let note = format!(
                    "{}, T = {}: exact {}",
                    trail.model,
                    spot.temperature,
                    read(&words, &e)
                );
                Some(point(spot.temperature, &e, note))
            });
            series.push(Series {
                label: format!("{}: exact", trail.model),
                look,
                points: exact.collect(),
                band: false,
            });
            let estimate = trail.spots.iter().filter_map(|spot| {
                let e = spot.estimate(spec)?;
                let note = format!(
                    "{}, T = {}: estimated {}",
                    trail.model,
                    spot.temperature,
                    read(spec.name, &e)
                );
                Some(point(spot.temperature, &e, note))
            });
            let points: Vec<Point> = estimate.collect();
            series.push(Series {
                label: format!("{}: estimate", trail.model),
                look: Look { dash: 1, shape: None, ..look },
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
            .to_owned(),
        panels,
        legend,
    })
}
