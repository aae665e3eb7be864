//! What becomes of in-context examples as there are more of them.

use super::{Axis, Figure, Key, Look, Panel, Point, Series, Trail, left_out, point, read};

/// Models and settings that the figure shows at most.
const MOST_GROUPS: usize = 4;

/// Title of each panel, what is drawn solid, and what dashed beside it.
const PANELS: [(&str, &str, Option<&str>); 3] = [
    ("Copied from the examples", "examples_copied", Some("examples_copied_others")),
    ("Examples dropped", "examples_dropped", None),
    ("Examples met in the reference", "examples_leaked", None),
];

pub(super) fn along_examples(all: &[Trail<'_>]) -> Option<Figure> {
    let known = |t: &&Trail<'_>| t.spots.iter().any(|s| s.examples(PANELS[0].1).is_some());
    let trails: Vec<&Trail<'_>> = all.iter().filter(known).collect();
    let first = trails.first()?;
    if trails.iter().all(|t| t.shots == first.shots) {
        return None;
    }
    let temperature = first.spots[first.spots.len() / 2].temperature;
    let mut groups: Vec<&Trail<'_>> = Vec::new();
    for trail in &trails {
        if !groups.iter().any(|g| (g.model, &g.rest) == (trail.model, &trail.rest)) {
            groups.push(trail);
        }
    }
    let found = groups.len();
    groups.truncate(MOST_GROUPS);
    let name = |group: &Trail<'_>| match group.rest.as_str() {
        "" => group.model.to_owned(),
        rest => format!("{}, {rest}", group.model),
    };
    let panel = |&(title, solid, dashed): &(&str, &str, Option<&str>)| {
        let mut series = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            let mut same: Vec<&&Trail<'_>> = trails
                .iter()
                .filter(|t| (t.model, &t.rest) == (group.model, &group.rest))
                .collect();
            same.sort_by_key(|t| t.shots);
            let look = Look::line(at);
            let lines = [
                dashed.map(|d| (d, Look { dash: 1, shape: None, ..look }, false)),
                Some((solid, look, true)),
            ];
            for (which, look, band) in lines.into_iter().flatten() {
                let of = |trail: &&&Trail<'_>| -> Option<Point> {
                    let e = trail.nearest(temperature)?.examples(which)?;
                    let note =
                        format!("{}, {} shots: {}", name(group), trail.shots, read(which, &e));
                    Some(point(trail.shots as f64, &e, note))
                };
                let points = same.iter().filter_map(of).collect();
                series.push(Series { label: name(group), look, points, band });
            }
        }
        let (x, y) = (Axis::whole("in-context examples"), Axis::unit("share"));
        Panel { title: title.to_owned(), x, y, series }
    };
    let key = |(at, group): (usize, &&Trail<'_>)| Key { label: name(group), look: Look::line(at) };
    let mut legend: Vec<Key> = groups.iter().enumerate().map(key).collect();
    let look = Look { color: Look::GRAY, dash: 1, shape: None };
    legend.push(Key { label: "dashed: from another prompt's examples".to_owned(), look });
    Some(Figure {
        name: "examples_vs_shots".to_owned(),
        title: "What becomes of in-context examples".to_owned(),
        caption: format!(
            "At T = {temperature}. Left: completions that have eight words in a row from their prompt, and from another \
             prompt, which the kind of text brings along; the difference is copying. Middle: examples left out because \
             prompts did not fit. Right: reference texts that have eight words in a row from a prompt.{}",
            left_out(groups.len(), found)
        ),
        panels: PANELS.iter().map(panel).collect(),
        legend,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{
            record::{
                CellRecord,
                tests::{cell, result, turned},
            },
            trail::trails,
        },
        score::record::Estimate,
    };

    #[test]
    fn copies_stand_beside_what_others_would_have_copied_at_each_number_of_shots() {
        let of = |shots: usize| {
            let mut found = result(CellRecord { shots, ..cell("tiny", 1.0) });
            for (name, value) in [("examples_copied", 0.1), ("examples_copied_others", 0.02)] {
                found.examples.insert(name.into(), Estimate::bare(value * shots as f64));
            }
            found
        };
        let with = |cells| crate::report::record::Results { cells, ..turned() };
        assert_eq!(along_examples(&trails(&with(vec![of(2)]))), None, "one number of shots");
        assert_eq!(along_examples(&trails(&turned())), None);
        let results = with(vec![of(4), of(2)]);
        let figure = along_examples(&trails(&results)).unwrap();
        let lines = &figure.panels[0].series;
        let values = |at: usize| lines[at].points.iter().map(|p| (p.x, p.y)).collect::<Vec<_>>();
        assert_eq!(values(0), [(2.0, 0.04), (4.0, 0.08)]);
        assert_eq!(values(1), [(2.0, 0.2), (4.0, 0.4)]);
        assert_eq!((lines[0].look.dash, lines[1].look.dash), (1, 0));
    }
}
