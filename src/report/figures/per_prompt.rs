//! Diversity within a prompt beside that of different prompts, and what it costs in precision.

use super::{
    Axis, Figure, Key, Look, PRECISION, Panel, Point, Series, Trail, legend, look, point, read,
};
use crate::metric::{
    spec::Spec,
    within::{EXACT, PROMPT_DISTANCE, SPECS},
};

pub(super) fn per_prompt(shown: &[Trail<'_>]) -> Option<Figure> {
    let any = |t: &&Trail<'_>| t.spots.iter().any(|s| s.per_prompt(&PROMPT_DISTANCE).is_some());
    let trails: Vec<Trail<'_>> = shown.iter().filter(any).cloned().collect();
    if trails.is_empty() {
        return None;
    }
    let along = |(prompt, across): &(&Spec, &Spec)| {
        let mut series = Vec::new();
        for trail in &trails {
            let (look, name) = (look(trail, &trails), trail.label(&trails));
            let dashed = Look { dash: look.dash + 1, shape: None, ..look };
            for (spec, look, which, band) in
                [(across, dashed, "different prompts", false), (prompt, look, "one prompt", true)]
            {
                let points = trail.spots.iter().filter_map(|spot| {
                    let e = spot.per_prompt(spec)?;
                    let note = format!("{name}, T = {}: {}", spot.temperature, read(spec.name, &e));
                    Some(point(spot.temperature, &e, note))
                });
                let (label, points) = (format!("{name}: {which}"), points.collect());
                series.push(Series { label, look, points, band });
            }
        }
        let short = prompt.name.trim_start_matches("prompt_").replace('_', " ");
        let y = if prompt.is_share() { Axis::unit(&short) } else { Axis::free(&short) };
        Panel { title: prompt.title.to_owned(), x: Axis::free("temperature"), y, series }
    };
    let mut panels: Vec<Panel> = SPECS.iter().chain([&EXACT]).map(along).collect();
    panels.retain(|panel| panel.series.iter().any(|series| !series.points.is_empty()));
    panels.extend(against_precision(&trails));
    let mut legend = legend(&trails, false);
    let dashed = Look { color: Look::GRAY, dash: 1, shape: None };
    legend.push(Key {
        label: "without points: as many completions of different prompts".to_owned(),
        look: dashed,
    });
    Some(Figure {
        name: "per_prompt_diversity_vs_temperature".to_owned(),
        title: "Diversity within a prompt".to_owned(),
        caption: "How varied the completions of one prompt are (points; shaded: 95 % interval over prompts), beside as many \
                  completions of different prompts (lines without points). A model whose lines lie far apart answers each prompt in few \
                  ways, however varied it is as a whole. Classes of meaning are clusters of texts nearer to each other \
                  than a reference text is to the next; exact modes are what is true of a task whose distribution is \
                  known. The last panel shows at what precision completions of a \
                  prompt are how far apart; temperature rises along the line."
            .to_owned(),
        panels,
        legend,
    })
}

/// Precision against the distance within a prompt.
fn against_precision(trails: &[Trail<'_>]) -> Option<Panel> {
    let series = trails.iter().map(|trail| {
        let label = trail.label(trails);
        let point = |spot: &super::Spot<'_>| {
            let (x, y) = (spot.per_prompt(&PROMPT_DISTANCE)?, spot.estimate(&PRECISION)?);
            let values = [read(PROMPT_DISTANCE.name, &x), read(PRECISION.name, &y)].join(", ");
            let note = format!("{label}, T = {}: {values}", spot.temperature);
            Some(Point { x: x.value, y: y.value, note, ..Point::default() })
        };
        let points: Vec<Point> = trail.spots.iter().filter_map(point).collect();
        Series { points, look: look(trail, trails), band: false, label }
    });
    let series: Vec<Series> = series.collect();
    let any = series.iter().any(|series| !series.points.is_empty());
    any.then(|| Panel {
        title: "Precision against distance within a prompt".to_owned(),
        x: Axis::free("distance within a prompt"),
        y: Axis::unit(PRECISION.name),
        series,
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
    fn a_run_without_several_completions_a_prompt_has_no_such_figure() {
        assert_eq!(per_prompt(&trails(&turned())), None);
    }

    #[test]
    fn within_has_points_beside_across_without_and_both_against_precision() {
        let of = |temperature: f64| {
            let mut found = result(cell("tiny", temperature));
            found.score.metrics.insert("precision".into(), Estimate::bare(1.0 - temperature / 4.0));
            for (name, value) in [("prompt_distance", 0.4), ("across_distance", 0.9)] {
                found.per_prompt.insert(name.into(), Estimate::bare(value * temperature));
            }
            found
        };
        let results = crate::report::record::Results { cells: vec![of(0.5), of(1.0)], ..turned() };
        let figure = per_prompt(&trails(&results)).unwrap();
        let titles: Vec<&str> = figure.panels.iter().map(|panel| panel.title.as_str()).collect();
        assert_eq!(titles, [PROMPT_DISTANCE.title, "Precision against distance within a prompt"]);
        let lines = &figure.panels[0].series;
        assert_eq!((lines[0].look.dash, lines[1].look.dash), (1, 0));
        assert!(lines[0].look.shape.is_none() && lines[1].look.shape.is_some());
        assert_eq!([lines[0].points[1].y, lines[1].points[1].y], [0.9, 0.4]);
        let point = &figure.panels[1].series[0].points[0];
        assert_eq!((point.x, point.y), (0.2, 0.875));
    }
}
