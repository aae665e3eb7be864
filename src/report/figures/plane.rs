//! The plane of precision and recall, and its crowded corner.

use super::{
    Axis, Figure, Key, Look, PRECISION, Panel, Point, RECALL, Series, Trail, legend, look, read,
};

/// Name of the figure.
pub(super) const NAME: &str = "precision_recall_plane";

/// Share of the plane's area below which points are crowded.
const CROWDED: f64 = 0.35;

/// The whole plane, and beside it, where all points lie in a small part of it, that part by itself.
pub(super) fn panels(series: Vec<Series>) -> Vec<Panel> {
    let points = || series.iter().flat_map(|s| &s.points);
    let extent = |of: fn(&Point) -> f64| {
        let ends = points().map(of).filter(|v| v.is_finite());
        let (low, high) = ends.fold((1.0f64, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
        high - low
    };
    let crowded = points().count() > 2 && extent(|p| p.x) * extent(|p| p.y) < CROWDED;
    let panel = |title: &str, axis: fn(&str) -> Axis, series| Panel {
        title: title.to_owned(),
        x: axis("recall (diversity)"),
        y: axis("precision (quality)"),
        series,
    };
    if !crowded {
        return vec![panel("", Axis::unit, series)];
    }
    // Marks stand where there is room for them.
    let mut plain = series.clone();
    for point in plain.iter_mut().flat_map(|series| &mut series.points) {
        point.mark = None;
    }
    vec![
        panel("The whole plane", Axis::unit, plain),
        panel("Where the cells are", Axis::free, series),
    ]
}

/// Precision against recall, one trail a model along the temperature.
pub(super) fn plane(shown: &[Trail<'_>]) -> Option<Figure> {
    let mut series = Vec::new();
    let mut ceilings = Vec::new();
    for trail in shown {
        let label = trail.label(shown);
        let every = trail.spots.len().div_ceil(7).max(1);
        let last = trail.spots.len().saturating_sub(1);
        let mut points = Vec::new();
        for (i, spot) in trail.spots.iter().enumerate() {
            let (Some(p), Some(r)) = (spot.estimate(&PRECISION), spot.estimate(&RECALL)) else {
                continue;
            };
            ceilings.extend(p.ceiling.zip(r.ceiling));
            let note = format!(
                "{label}, T = {}: {}, {}",
                spot.temperature,
                read(PRECISION.name, &p),
                read(RECALL.name, &r)
            );
            let mark = (i % every == 0 || i == last).then(|| spot.temperature.to_string());
            points.push(Point { x: r.value, y: p.value, interval: None, mark, note });
        }
        series.push(Series { look: look(trail, shown), points, band: false, label });
    }
    if series.iter().all(|s| s.points.is_empty()) {
        return None;
    }
    let mut keys = legend(shown, false);
    if !ceilings.is_empty() {
        let n = ceilings.len() as f64;
        let mean = |part: fn(&(f64, f64)) -> f64| ceilings.iter().map(part).sum::<f64>() / n;
        let look = Look { color: Look::GRAY, dash: 0, shape: Some(3) };
        let point = Point {
            x: mean(|c| c.1),
            y: mean(|c| c.0),
            note: "ceiling".to_owned(),
            ..Point::default()
        };
        series.push(Series { label: "ceiling".to_owned(), look, points: vec![point], band: false });
        keys.push(Key { label: "a perfect model at this sample size".to_owned(), look });
    }
    Some(Figure {
        name: NAME.to_owned(),
        title: "The trade: precision against recall along the temperature".to_owned(),
        caption: "Each trail is a model, each point a temperature (written beside it). Up is better \
                  quality, right is more diversity; a trail above and to the right of another wins on both."
            .to_owned(),
        panels: panels(series),
        legend: keys,
    })
}
