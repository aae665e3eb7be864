//! Figures drawn as SVG.

use std::fmt::Write;

use super::{
    Figure, Key, Panel, Point, Series, labels, scale,
    xml::{class, escape, n},
};

/// What surrounds the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// A file of its own, with a background and styles that any program reads.
    File,
    /// Part of a page that has [`STYLE`](super::STYLE).
    Inline,
}

const WIDTH: f64 = 880.0;
const TOP: f64 = 58.0;
const GAP: f64 = 30.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 46.0;
/// Between rows of panels: room for a line of title.
const ROW_GAP: f64 = 28.0;

/// Panels beside each other at most; others stand below them.
const MOST_IN_A_ROW: usize = 3;
/// Width of a character and height of a line of a panel's title.
const TITLE_CHARACTER: f64 = 7.2;
const TITLE_LINE: f64 = 16.0;

pub(super) fn draw(figure: &Figure, theme: Theme) -> String {
    let panels = figure.panels.len().max(1);
    // As even as can be: four are two rows of two.
    let rows = panels.div_ceil(MOST_IN_A_ROW);
    let columns = panels.div_ceil(rows);
    let count = columns as f64;
    let width = (WIDTH - (count - 1.0) * GAP - count * LEFT - 16.0) / count;
    let height = if columns == 1 { 360.0 } else { (width * 0.86).clamp(200.0, 320.0) };
    let (entries, legend_height) = place(&figure.legend);
    let titles: Vec<Vec<String>> =
        figure.panels.iter().map(|panel| folded(&panel.title, width)).collect();
    let extra = |row: &[Vec<String>]| {
        TITLE_LINE * row.iter().map(|lines| lines.len().saturating_sub(1)).max().unwrap_or(0) as f64
    };
    // Where the axes of each row begin: below their titles.
    let mut tops = Vec::new();
    let mut total = TOP + legend_height - ROW_GAP - BOTTOM;
    for row in titles.chunks(columns) {
        tops.push(total + BOTTOM + ROW_GAP + extra(row));
        total += BOTTOM + ROW_GAP + extra(row) + height;
    }
    let total = if tops.is_empty() { TOP + legend_height } else { total + BOTTOM };
    let mut out = String::new();
    let name = escape(&figure.name);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" \
         aria-labelledby=\"{name}-title {name}-desc\" class=\"figure\">\n\
         <title id=\"{name}-title\">{}</title>\n<desc id=\"{name}-desc\">{}</desc>\n",
        n(total),
        escape(&figure.title),
        escape(&figure.caption),
    );
    if theme == Theme::File {
        let _ = writeln!(out, "<style>{}</style>", super::plain::style());
        let _ = writeln!(out, "<rect width=\"{WIDTH}\" height=\"{}\" class=\"paper\"/>", n(total));
    }
    let _ = writeln!(out, "<text x=\"16\" y=\"22\" class=\"h\">{}</text>", escape(&figure.title));
    for (at, (key, x, y)) in entries.into_iter().enumerate() {
        let _ = writeln!(out, "<g class=\"key\" data-k=\"{at}\">");
        legend(&mut out, key, x, y);
        out.push_str("</g>\n");
    }
    for (i, (panel, title)) in figure.panels.iter().zip(&titles).enumerate() {
        let x = LEFT + (i % columns) as f64 * (width + LEFT + GAP);
        let frame = Frame { x, y: tops[i / columns], width, height };
        frame.title(&mut out, title);
        frame.panel(&mut out, panel, &figure.legend);
    }
    out.push_str("</svg>\n");
    out
}

