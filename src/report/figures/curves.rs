//! PR-curves and divergence frontiers, a panel a model, colored from cold to hot.

use super::{Axis, Figure, Key, Look, Panel, Point, Series, Spot, Trail};
use crate::score::record::{Curves, PrCurve};

/// Panels and temperatures that one figure shows at most.
const MOST_PANELS: usize = 3;
const MOST_TEMPERATURES: usize = 6;

/// Slopes that are marked on a PR-curve.
const MARKED: [f64; 3] = [0.2, 1.0, 5.0];

/// A curve, horizontal coordinates first, and the slopes that are marked on it with theirs.
struct Line {
    points: Vec<(f64, f64)>,
    marked: Vec<(f64, f64, f64)>,
}

fn pairs(xs: &[f64], ys: &[f64]) -> Vec<(f64, f64)> {
    xs.iter().copied().zip(ys.iter().copied()).collect()
}

pub(super) fn pr_curves(all: &[Trail<'_>]) -> Option<Figure> {
    let curve = |curves: &Curves| {
        let pr = curves.pr.as_ref()?;
        Some(Line { points: pairs(&pr.beta, &pr.alpha), marked: marked(pr) })
    };
    let (panels, legend) = panels(all, "β (recall)", "α (precision)", curve)?;
    Some(Figure {
        name: "pr_curves".to_owned(),
        title: "PR-curves".to_owned(),
        caption:
            "All trades between precision and recall at once: the larger the area below a curve, \
                  the closer the two distributions. The upper left end is about quality, the lower \
                  right end about diversity. λ is the slope of the line from the origin to a point: α = λβ."
                .to_owned(),
        panels,
        legend,
    })
}

pub(super) fn frontiers(all: &[Trail<'_>]) -> Option<Figure> {
    let curve = |curves: &Curves| {
        let frontier = curves.frontier.as_ref()?;
        Some(Line { points: pairs(&frontier.x, &frontier.y), marked: Vec::new() })
    };
    let (panels, legend) = panels(all, "exp(−c KL(Q‖R))", "exp(−c KL(P‖R))", curve)?;
    Some(Figure {
        name: "divergence_frontiers".to_owned(),
        title: "Divergence frontiers".to_owned(),
        caption:
            "The curve whose area is MAUVE. Low on the left side: the model writes what people do \
                  not; low on the right side: people write what the model does not."
                .to_owned(),
        panels,
        legend,
    })
}

/// Trails and temperatures whose curves are shown, and what colors stand for.
pub(super) struct Chosen<'a, 'b> {
    pub(super) trails: Vec<&'b Trail<'a>>,
    pub(super) steps: Vec<Step>,
    pub(super) legend: Vec<Key>,
}

/// A temperature and its color.
pub(super) struct Step {
    pub(super) temperature: f64,
    pub(super) look: Look,
}

/// The first trails of the most shots that have the curve, at temperatures from the lowest to the highest.
pub(super) fn chosen<'a, 'b>(
    all: &'b [Trail<'a>],
    curve: impl Fn(&Curves) -> bool,
) -> Option<Chosen<'a, 'b>> {
    let has = |spot: &&Spot<'_>| spot.cells.iter().any(|c| curve(&c.score.curves));
    let most = all.iter().map(|t| t.shots).max()?;
    let trails: Vec<&Trail<'_>> = all
        .iter()
        .filter(|t| t.shots == most && t.spots.iter().any(|s| has(&s)))
        .take(MOST_PANELS)
        .collect();
    let mut temperatures: Vec<f64> =
        trails.iter().flat_map(|t| t.spots.iter().filter(has)).map(|s| s.temperature).collect();
    temperatures.sort_by(f64::total_cmp);
    temperatures.dedup();
    let count = temperatures.len().min(MOST_TEMPERATURES);
    let step = |i: usize| {
        let temperature = temperatures[i * (temperatures.len() - 1) / (count - 1).max(1)];
        let color = Look::ramp(i as f64 / (count - 1).max(1) as f64);
        Step { temperature, look: Look { color, dash: 0, shape: None } }
    };
    let steps: Vec<Step> = (0..count).map(step).collect();
    let key = |step: &Step| Key { label: format!("T = {}", step.temperature), look: step.look };
    let legend = steps.iter().map(key).collect();
    (!trails.is_empty()).then_some(Chosen { trails, steps, legend })
}

fn panels(
    all: &[Trail<'_>],
    x: &str,
    y: &str,
    curve: impl Fn(&Curves) -> Option<Line>,
) -> Option<(Vec<Panel>, Vec<Key>)> {
    let Chosen { trails, steps, legend } = chosen(all, |curves| curve(curves).is_some())?;
    let series = |trail: &Trail<'_>| -> Vec<Series> {
        let of = |step: &Step| {
            let t = step.temperature;
            let spot = trail.spots.iter().find(|s| s.temperature == t)?;
            let line = spot.cells.iter().find_map(|c| curve(&c.score.curves))?;
            let points = line.points.iter().map(|&(x, y)| Point { x, y, ..Point::default() });
            let label = format!("{}, T = {t}", trail.model);
            // A series of one point is drawn as a point, without a line.
            let marked = line.marked.iter().map(|(lambda, x, y)| Series {
                label: label.clone(),
                look: Look { shape: Some(0), ..step.look },
                points: vec![Point {
                    x: *x,
                    y: *y,
                    mark: Some(format!("λ={lambda}")),
                    note: format!("{label}, λ = {lambda}: α {y:.3}, β {x:.3}"),
                    ..Point::default()
                }],
                band: false,
            });
            let whole = Series {
                label: label.clone(),
                look: step.look,
                points: points.collect(),
                band: false,
            };
            Some(std::iter::once(whole).chain(marked).collect::<Vec<_>>())
        };
        steps.iter().filter_map(of).flatten().collect()
    };
    let panels: Vec<Panel> = trails
        .iter()
        .map(|trail| Panel {
            title: trail.label(all),
            x: Axis::unit(x),
            y: Axis::unit(y),
            series: series(trail),
        })
        .collect();
    Some((panels, legend))
}

/// The point of a curve at the slope nearest to each of [`MARKED`].
fn marked(curve: &PrCurve) -> Vec<(f64, f64, f64)> {
    let at = |wanted: f64| {
        let off = |i: &usize| (curve.lambda[*i].ln() - wanted.ln()).abs();
        let nearest = (0..curve.lambda.len()).min_by(|a, b| off(a).total_cmp(&off(b)))?;
        // Slopes that the curve does not come near to are not marked.
        let near = off(&nearest) < 0.1;
        near.then(|| (wanted, curve.beta[nearest], curve.alpha[nearest]))
    };
    MARKED.into_iter().filter_map(at).collect()
}
