//! What texts cost: their lengths, repeats, cuts, and tokens a text inside the support.

use super::{Axis, Figure, PRECISION, Panel, Point, Series, Spot, Trail, legend, look};

/// A number of a temperature, averaged over its cells.
type Measure = fn(&Spot<'_>) -> Option<f64>;

/// Title and axis of each panel, whether it is a share, and what it shows.
const PANELS: [(&str, &str, bool, Measure); 4] = [
    ("Length", "tokens a text", false, tokens),
    ("Duplicates", "share of texts that repeat one", true, repeated),
    ("Cut at the token limit", "share of texts", true, cut),
    ("Cost", "tokens drawn a text inside the support", false, cost),
];

fn mean(spot: &Spot<'_>, of: impl Fn(&crate::report::record::TextFacts) -> f64) -> Option<f64> {
    let sum: f64 = spot.cells.iter().map(|cell| of(&cell.texts)).sum();
    Some(sum / spot.cells.len() as f64).filter(|mean| mean.is_finite())
}

fn tokens(spot: &Spot<'_>) -> Option<f64> {
    mean(spot, |texts| texts.mean_tokens)
}

fn repeated(spot: &Spot<'_>) -> Option<f64> {
    mean(spot, |texts| 1.0 - texts.unique as f64 / texts.n as f64)
}

fn cut(spot: &Spot<'_>) -> Option<f64> {
    mean(spot, |texts| texts.ended.get("length").copied().unwrap_or(0) as f64 / texts.n as f64)
}

/// Tokens over precision: a text outside the support is paid for, too.
fn cost(spot: &Spot<'_>) -> Option<f64> {
    let inside = spot.estimate(&PRECISION)?.value;
    Some(tokens(spot)? / inside).filter(|cost| cost.is_finite())
}

pub(super) fn cost_of_texts(shown: &[Trail<'_>]) -> Option<Figure> {
    let panel = |&(title, axis, share, of): &(&str, &str, bool, Measure)| {
        let series = shown.iter().map(|trail| {
            let label = trail.label(shown);
            let point = |spot: &Spot<'_>| {
                let y = of(spot)?;
                let note = format!("{label}, T = {}: {y:.3} {axis}", spot.temperature);
                Some(Point { x: spot.temperature, y, note, ..Point::default() })
            };
            let points = trail.spots.iter().filter_map(point).collect();
            Series { points, look: look(trail, shown), band: false, label }
        });
        let y = if share { Axis::unit(axis) } else { Axis::free(axis) };
        let series: Vec<Series> = series.collect();
        let any = series.iter().any(|series| !series.points.is_empty());
        any.then(|| Panel { title: title.to_owned(), x: Axis::free("temperature"), y, series })
    };
    let panels: Vec<Panel> = PANELS.iter().filter_map(panel).collect();
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        name: "lengths_duplicates_cost_vs_temperature".to_owned(),
        title: "Lengths, duplicates and cost against temperature".to_owned(),
        caption: "Length is the mean of a text in the model's tokens; duplicates are texts that another one of the \
                  cell equals; cost divides the length by precision: how many tokens are drawn for each text that \
                  looks like a reference text."
            .to_owned(),
        panels,
        legend: legend(shown, false),
    })
}
