//! From data to places on an axis.

use super::{Axis, Panel};

/// A linear axis with round ticks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    pub(super) ticks: Vec<f64>,
    decimals: usize,
}

impl Scale {
    /// The axis that holds `values` and what `axis` must reach, with about `wanted` ticks.
    pub(super) fn new(axis: &Axis, values: impl Iterator<Item = f64>, wanted: usize) -> Self {
        let reach = axis.reach.into_iter().flat_map(|(low, high)| [low, high]);
        let all = values.chain(reach).filter(|v| v.is_finite());
        let (mut low, mut high) =
            all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            (low, high) = (low - 0.5, high + 0.5);
        }
        let least = if axis.whole { 1.0 } else { 0.0 };
        let step = step((high - low) / wanted.max(1) as f64).max(least);
        let (first, last) =
            ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        let ticks = (first..=last).map(|i| i as f64 * step).collect();
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        // A little air, unless the axis ends where it must.
        let pad = (high - low) * 0.03;
        let ends = axis.reach.unwrap_or((f64::NAN, f64::NAN));
        low = if low == ends.0 { low } else { low - pad };
        high = if high == ends.1 { high } else { high + pad };
        Self { low, high, ticks, decimals }
    }

    /// Where `value` is, from 0 at the low end to 1.
    pub(super) fn at(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// A tick as it is written.
    pub(super) fn label(&self, tick: f64) -> String {
        let text = format!("{tick:.*}", self.decimals);
        if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
            return "0".to_owned();
        }
        text
    }
}

/// 1, 2 or 5 times a power of ten, at least `raw`.
fn step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let leading = [1.0, 2.0, 5.0, 10.0].into_iter().find(|l| l * power >= raw * (1.0 - 1e-9));
    leading.unwrap_or(10.0) * power
}

/// The two axes of a panel.
pub(super) fn scales(panel: &Panel, wanted: (usize, usize)) -> (Scale, Scale) {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let ys = points().flat_map(|p| {
        let (low, high) = p.interval.unwrap_or((p.y, p.y));
        [p.y, low, high]
    });
    (Scale::new(&panel.x, points().map(|p| p.x), wanted.0), Scale::new(&panel.y, ys, wanted.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, wanted: usize) -> Vec<String> {
        let scale = Scale::new(&Axis::free(""), [low, high].into_iter(), wanted);
        scale.ticks.iter().map(|&t| scale.label(t)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(0.2, 1.5, 7), ["0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4"]);
        assert_eq!(labels(0.0, 1.0, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-3.0, 12.0, 4), ["0", "5", "10"]);
        assert_eq!(labels(0.0, 4.0, 5), ["0", "1", "2", "3", "4"]);
        assert_eq!(labels(7.0, 7.0, 4), ["6.5", "7.0", "7.5"]);
    }

    #[test]
    fn an_axis_without_data_is_still_an_axis() {
        let scale = Scale::new(&Axis::free(""), [f64::NAN, f64::INFINITY].into_iter(), 4);
        assert!((0.0..=1.0).contains(&scale.at(0.5)));
    }
}
