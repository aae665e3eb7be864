//! Where the words beside points stand, so that none covers another.

use std::fmt::Write;

use super::{
    Key, Look, Panel, Point,
    xml::{class, escape, n},
};

/// Left, top, right, bottom.
type Box = (f64, f64, f64, f64);

/// Width of a character and height of a line at the size of labels.
const CHARACTER: f64 = 6.5;
const LINE: f64 = 10.0;

fn meet(a: Box, b: Box) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// A label's box at a corner of its point, and whether its text ends there.
fn corner(x: f64, y: f64, width: f64, right: bool, above: bool) -> (Box, bool) {
    let left = if right { x + 7.0 } else { x - 7.0 - width };
    let top = if above { y - 6.0 - LINE } else { y + 6.0 };
    ((left, top, left + width, top + LINE), !right)
}

/// The entry of the legend that stands for what has this color and these dashes.
pub(super) fn key(keys: &[Key], look: Look) -> Option<usize> {
    let of = |look: Look| (look.color, look.dash);
    keys.iter().position(|key| of(key.look) == of(look))
}

/// Writes the marks of a panel's points: those at the ends of their series first, each at the first
/// corner of its point where it covers neither a label nor a point. One that finds no room is left out;
/// it is still read on hovering.
pub(super) fn marks(
    out: &mut String,
    (panel, keys): (&Panel, &[Key]),
    at: &impl Fn(&Point) -> (f64, f64),
    edge: (f64, f64),
) {
    let finite = |p: &&Point| p.x.is_finite() && p.y.is_finite();
    let points = || panel.series.iter().flat_map(|series| &series.points).filter(finite);
    let mut taken: Vec<Box> =
        points().map(at).map(|(x, y)| (x - 3.5, y - 3.5, x + 3.5, y + 3.5)).collect();
    for ends in [true, false] {
        for series in &panel.series {
            let last = series.points.len().saturating_sub(1);
            for (i, point) in series.points.iter().enumerate() {
                let (Some(mark), true) = (&point.mark, finite(&point)) else { continue };
                if (i == 0 || i == last) != ends {
                    continue;
                }
                let (x, y) = at(point);
                let width = CHARACTER * mark.chars().count() as f64;
                let corners = [(true, true), (false, true), (true, false), (false, false)];
                let free = corners
                    .map(|(right, above)| corner(x, y, width, right, above))
                    .into_iter()
                    .find(|(b, _)| {
                        b.2 <= edge.0 && b.3 <= edge.1 && !taken.iter().any(|t| meet(*b, *t))
                    });
                let Some((place, end)) = free else { continue };
                taken.push(place);
                let _ = writeln!(
                    out,
                    "<text x=\"{}\" y=\"{}\" class=\"n {}{}\"{}>{}</text>",
                    n(if end { place.2 } else { place.0 }),
                    n(place.3),
                    class(series.look),
                    if end { " e" } else { "" },
                    key(keys, series.look).map_or(String::new(), |at| format!(" data-k=\"{at}\"")),
                    escape(mark)
                );
            }
        }
    }
}