/// A title in lines of at most `width`, broken between words.
fn folded(title: &str, width: f64) -> Vec<String> {
    let most = (width / TITLE_CHARACTER) as usize;
    let mut lines: Vec<String> = vec![String::new()];
    for word in title.split_whitespace() {
        let room = lines.last().map_or(0, |line| line.chars().count()) + 1 + word.chars().count();
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if room <= most => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Where the entries of the legend stand, wrapped to the width, and how much room they take.
fn place(keys: &[Key]) -> (Vec<(&Key, f64, f64)>, f64) {
    let (mut x, mut y) = (16.0, 44.0);
    let mut placed = Vec::new();
    for key in keys {
        let width = 36.0 + 6.6 * key.label.chars().count() as f64 + 18.0;
        if x + width > WIDTH && x > 16.0 {
            (x, y) = (16.0, y + 18.0);
        }
        placed.push((key, x, y));
        x += width;
    }
    (placed, if keys.is_empty() { 0.0 } else { y - 26.0 })
}

fn legend(out: &mut String, key: &Key, x: f64, y: f64) {
    let (class, look) = (class(key.look), key.look);
    let _ = writeln!(
        out,
        "<path d=\"M{} {}h28\" class=\"l {class} d{}\"/>",
        n(x),
        n(y - 4.0),
        look.dash % 4
    );
    if let Some(shape) = look.shape {
        marker(out, shape, x + 14.0, y - 4.0, &class, "");
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" class=\"k\">{}</text>",
        n(x + 34.0),
        n(y),
        escape(&key.label)
    );
}

/// The rectangle of a panel's axes.
struct Frame {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Frame {
    fn title(&self, out: &mut String, lines: &[String]) {
        for (at, line) in lines.iter().rev().enumerate() {
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" class=\"t\">{}</text>",
                n(self.x),
                n(self.y - 9.0 - at as f64 * TITLE_LINE),
                escape(line)
            );
        }
    }

    fn panel(&self, out: &mut String, panel: &Panel, keys: &[Key]) {
        let wanted = ((self.width / 46.0) as usize, (self.height / 56.0) as usize);
        let (xs, ys) = scale::scales(panel, wanted);
        let px = |v: f64| self.x + xs.at(v) * self.width;
        let py = |v: f64| self.y + (1.0 - ys.at(v)) * self.height;
        let (right, bottom) = (self.x + self.width, self.y + self.height);
        out.push_str("<g>\n");
        for &tick in &ys.ticks {
            let y = py(tick);
            let _ = writeln!(
                out,
                "<path d=\"M{} {}H{}\" class=\"g\"/><text x=\"{}\" y=\"{}\" class=\"a e\">{}</text>",
                n(self.x),
                n(y),
                n(right),
                n(self.x - 7.0),
                n(y + 4.0),
                ys.label(tick)
            );
        }
        for &tick in &xs.ticks {
            let x = px(tick);
            let _ = writeln!(
                out,
                "<path d=\"M{} {}v5\" class=\"x\"/><text x=\"{}\" y=\"{}\" class=\"a m\">{}</text>",
                n(x),
                n(bottom),
                n(x),
                n(bottom + 18.0),
                xs.label(tick)
            );
        }
        let _ = writeln!(
            out,
            "<path d=\"M{} {}V{}H{}\" class=\"x\"/>",
            n(self.x),
            n(self.y),
            n(bottom),
            n(right)
        );
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" class=\"a m\">{}</text>",
            n((self.x + right) / 2.0),
            n(bottom + 37.0),
            escape(&panel.x.label)
        );
        let _ = writeln!(
            out,
            "<text transform=\"translate({} {})rotate(-90)\" class=\"a m\">{}</text>",
            n(self.x - 38.0),
            n((self.y + bottom) / 2.0),
            escape(&panel.y.label)
        );
        let at = |p: &Point| (px(p.x), py(p.y));
        for series in panel.series.iter().filter(|s| s.band) {
            group(out, series, keys, |out| band(out, series, &px, &py));
        }
        for series in &panel.series {
            group(out, series, keys, |out| line(out, series, &at));
        }
        labels::marks(out, (panel, keys), &at, (WIDTH, bottom));
        out.push_str("</g>\n");
    }
}

/// What is drawn of a series, named by its entry of the legend.
fn group(out: &mut String, series: &Series, keys: &[Key], draw: impl FnOnce(&mut String)) {
    match labels::key(keys, series.look) {
        Some(at) => {
            let _ = writeln!(out, "<g data-k=\"{at}\">");
            draw(out);
            out.push_str("</g>\n");
        }
        None => draw(out),
    }
}

/// The shaded interval: along the highs and back along the lows, broken where there is none.
fn band(out: &mut String, series: &Series, px: &impl Fn(f64) -> f64, py: &impl Fn(f64) -> f64) {
    let has = |p: &Point| {
        p.x.is_finite() && p.interval.is_some_and(|(l, h)| l.is_finite() && h.is_finite())
    };
    for run in series.points.chunk_by(|a, b| has(a) == has(b)).filter(|run| has(&run[0])) {
        let ends: Vec<(f64, f64, f64)> = run
            .iter()
            .filter_map(|p| p.interval.map(|(low, high)| (px(p.x), py(low), py(high))))
            .collect();
        if ends.len() < 2 {
            // A lone point has a bar in place of a band.
            for (x, low, high) in ends {
                let _ = writeln!(
                    out,
                    "<path d=\"M{} {}V{}\" class=\"l {} thin\"/>",
                    n(x),
                    n(low),
                    n(high),
                    class(series.look)
                );
            }
            continue;
        }
        let highs = ends.iter().map(|&(x, _, high)| (x, high));
        let lows = ends.iter().rev().map(|&(x, low, _)| (x, low));
        let corners: Vec<String> =
            highs.chain(lows).map(|(x, y)| format!("{} {}", n(x), n(y))).collect();
        let _ = writeln!(
            out,
            "<path d=\"M{}Z\" class=\"b {}\"/>",
            corners.join("L"),
            class(series.look)
        );
    }
}

fn line(out: &mut String, series: &Series, at: &impl Fn(&Point) -> (f64, f64)) {
    let class = class(series.look);
    let finite = |p: &Point| p.x.is_finite() && p.y.is_finite();
    let mut d = String::new();
    for run in series.points.chunk_by(|a, b| finite(a) == finite(b)).filter(|run| finite(&run[0])) {
        let corners: Vec<String> =
            run.iter().map(at).map(|(x, y)| format!("{} {}", n(x), n(y))).collect();
        let _ = write!(d, "M{}", corners.join("L"));
    }
    if d.contains('L') {
        let _ = writeln!(out, "<path d=\"{d}\" class=\"l {class} d{}\"/>", series.look.dash % 4);
    }
    for point in series.points.iter().filter(|p| finite(p)) {
        let (x, y) = at(point);
        if let Some(shape) = series.look.shape {
            marker(out, shape, x, y, &class, &point.note);
        }
    }
}

/// A point: circle, square, triangle or diamond, with what it says on hovering.
fn marker(out: &mut String, shape: usize, x: f64, y: f64, class: &str, note: &str) {
    let d = match shape % 4 {
        0 => format!("M{} {}a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0Z", n(x - 3.6), n(y)),
        1 => format!("M{} {}h6.6v6.6h-6.6Z", n(x - 3.3), n(y - 3.3)),
        2 => format!("M{} {}l4.2 7.4h-8.4Z", n(x), n(y - 4.6)),
        _ => format!("M{} {}l4.4 4.4l-4.4 4.4l-4.4 -4.4Z", n(x), n(y - 4.4)),
    };
    let _ = write!(out, "<path d=\"{d}\" class=\"p {class}\"");
    if note.is_empty() {
        out.push_str("/>\n");
    } else {
        let _ = writeln!(out, "><title>{}</title></path>", escape(note));
    }
}
