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

mod curves;
mod methods;
mod truth;

/// Trails that one panel shows at most; with more, those of the most shots.
const MOST_TRAILS: usize = 8;

/// Every figure that `results` has data for, in the order in which they are shown.
pub fn figures(results: &Results) -> Vec<Figure> {
    let all = trails(results);
    let shown = shown(&all);
    let mut figures = Vec::new();
    figures.extend(along_temperature(&shown));
    figures.extend(truth::against_truth(&all));
    figures.extend(plane(&shown));
    figures.extend(methods::methods_plane(results));
    figures.extend(along_shots(&all));
    figures.extend(more_measures(&shown));
    figures.extend(curves::pr_curves(&all));
    figures.extend(curves::frontiers(&all));
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

/// Color by model; dashes by what else tells trails apart.
fn look(trail: &Trail<'_>, all: &[Trail<'_>]) -> Look {
    let before = all.iter().take_while(|t| !std::ptr::eq(*t, trail));
    let dash = before.filter(|t| t.model == trail.model).count();
    Look { dash, ..Look::line(trail.index) }
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

/// Precision against recall, one trail a model along the temperature.
fn plane(shown: &[Trail<'_>]) -> Option<Figure> {
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
        name: "precision_recall_plane".to_owned(),
        title: "The trade: precision against recall along the temperature".to_owned(),
        caption: "Each trail is a model, each point a temperature (written beside it). Up is better \
                  quality, right is more diversity; a trail above and to the right of another wins on both."
            .to_owned(),
        panels: vec![Panel {
            title: String::new(),
            x: Axis::unit("recall (diversity)"),
            y: Axis::unit("precision (quality)"),
            series,
        }],
        legend: keys,
    })
}

/// Precision and recall against shots at up to three temperatures.
fn along_shots(all: &[Trail<'_>]) -> Option<Figure> {
    let first = all.first()?;
    if all.iter().all(|t| t.shots == first.shots) {
        return None;
    }
    let count = first.spots.len();
    let mut picked: Vec<f64> = [count / 4, count / 2, count * 3 / 4]
        .map(|i| first.spots[i.min(count - 1)].temperature)
        .to_vec();
    picked.dedup();
    let mut groups: Vec<&Trail<'_>> = Vec::new();
    for trail in all {
        if !groups.iter().any(|g| (g.model, &g.rest) == (trail.model, &trail.rest)) {
            groups.push(trail);
        }
    }
    let panel = |spec: &Spec, title: String| {
        let mut series = Vec::new();
        for group in &groups {
            let mut same: Vec<&Trail<'_>> =
                all.iter().filter(|t| (t.model, &t.rest) == (group.model, &group.rest)).collect();
            same.sort_by_key(|t| t.shots);
            for (dash, &t) in picked.iter().enumerate() {
                let at = |trail: &&Trail<'_>| -> Option<Point> {
                    let spot: &Spot<'_> = trail.spots.iter().find(|s| s.temperature == t)?;
                    let e = spot.estimate(spec)?;
                    let note = format!(
                        "{}, T = {t}, {} shots: {}",
                        group.model,
                        trail.shots,
                        read(spec.name, &e)
                    );
                    Some(point(trail.shots as f64, &e, note))
                };
                let look = Look { dash, ..Look::line(group.index) };
                let label = format!("{}, T = {t}", group.model);
                series.push(Series {
                    label,
                    look,
                    points: same.iter().filter_map(at).collect(),
                    band: false,
                });
            }
        }
        Panel { title, x: Axis::whole("in-context examples"), y: Axis::unit(spec.name), series }
    };
    let panels = vec![panel(&PRECISION, quality()), panel(&RECALL, diversity())];
    let legend =
        panels[0].series.iter().map(|s| Key { label: s.label.clone(), look: s.look }).collect();
    Some(Figure {
        name: "precision_recall_vs_shots".to_owned(),
        title: "Quality and diversity against in-context examples".to_owned(),
        caption: "Colors are models, dashes are temperatures.".to_owned(),
        panels,
        legend,
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
