//! How well models fit the reference at each temperature, beside quality and diversity of what they write there.

use super::{
    Axis, Figure, PRECISION, Panel, Point, RECALL, Series, Trail, diversity, has_ceiling, legend,
    look, measure_panel, point, quality, read,
};
use crate::metric::{reference_nll::SPECS, spec::Spec};

pub(super) fn fit(shown: &[Trail<'_>]) -> Option<Figure> {
    // Cells that differ in truncations alone have one likelihood: a line a model and number of examples.
    let mut lines: Vec<Trail<'_>> = Vec::new();
    for trail in shown {
        let same = |t: &&mut Trail<'_>| (t.index, t.shots) == (trail.index, trail.shots);
        match lines.iter_mut().find(same) {
            None => lines.push(Trail { rest: String::new(), ..trail.clone() }),
            Some(line) => {
                for spot in &trail.spots {
                    if line.spots.iter().all(|s| s.temperature != spot.temperature) {
                        line.spots.push(spot.clone());
                    }
                }
                line.spots.sort_by(|a, b| a.temperature.total_cmp(&b.temperature));
            }
        }
    }
    lines.retain(|line| line.spots.iter().any(|spot| spot.reference_nll(SPECS[0]).is_some()));
    if lines.is_empty() {
        return None;
    }
    let mut panels: Vec<Panel> = SPECS.iter().map(|spec| panel(spec, &lines)).collect();
    panels.push(measure_panel(&lines, &PRECISION, quality()));
    panels.push(measure_panel(&lines, &RECALL, diversity()));
    Some(Figure {
        name: "reference_nll_vs_temperature".to_owned(),
        title: "Likelihood of the reference against temperature".to_owned(),
        caption: "What a token of the reference costs the model, and a byte, at each temperature, of one reading of every \
                  text behind a prompt of the task; truncations and penalties are left out, and so is the end of a text. The marked \
                  temperature of each line fits the reference best: below it the model is too sure of itself, above it \
                  too undecided. Beside it quality and diversity of what it writes there. Shaded: 95 % interval over texts."
            .to_owned(),
        panels,
        legend: legend(&lines, has_ceiling(&lines, &[&PRECISION, &RECALL])),
    })
}

/// A line a trail along the temperature, its least value marked.
fn panel(spec: &'static Spec, lines: &[Trail<'_>]) -> Panel {
    let series = lines.iter().map(|trail| {
        let label = trail.label(lines);
        let mut points: Vec<Point> = trail
            .spots
            .iter()
            .filter_map(|spot| {
                let e = spot.reference_nll(spec)?;
                let note = format!("{label}, T = {}: {}", spot.temperature, read(spec.name, &e));
                Some(point(spot.temperature, &e, note))
            })
            .collect();
        // Of equals the first; a line of one point has no least.
        let several = points.len() > 1;
        let least = points.iter_mut().filter(|p| p.y.is_finite() && several);
        if let Some(best) = least.min_by(|a, b| a.y.total_cmp(&b.y)) {
            best.mark = Some(format!("T = {}", best.x));
        }
        Series { points, look: look(trail, lines), band: true, label }
    });
    let (_, unit) = spec.title.split_once(", ").unwrap_or(("", spec.title));
    Panel {
        title: spec.title.to_owned(),
        x: Axis::free("temperature"),
        y: Axis::free(unit),
        series: series.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{
            record::{
                CellResult, Results,
                tests::{cell, result, turned},
            },
            trail::trails,
        },
        score::record::Estimate,
    };

    fn of(model: &str, temperature: f64, nll: f64) -> CellResult {
        let mut found = result(cell(model, temperature));
        found.score.metrics.insert("precision".into(), Estimate::bare(0.9));
        for (name, value) in [("reference_nll", nll), ("reference_bits_per_byte", nll / 4.0)] {
            found.reference_nll.insert(name.into(), Estimate::bare(value));
        }
        found
    }

    #[test]
    fn the_temperature_that_fits_best_is_marked_on_each_line() {
        let cells = vec![
            of("a", 0.5, 3.0),
            of("a", 1.0, 2.0),
            of("a", 1.5, 2.5),
            of("b", 0.5, 1.5),
            of("b", 1.0, 1.75),
        ];
        let results = Results { cells, ..turned() };
        let figure = fit(&trails(&results)).unwrap();
        let marks = |panel: &Panel| -> Vec<Option<String>> {
            let points = panel.series.iter().flat_map(|line| &line.points);
            points.map(|point| point.mark.clone()).collect()
        };
        let wanted = [None, Some("T = 1".to_owned()), None, Some("T = 0.5".to_owned()), None];
        assert_eq!(marks(&figure.panels[0]), wanted);
        assert_eq!(marks(&figure.panels[1]), wanted);
        let axes: Vec<&str> = figure.panels.iter().map(|panel| panel.y.label.as_str()).collect();
        assert_eq!(axes, ["nats a token", "bits a byte", "precision", "recall"]);
        assert_eq!(figure.legend.len(), 2);
    }

    #[test]
    fn cells_that_differ_in_truncation_share_a_line() {
        let mut cells = vec![of("a", 0.5, 3.0), of("a", 1.0, 2.0), of("a", 1.5, 2.5)];
        cells[1].cell.decoding.top_p = Some(0.5);
        let results = Results { cells, ..turned() };
        let figure = fit(&trails(&results)).unwrap();
        assert_eq!(figure.panels[0].series.len(), 1);
        let x: Vec<f64> = figure.panels[0].series[0].points.iter().map(|p| p.x).collect();
        assert_eq!(x, [0.5, 1.0, 1.5]);
    }

    #[test]
    fn a_run_that_did_not_read_its_reference_has_no_such_figure() {
        assert_eq!(fit(&trails(&turned())), None);
    }
}
