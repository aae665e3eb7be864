//! Estimates beside exact values, where the task knows its true distribution.

use super::{Axis, Figure, Key, Look, Panel, Point, Series, Trail, point, read};

/// Models and measures that the figure shows at most.
const MOST_MODELS: usize = 3;

pub(super) fn against_truth(all: &[Trail<'_>]) -> Option<Figure> {
    let known = |t: &&Trail<'_>| {
        t.spots.iter().any(|s| s.truth("precision").is_some() || s.truth("recall").is_some())
    };
    let most = all.iter().filter(known).map(|t| t.shots).max()?;
    let trails: Vec<&Trail<'_>> =
        all.iter().filter(|t| t.shots == most && known(t)).take(MOST_MODELS).collect();
    let panel = |name: &str, title: &str| {
        let mut series = Vec::new();
        for trail in &trails {
            let look = Look::line(trail.index);
            let exact = trail.spots.iter().filter_map(|spot| {
                let e = spot.truth(name)?;
                let note =
                    format!("{}, T = {}: exact {}", trail.model, spot.temperature, read(name, &e));
                Some(point(spot.temperature, &e, note))
            });
            series.push(Series {
                label: format!("{}: exact", trail.model),
                look,
                points: exact.collect(),
                band: false,
            });
            let estimate = trail.spots.iter().filter_map(|spot| {
                let e = spot.estimate(name)?;
                let note = format!(
                    "{}, T = {}: estimated {}",
                    trail.model,
                    spot.temperature,
                    read(name, &e)
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
        Panel { title: title.to_owned(), x: Axis::free("temperature"), y: Axis::unit(name), series }
    };
    let panels =
        vec![panel("precision", "Precision (quality)"), panel("recall", "Recall (diversity)")];
    let legend =
        panels[0].series.iter().map(|s| Key { label: s.label.clone(), look: s.look }).collect();
    Some(Figure {
        name: "truth_vs_estimate".to_owned(),
        title: "What the estimates say, and what is true".to_owned(),
        caption: "This task's true distribution is known, so precision and recall can be computed \
                  exactly (solid) and held against the estimates from embeddings (dashed, with \
                  their intervals)."
            .to_owned(),
        panels,
        legend,
    })
}
