//! Decoding methods on one plane.

use super::{Figure, Key, Look, Point, Series, read};
use crate::{
    metric::prdc::{PRECISION, RECALL},
    report::{
        methods::{Method, Values, methods},
        record::Results,
    },
};

/// The most trails in one figure; their colors come round with other dashes.
const MOST_METHODS: usize = 3 * Look::COLORS;

pub(super) fn methods_plane(results: &Results) -> Option<Figure> {
    let methods: Vec<Method<'_>> = methods(results).into_iter().take(MOST_METHODS).collect();
    let look = |i: usize| Look { dash: i / Look::COLORS, ..Look::line(i) };
    let trail = |(i, method): (usize, &Method<'_>)| {
        let steps = method.points(Values::Measured);
        let last = steps.len().saturating_sub(1);
        let points = steps.iter().enumerate().map(|(at, step)| Point {
            x: step.recall.value,
            y: step.precision.value,
            interval: None,
            mark: (at == 0 || at == last).then(|| step.at.to_string()),
            note: format!(
                "{}, at {}: {}, {}",
                method.label,
                step.at,
                read(PRECISION.name, &step.precision),
                read(RECALL.name, &step.recall)
            ),
        });
        let points = points.collect();
        Series { label: method.label.clone(), look: look(i), points, band: false }
    };
    let series: Vec<Series> = methods.iter().enumerate().map(trail).collect();
    if series.iter().all(|series| series.points.is_empty()) {
        return None;
    }
    let legend = series.iter().map(|s| Key { label: s.label.clone(), look: s.look }).collect();
    Some(Figure {
        name: "methods_plane".to_owned(),
        title: "Decoding methods: precision against recall".to_owned(),
        caption: "Each trail is a method along the setting that it varies, whose ends are written beside it. At one \
                  height precision is the same, and the trail farthest to the right has the most diversity."
            .to_owned(),
        panels: super::plane::panels(series),
        legend,
    })
}
