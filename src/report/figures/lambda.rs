//! Both sides of the PR-curve against its slope.

use super::{
    Axis, Figure, Panel, Point, Series, Trail,
    curves::{Chosen, Step, chosen},
};

/// `α` and `β` of one trail at several temperatures.
pub(super) fn along_lambda(all: &[Trail<'_>]) -> Option<Figure> {
    let Chosen { trails, steps, legend } = chosen(all, |curves| curves.pr.is_some())?;
    let trail = *trails.first()?;
    let panel = |title: &str, label: &str, alpha: bool| {
        let of = |step: &Step| {
            let cells = trail.spots.iter().find(|s| s.temperature == step.temperature)?;
            let pr = cells.cells.iter().find_map(|cell| cell.score.curves.pr.as_ref())?;
            let values = if alpha { &pr.alpha } else { &pr.beta };
            let point = |(&lambda, &y): (&f64, &f64)| Point {
                x: lambda.log2(),
                y,
                note: format!("T = {}, λ = {lambda:.3}: {label} {y:.3}", step.temperature),
                ..Point::default()
            };
            let points = pr
                .lambda
                .iter()
                .zip(values)
                .filter(|(lambda, _)| **lambda > 0.0 && lambda.is_finite());
            Some(Series {
                label: format!("T = {}", step.temperature),
                look: step.look,
                points: points.map(point).collect(),
                band: false,
            })
        };
        Panel {
            title: title.to_owned(),
            x: Axis::free("log₂ λ"),
            y: Axis::unit(label),
            series: steps.iter().filter_map(of).collect(),
        }
    };
    Some(Figure {
        name: "alpha_beta_vs_lambda".to_owned(),
        title: format!("α and β against λ: {}", trail.label(all)),
        caption: "λ is what a text of the reference weighs against one of the model, α = Σ min(λp, q) and β = α/λ: far to the \
                  left β is recall, far to the right α is precision, and at λ = 1 both are one minus the total variation."
            .to_owned(),
        panels: vec![
            panel("α: quality", "α (precision)", true),
            panel("β: diversity", "β (recall)", false),
        ],
        legend,
    })
}
