//! Which figures a run has.

use super::{
    figure::{Axis, Figure, Key, Look, Panel, Point, Series},
    record::Results,
    trail::{Spot, Trail, models, trails},
};
use crate::{
    metric::{
        frechet::FRECHET_DISTANCE,
        frontier::MAUVE,
        prdc::{COVERAGE, DENSITY, PRECISION, RECALL},
        spec::Spec,
        vendi::VENDI_SCORE,
    },
    score::record::Estimate,
};

mod cost;
mod curves;
mod examples;
mod fit;
mod lambda;
mod methods;
mod per_prompt;
mod plane;
mod prefixes;
mod shots;
mod truth;

/// Trails that one panel shows at most; with more, those of the most shots.
const MOST_TRAILS: usize = 8;

/// Every figure that `results` has data for, in the order in which they are shown.
pub fn figures(results: &Results) -> Vec<Figure> {
    let all = trails(results);
    let shown = shown(&all);
    let mut figures = Vec::new();
    figures.extend(along_temperature(&shown));
    figures.extend(fit::fit(&shown));
    figures.extend(truth::against_truth(&all));
    figures.extend(plane::plane(&shown));
    figures.extend(methods::methods_plane(results));
    figures.extend(shots::along_shots(&all));
    figures.extend(examples::along_examples(&all));
    figures.extend(more_measures(&shown));
    figures.extend(per_prompt::per_prompt(&shown));
    figures.extend(prefixes::along_prefixes(&all));
    figures.extend(cost::cost_of_texts(&shown));
    figures.extend(curves::pr_curves(&all));
    figures.extend(lambda::along_lambda(&all));
    figures.extend(curves::frontiers(&all));
    for figure in &mut figures {
        if figure.name.ends_with("_vs_temperature") || figure.name == plane::NAME {
            figure.caption += &left_out(shown.len(), all.len());
        }
    }
    debug_assert!(models(results).len() >= usize::from(!figures.is_empty()));
    figures
}

/// All trails, or those of the most shots where they are too many to tell apart.
fn shown<'a>(all: &[Trail<'a>]) -> Vec<Trail<'a>> {
    if all.len() <= MOST_TRAILS {
        return all.to_vec();
    }
    let most = all.iter().map(|t| t.shots).max().unwrap_or(0);
    all.iter().filter(|t| t.shots == most).take(MOST_TRAILS).cloned().collect()
}

/// Color by model, dashes and shapes by what else tells trails apart; with one model alone colors tell.
fn look(trail: &Trail<'_>, all: &[Trail<'_>]) -> Look {
    let before = || all.iter().take_while(|t| !std::ptr::eq(*t, trail));
    if all.iter().all(|t| t.model == trail.model) {
        let at = before().count();
        return Look { dash: at / Look::COLORS, ..Look::line(at) };
    }
    let dash = before().filter(|t| t.model == trail.model).count();
    Look { dash, shape: Some(trail.index + dash), ..Look::line(trail.index) }
}

/// What a caption adds where only `shown` of `all` trails are drawn.
fn left_out(shown: usize, all: usize) -> String {
    match shown < all {
        true => format!(" Drawn are {shown} of {all} trails; the table has all."),
        false => String::new(),
    }
}

fn point(x: f64, estimate: &Estimate, note: String) -> Point {
    let interval = estimate.low.zip(estimate.high);
    Point { x, y: estimate.value, interval, mark: None, note }
}

/// A value with its interval as it is read aloud.
fn read(name: &str, estimate: &Estimate) -> String {
    let interval = match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!(" ({low:.3} to {high:.3})"),
        _ => String::new(),
    };
    format!("{name} {:.3}{interval}", estimate.value)
}

