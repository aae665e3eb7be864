//! Measures of the beginnings of texts: where in a text quality is lost, and when diversity is reached.

use super::{
    Axis, COVERAGE, Figure, Key, Look, PRECISION, Panel, RECALL, Series, Spec, Trail, diversity,
    left_out, point, quality, read,
};

/// Models and settings that the figure shows at most.
const MOST_TRAILS: usize = 2;
/// Temperatures of each.
const MOST_TEMPERATURES: usize = 4;

pub(super) fn along_prefixes(all: &[Trail<'_>]) -> Option<Figure> {
    let known = |t: &&Trail<'_>| t.spots.iter().any(|s| !s.prefixes(&PRECISION).is_empty());
    let known: Vec<&Trail<'_>> = all.iter().filter(known).collect();
    // The first of every model comes before the second of any.
    let turn = |at: usize| known[..at].iter().filter(|t| t.model == known[at].model).count();
    let mut turns: Vec<_> = known.iter().enumerate().map(|(at, t)| (turn(at), *t)).collect();
    turns.sort_by_key(|(turn, _)| *turn);
    let known: Vec<Trail<'_>> = turns.into_iter().map(|(_, trail)| trail.clone()).collect();
    let trails = &known[..known.len().min(MOST_TRAILS)];
    if trails.is_empty() {
        return None;
    }
    let mut legend: Vec<Key> = Vec::new();
    let mut panel = |spec: &Spec, title: String| {
        let mut series = Vec::new();
        for (dash, trail) in trails.iter().enumerate() {
            let count = trail.spots.len();
            let drawn = count.min(MOST_TEMPERATURES);
            for i in 0..drawn {
                let at = if drawn > 1 { i * (count - 1) / (drawn - 1) } else { 0 };
                let (spot, share) = (&trail.spots[at], at as f64 / (count - 1).max(1) as f64);
                let look = Look { color: Look::ramp(share), dash, shape: Some(0) };
                let label = format!("{}, T = {}", trail.label(trails), spot.temperature);
                let points = spot.prefixes(spec).into_iter().map(|(tokens, e)| {
                    let note = format!("{label}, first {tokens} tokens: {}", read(spec.name, &e));
                    point(tokens as f64, &e, note)
                });
                if !legend.iter().any(|key| key.label == label) {
                    legend.push(Key { label: label.clone(), look });
                }
                series.push(Series { points: points.collect(), look, band: true, label });
            }
        }
        Panel {
            title,
            x: Axis::whole("first tokens of each text"),
            y: Axis::unit(spec.name),
            series,
        }
    };
    let panels = vec![
        panel(&PRECISION, quality()),
        panel(&RECALL, diversity()),
        panel(&COVERAGE, COVERAGE.title.to_owned()),
    ];
    Some(Figure {
        name: "beginnings_vs_tokens".to_owned(),
        title: "Quality and diversity of the beginnings of texts".to_owned(),
        caption: "Texts of both sides cut after so many of the embedder's tokens, each length with components of its own. \
                  Where precision falls along a line, texts leave the reference's support as they go on. Shaded: 95 % interval \
                  of sampling."
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
    fn a_line_a_temperature_goes_along_the_tokens_in_their_order() {
        let of = |temperature: f64| {
            let mut found = result(cell("tiny", temperature));
            for (tokens, value) in [(128, 0.5), (16, 0.9)] {
                found.prefixes.insert(format!("precision_first_{tokens}"), Estimate::bare(value));
            }
            found
        };
        let results = crate::report::record::Results { cells: vec![of(0.5), of(1.5)], ..turned() };
        let figure = along_prefixes(&trails(&results)).unwrap();
        let lines = &figure.panels[0].series;
        let points: Vec<_> = lines[1].points.iter().map(|p| (p.x, p.y)).collect();
        assert_eq!(points, [(16.0, 0.9), (128.0, 0.5)]);
        assert_eq!((lines.len(), figure.legend.len()), (2, 2));
        assert!(lines[0].look.color < lines[1].look.color, "cold before hot");
        assert!(figure.panels[2].series.iter().all(|line| line.points.is_empty()));
        assert_eq!(along_prefixes(&trails(&turned())), None);
    }

    #[test]
    fn both_models_are_shown_before_other_examples_of_one() {
        let of = |(model, shots): (&str, usize)| {
            let mut found = result(cell(model, 1.0));
            found.cell.shots = shots;
            found.prefixes.insert("precision_first_16".to_owned(), Estimate::bare(0.5));
            found
        };
        let cells = [("tiny", 0), ("tiny", 2), ("tiny-chat", 0), ("tiny-chat", 2)].map(of).to_vec();
        let results = crate::report::record::Results { cells, ..turned() };
        let figure = along_prefixes(&trails(&results)).unwrap();
        let shown: Vec<&str> = figure.legend.iter().map(|key| key.label.as_str()).collect();
        assert_eq!(shown, ["tiny, T = 1", "tiny-chat, T = 1"]);
    }
}
