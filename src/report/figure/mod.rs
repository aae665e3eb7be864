//! Figures as data: panels of lines, bands and points, drawn as SVG or written as Vega-Lite.

mod labels;
mod plain;
mod scale;
mod svg;
#[cfg(test)]
mod tests;
mod vega;
mod xml;

pub use plain::STYLE;
pub use svg::Theme;

/// A figure of one or more panels in a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// File name without extension.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// How it is read, a sentence or two.
    pub caption: String,
    /// Side by side.
    pub panels: Vec<Panel>,
    /// What colors, dashes and shapes stand for.
    pub legend: Vec<Key>,
}

/// One pair of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Above the axes.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, back to front.
    pub series: Vec<Series>,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures.
    pub label: String,
    /// Values that it must reach; it grows to hold the data.
    pub reach: Option<(f64, f64)>,
    /// Whether it counts things, so that only whole numbers are marked.
    pub whole: bool,
}

impl Axis {
    /// An axis as long as its data.
    pub fn free(label: &str) -> Self {
        Self { label: label.to_owned(), reach: None, whole: false }
    }

    /// An axis that counts.
    pub fn whole(label: &str) -> Self {
        Self { whole: true, ..Self::free(label) }
    }

    /// An axis that shows 0 to 1 at least.
    pub fn unit(label: &str) -> Self {
        Self { label: label.to_owned(), reach: Some((0.0, 1.0)), whole: false }
    }
}

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which color: [`Look::GRAY`], [`Look::ramp`], or the place of a model.
    pub color: usize,
    /// Which dashes, 0 for none.
    pub dash: usize,
    /// Which shape its points have, if any are shown.
    pub shape: Option<usize>,
}

impl Look {
    /// The color of reference lines.
    pub const GRAY: usize = 100;
    /// Colors for models.
    pub const COLORS: usize = 8;
    /// Steps of the ramp from cold to hot.
    pub const RAMP: usize = 6;

    /// A line with points in the `i`-th color.
    pub fn line(i: usize) -> Self {
        Self { color: i % Self::COLORS, dash: 0, shape: Some(i) }
    }

    /// The color at `share` in `[0, 1]` between cold and hot.
    pub fn ramp(share: f64) -> usize {
        50 + (share * (Self::RAMP - 1) as f64).round() as usize
    }
}

/// Points in their order, joined by a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend and on hovering.
    pub label: String,
    /// How it looks.
    pub look: Look,
    /// Its points; a NaN breaks the line.
    pub points: Vec<Point>,
    /// Whether the area between `low` and `high` is shaded.
    pub band: bool,
}

/// A point with what is said about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Horizontal coordinate.
    pub x: f64,
    /// Vertical coordinate.
    pub y: f64,
    /// The vertical interval.
    pub interval: Option<(f64, f64)>,
    /// Written beside the point.
    pub mark: Option<String>,
    /// Shown on hovering.
    pub note: String,
}

/// An entry of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// What it stands for.
    pub label: String,
    /// How that looks.
    pub look: Look,
}

impl Figure {
    /// The figure as an SVG document: the same bytes for the same figure.
    pub fn svg(&self, theme: Theme) -> String {
        svg::draw(self, theme)
    }

    /// The figure as a Vega-Lite specification that holds its data.
    pub fn vega(&self) -> String {
        vega::spec(self)
    }
}
