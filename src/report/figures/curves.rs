//! PR-curves and divergence frontiers, a panel a model, colored from cold to hot.

use super::{Axis, Figure, Key, Look, Panel, Point, Series, Spot, Trail};
use crate::score::record::Curves;

/// Panels and temperatures that one figure shows at most.
const MOST_PANELS: usize = 3;
const MOST_TEMPERATURES: usize = 6;

/// Horizontal and vertical coordinates of a curve.
type Pair = (Vec<f64>, Vec<f64>);

pub(super) fn pr_curves(all: &[Trail<'_>]) -> Option<Figure> {
    let curve = |curves: &Curves| {
        let pr = curves.pr.as_ref()?;
        Some((pr.beta.clone(), pr.alpha.clone()))
    };
    let (panels, legend) = panels(all, "β (recall)", "α (precision)", curve)?;
    Some(Figure {
        name: "pr_curves".to_owned(),
        title: "PR-curves".to_owned(),
        caption:
            "All trades between precision and recall at once: the larger the area below a curve, \
                  the closer the two distributions. The upper left end is about quality, the lower \
                  right end about diversity."
                .to_owned(),
        panels,
        legend,
    })
}

pub(super) fn frontiers(all: &[Trail<'_>]) -> Option<Figure> {
    let curve = |curves: &Curves| {
        let frontier = curves.frontier.as_ref()?;
        Some((frontier.x.clone(), frontier.y.clone()))
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

fn panels(
    all: &[Trail<'_>],
    x: &str,
    y: &str,
    curve: impl Fn(&Curves) -> Option<Pair>,
) -> Option<(Vec<Panel>, Vec<Key>)> {
    let has = |spot: &&Spot<'_>| spot.cells.iter().any(|c| curve(&c.score.curves).is_some());
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
    let picked: Vec<f64> = (0..count)
        .map(|i| temperatures[i * (temperatures.len() - 1) / (count - 1).max(1)])
        .collect();
    let look = |i: usize| Look {
        color: Look::ramp(i as f64 / (count - 1).max(1) as f64),
        dash: 0,
        shape: None,
    };
    let series = |trail: &Trail<'_>| -> Vec<Series> {
        let of = |(i, &t): (usize, &f64)| {
            let spot = trail.spots.iter().find(|s| s.temperature == t)?;
            let (xs, ys) = spot.cells.iter().find_map(|c| curve(&c.score.curves))?;
            let points = xs.iter().zip(&ys).map(|(&x, &y)| Point { x, y, ..Point::default() });
            Some(Series {
                label: format!("{}, T = {t}", trail.model),
                look: look(i),
                points: points.collect(),
                band: false,
            })
        };
        picked.iter().enumerate().filter_map(of).collect()
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
    let legend = picked
        .iter()
        .enumerate()
        .map(|(i, t)| Key { label: format!("T = {t}"), look: look(i) })
        .collect();
    (!panels.is_empty()).then_some((panels, legend))
}