/// A measure of every trail along the temperature, with the ceiling as a gray line.
fn measure_panel(shown: &[Trail<'_>], spec: &Spec, title: String) -> Panel {
    let mut series = Vec::new();
    let mut ceilings: Vec<(f64, Vec<f64>)> = Vec::new();
    for spot in shown.iter().flat_map(|trail| &trail.spots) {
        let Some(ceiling) = spot.estimate(spec).and_then(|e| e.ceiling) else { continue };
        match ceilings.iter_mut().find(|(t, _)| *t == spot.temperature) {
            Some((_, values)) => values.push(ceiling),
            None => ceilings.push((spot.temperature, vec![ceiling])),
        }
    }
    ceilings.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let ceiling =
        ceilings.iter().map(|(t, values)| Point { x: *t, y: mean(values), ..Point::default() });
    series.push(Series {
        label: "ceiling".to_owned(),
        look: Look { color: Look::GRAY, dash: 1, shape: None },
        points: ceiling.collect(),
        band: false,
    });
    for trail in shown {
        let label = trail.label(shown);
        let points = trail.spots.iter().map(|spot| match spot.estimate(spec) {
            Some(e) => point(
                spot.temperature,
                &e,
                format!("{label}, T = {}: {}", spot.temperature, read(spec.name, &e)),
            ),
            None => Point { x: spot.temperature, y: f64::NAN, ..Point::default() },
        });
        series.push(Series {
            points: points.collect(),
            look: look(trail, shown),
            band: true,
            label,
        });
    }
    let y = if spec.is_share() { Axis::unit(spec.name) } else { Axis::free(spec.name) };
    Panel { title, x: Axis::free("temperature"), y, series }
}

fn legend(shown: &[Trail<'_>], ceiling: bool) -> Vec<Key> {
    let mut keys: Vec<Key> =
        shown.iter().map(|t| Key { label: t.label(shown), look: look(t, shown) }).collect();
    if ceiling {
        let look = Look { color: Look::GRAY, dash: 1, shape: None };
        keys.push(Key { label: "ceiling: the reference against itself".to_owned(), look });
    }
    keys
}

fn has(trails: &[Trail<'_>], spec: &Spec) -> bool {
    trails.iter().flat_map(|t| &t.spots).any(|spot| spot.estimate(spec).is_some())
}

fn has_ceiling(trails: &[Trail<'_>], specs: &[&Spec]) -> bool {
    let mut spots = trails.iter().flat_map(|t| &t.spots);
    spots.any(|s| specs.iter().any(|spec| s.estimate(spec).is_some_and(|e| e.ceiling.is_some())))
}

/// The title of a panel of precision.
fn quality() -> String {
    format!("{} (quality)", PRECISION.title)
}

/// The title of a panel of recall.
fn diversity() -> String {
    format!("{} (diversity)", RECALL.title)
}

fn along_temperature(shown: &[Trail<'_>]) -> Option<Figure> {
    if !has(shown, &PRECISION) && !has(shown, &RECALL) {
        return None;
    }
    Some(Figure {
        name: "precision_recall_vs_temperature".to_owned(),
        title: "Quality and diversity against temperature".to_owned(),
        caption: "Precision is the share of the model's texts that look like reference texts; recall is \
                  the share of reference texts that the model's texts reach. Shaded: 95 % interval of sampling, which says nothing of bias. \
                  Dashed gray: what a perfect model would score at this sample size."
            .to_owned(),
        panels: vec![
            measure_panel(shown, &PRECISION, quality()),
            measure_panel(shown, &RECALL, diversity()),
        ],
        legend: legend(shown, has_ceiling(shown, &[&PRECISION, &RECALL])),
    })
}

fn more_measures(shown: &[Trail<'_>]) -> Option<Figure> {
    let known = [&DENSITY, &COVERAGE, &MAUVE, &VENDI_SCORE, &FRECHET_DISTANCE];
    let found: Vec<&Spec> = known.into_iter().filter(|spec| has(shown, spec)).take(3).collect();
    if found.is_empty() {
        return None;
    }
    Some(Figure {
        name: "more_measures_vs_temperature".to_owned(),
        title: "Other measures against temperature".to_owned(),
        caption: "Density counts reference neighborhoods around the model's texts (1 is what a perfect \
                  model scores), coverage is the share of reference neighborhoods with a text of the \
                  model in them, MAUVE holds the two distributions against each other as a whole."
            .to_owned(),
        panels: found.iter().map(|spec| measure_panel(shown, spec, spec.title.to_owned())).collect(),
        legend: legend(shown, has_ceiling(shown, &found)),
    })
}
