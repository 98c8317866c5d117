//! Axes of a chart: what lies where, and which numbers stand beside them.

use super::bitmap::text_width;
use super::drawing::{Drawing, Side, Tone};

/// Size of a chart: as wide as a phone.
const CHART: [f64; 2] = [400.0, 300.0];
/// What the axes leave free for words: left, top, right, bottom.
const MARGINS: [f64; 4] = [62.0, 52.0, 22.0, 46.0];
/// Where title and legend begin.
const INDENT: f64 = 8.0;
const TITLE: f64 = 15.0;
/// Height of the letters in charts.
pub(super) const TEXT: f64 = 12.0;
/// Space between words of a legend.
const GAP: f64 = 14.0;

/// A chart without its curves.
pub(super) struct Axes {
    pub x: Axis,
    pub y: Axis,
}

/// One axis: what it shows, and from where to where.
pub(super) struct Axis {
    pub label: &'static str,
    pub range: [f64; 2],
    /// Numbers beside it at most.
    pub most: usize,
    pub kind: Numbers,
}

/// How the numbers are written.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Numbers {
    Plain,
    /// Without anything between one and the next.
    Whole,
    Percent,
}

impl Axis {
    /// From 0 to 100 %.
    pub fn shares(label: &'static str) -> Axis {
        Axis { label, range: [0.0, 1.0], most: 5, kind: Numbers::Percent }
    }

    fn share(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        (value - low) / (high - low)
    }

    fn written(&self, value: f64, step: f64) -> String {
        match self.kind {
            Numbers::Percent => format!("{:.0} %", 100.0 * value),
            Numbers::Plain | Numbers::Whole => {
                let decimals = (-step.log10().floor()).max(0.0) as usize;
                format!("{value:.decimals$}")
            }
        }
    }

    /// Round numbers in the range, at most `most`.
    fn numbers(&self) -> Vec<(f64, String)> {
        let [low, high] = self.range;
        let step = step((high - low) / self.most as f64);
        let step = if self.kind == Numbers::Whole { step.max(1.0) } else { step };
        let first = (low / step).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        (first..=last).map(|at| at as f64 * step).map(|value| (value, self.written(value, step))).collect()
    }
}

/// 1, 2 or 5 times a power of ten, and no less than `least`.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

impl Axes {
    /// The chart with its axes, to draw on.
    pub fn chart(&self, title: &str, alt: impl Into<String>) -> Drawing {
        let mut chart = Drawing::new(CHART[0], CHART[1], alt);
        let [left, top, right, bottom] = frame();
        chart.words([INDENT, 16.0], title, TITLE, Tone::Ink, Side::Start);
        for (value, text) in self.x.numbers() {
            let [x, _] = self.at([value, self.y.range[0]]);
            chart.line([[x, bottom], [x, bottom + 4.0]], Tone::Faint, 1.0);
            chart.words([x, bottom + 14.0], text, TEXT, Tone::Faint, Side::Middle);
        }
        for (value, text) in self.y.numbers() {
            let [_, y] = self.at([self.x.range[0], value]);
            chart.line([[left, y], [right, y]], Tone::Grid, 1.0);
            chart.words([left - 6.0, y], text, TEXT, Tone::Faint, Side::End);
        }
        chart.line([[left, top], [left, bottom], [right, bottom]], Tone::Faint, 1.0);
        chart.words([(left + right) / 2.0, bottom + 34.0], self.x.label, TEXT, Tone::Ink, Side::Middle);
        let middle = (top + bottom) / 2.0;
        chart.words_upwards([10.0, middle], self.y.label, TEXT, Tone::Ink, Side::Middle);
        chart
    }

    /// Where a point of these values lies.
    pub fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [left, top, right, bottom] = frame();
        [left + (right - left) * self.x.share(x), bottom - (bottom - top) * self.y.share(y)]
    }
}

/// A curve without the points that could not be told from those before them.
pub(super) fn thinned(points: impl IntoIterator<Item = [f64; 2]>) -> Vec<[f64; 2]> {
    let mut kept: Vec<[f64; 2]> = Vec::new();
    let mut last = None;
    for point in points {
        last = Some(point);
        let near = |other: &[f64; 2]| (point[0] - other[0]).abs().max((point[1] - other[1]).abs()) < 0.25;
        if !kept.last().is_some_and(near) {
            kept.push(point);
        }
    }
    if let Some(last) = last.filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}

/// Left, top, right and bottom edge of what the axes enclose.
pub(super) fn frame() -> [f64; 4] {
    [MARGINS[0], MARGINS[1], CHART[0] - MARGINS[2], CHART[1] - MARGINS[3]]
}

/// Says which line is which, each in words of its colour, above the axes.
pub(super) fn legend(chart: &mut Drawing, entries: &[(&str, Tone)]) {
    let mut left = INDENT;
    for (text, tone) in entries {
        let text = format!("● {text}");
        chart.words([left, 35.0], &*text, TEXT, *tone, Side::Start);
        left += text_width(&text, TEXT) + GAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(range: [f64; 2], kind: Numbers) -> Vec<String> {
        let axis = Axis { label: "", range, most: 6, kind };
        axis.numbers().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn numbers_are_round_and_few() {
        assert_eq!(numbers([0.0, 1.0], Numbers::Percent), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(numbers([0.0, 2.3], Numbers::Plain), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(numbers([0.0, 0.004], Numbers::Plain), ["0.000", "0.001", "0.002", "0.003", "0.004"]);
        assert_eq!(numbers([1.0, 2.0], Numbers::Whole), ["1", "2"], "half an epoch is none");
        assert_eq!(numbers([1.0, 40.0], Numbers::Whole), ["10", "20", "30", "40"]);
        assert_eq!([0.1, 0.11, 0.3, 0.7, 9.0].map(step), [0.1, 0.2, 0.5, 1.0, 10.0]);
    }

    #[test]
    fn a_curve_of_very_many_points_keeps_its_corners() {
        let rising = (0..10_000).map(|i| [0.0, f64::from(i) / 100.0]);
        let curve = thinned(rising.chain((0..=10_000).map(|i| [f64::from(i) / 100.0, 99.99])));
        assert!(curve.len() < 900, "{}", curve.len());
        assert!(curve.iter().any(|&[x, y]| x < 0.25 && y > 99.7));
        assert_eq!((curve[0], curve[curve.len() - 1]), ([0.0, 0.0], [100.0, 99.99]));
        assert!(thinned([]).is_empty());
    }

    #[test]
    fn points_lie_where_their_values_say() {
        let axes = Axes { x: Axis::shares("x"), y: Axis::shares("y") };
        let [left, top, right, bottom] = frame();
        assert_eq!([axes.at([0.0, 0.0]), axes.at([1.0, 1.0])], [[left, bottom], [right, top]]);
        assert_eq!(axes.at([0.5, 0.0])[0], (left + right) / 2.0);
    }
}
