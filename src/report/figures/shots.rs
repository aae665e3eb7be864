//! Precision and recall against in-context examples.

use super::{
    Axis, Figure, Key, Look, PRECISION, Panel, Point, RECALL, Series, Spec, Spot, Trail, diversity,
    left_out, point, quality, read,
};

/// Models and settings that the figure shows at most.
const MOST_GROUPS: usize = 4;

/// What a perfect model scores: the mean of the ceilings at each number of examples.
fn ceiling(all: &[Trail<'_>], spec: &Spec) -> Option<Series> {
    let mut shots: Vec<usize> = all.iter().map(|trail| trail.shots).collect();
    shots.sort_unstable();
    shots.dedup();
    let of = |&shots: &usize| {
        let spots = all.iter().filter(|trail| trail.shots == shots).flat_map(|trail| &trail.spots);
        let values: Vec<f64> = spots.filter_map(|spot| spot.estimate(spec)?.ceiling).collect();
        let y = values.iter().sum::<f64>() / values.len() as f64;
        (!values.is_empty()).then(|| Point { x: shots as f64, y, ..Point::default() })
    };
    let points: Vec<Point> = shots.iter().filter_map(of).collect();
    (!points.is_empty()).then(|| Series {
        label: "ceiling: the reference against itself".to_owned(),
        look: Look { color: Look::GRAY, dash: 1, shape: None },
        points,
        band: false,
    })
}

/// Precision and recall against shots at up to three temperatures.
pub(super) fn along_shots(all: &[Trail<'_>]) -> Option<Figure> {
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
    let found = groups.len();
    groups.truncate(MOST_GROUPS);
    let name = |group: &Trail<'_>| match group.rest.as_str() {
        "" => group.model.to_owned(),
        rest if groups.iter().all(|other| other.rest == rest) => group.model.to_owned(),
        rest => format!("{}, {rest}", group.model),
    };
    // Colors are models, unless one model has several settings.
    let one = groups.iter().all(|group| group.model == first.model);
    let color = |at: usize, group: &Trail<'_>| if one { at } else { group.index };
    let panel = |spec: &Spec, title: String| {
        let mut series = Vec::from_iter(ceiling(all, spec));
        for (at_group, group) in groups.iter().enumerate() {
            let mut same: Vec<&Trail<'_>> =
                all.iter().filter(|t| (t.model, &t.rest) == (group.model, &group.rest)).collect();
            same.sort_by_key(|t| t.shots);
            for (dash, &t) in picked.iter().enumerate() {
                let at = |trail: &&Trail<'_>| -> Option<Point> {
                    let spot: &Spot<'_> = trail.spots.iter().find(|s| s.temperature == t)?;
                    let e = spot.estimate(spec)?;
                    let note = format!(
                        "{}, T = {t}, {} shots: {}",
                        name(group),
                        trail.shots,
                        read(spec.name, &e)
                    );
                    Some(point(trail.shots as f64, &e, note))
                };
                let look = Look { dash, ..Look::line(color(at_group, group)) };
                let label = format!("{}, T = {t}", name(group));
                series.push(Series {
                    label,
                    look,
                    points: same.iter().filter_map(at).collect(),
                    band: true,
                });
            }
        }
        Panel { title, x: Axis::whole("in-context examples"), y: Axis::unit(spec.name), series }
    };
    let panels = vec![panel(&PRECISION, quality()), panel(&RECALL, diversity())];
    let key = |s: &Series| Key { label: s.label.clone(), look: s.look };
    // The ceiling is drawn first and named last.
    let (gray, colored): (Vec<_>, Vec<_>) =
        panels[0].series.iter().map(key).partition(|key| key.look.color == Look::GRAY);
    let legend = colored.into_iter().chain(gray).collect();
    Some(Figure {
        name: "precision_recall_vs_shots".to_owned(),
        title: "Quality and diversity against in-context examples".to_owned(),
        caption: "Colors are models, dashes are temperatures. Shaded: 95 % interval of sampling. Dashed gray: what a \
                  perfect model would score at this sample size."
            .to_owned()
            + &left_out(groups.len(), found),
        panels,
        legend,
    })
}
