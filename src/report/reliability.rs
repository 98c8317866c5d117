//! Reliability diagram: whether faces named with 80 % confidence are right eight times of ten.

use super::axes::{Axes, Axis, frame, legend};
use super::drawing::{Drawing, Tone};
use super::percent;
use crate::models::calibration::{Bin, confidence_bins, expected_calibration_error};
use crate::models::wilson;

/// Height of the bars that tell how many faces there are, as a share of the diagram.
const BARS: f64 = 0.16;

/// For each bin of confidences its mean confidence and the share of its faces that are recognised, with the 95 % interval of
/// that share, and below how many there are (DeGroot and Fienberg, The Statistician 32, 1983; Guo and others, ICML 2017).
pub fn reliability(rows: &[Vec<f32>], truths: &[usize]) -> Drawing {
    let bins = confidence_bins(rows, truths);
    let error = expected_calibration_error(rows, truths);
    let axes = Axes { x: Axis::shares("confidence"), y: Axis::shares("recognised") };
    let alt = format!(
        "Reliability diagram of {} faces: confidence and share recognised are {} apart on average.",
        rows.len(),
        percent(error)
    );
    let mut chart = axes.chart("Reliability", alt);
    let apart = format!("off by {} on average", percent(error));
    legend(&mut chart, &[(apart.as_str(), Tone::First), ("number of faces", Tone::Faint)]);
    let most = bins.iter().map(|bin| bin.pictures).max().unwrap_or(0).max(1) as f64;
    let [_, _, _, bottom] = frame();
    for (index, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.pictures > 0) {
        let edge = |index: usize| index as f64 / bins.len() as f64;
        let [left, top] = axes.at([edge(index), BARS * bin.pictures as f64 / most]);
        let [right, _] = axes.at([edge(index + 1), 0.0]);
        chart.area([left + 1.0, top], [right - left - 2.0, bottom - top], Tone::Grid, note(bin));
    }
    chart.dashes([axes.at([0.0, 0.0]), axes.at([1.0, 1.0])], Tone::Faint);
    for bin in bins.iter().filter(|bin| bin.pictures > 0) {
        let confidence = bin.confidence / bin.pictures as f64;
        let (low, high) = wilson(bin.right, bin.pictures);
        let (low, high) = (axes.at([confidence, low]), axes.at([confidence, high]));
        chart.line([low, high], Tone::First, 1.5);
        let share = bin.right as f64 / bin.pictures as f64;
        chart.dot(axes.at([confidence, share]), 4.0, Tone::First, note(bin));
    }
    chart
}

fn note(bin: &Bin) -> String {
    let of = |part: f64| percent(part / bin.pictures as f64);
    format!(
        "{} faces, {} sure on average, {} recognised",
        bin.pictures,
        of(bin.confidence),
        of(bin.right as f64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::Mark;

    #[test]
    fn dots_stand_at_confidence_and_share_recognised() {
        // Four faces with 0.75, three of which are right; one with 0.95, which is.
        let mut rows = vec![vec![0.75, 0.25]; 4];
        rows.push(vec![0.05, 0.95]);
        let chart = reliability(&rows, &[0, 0, 1, 0, 1]);
        let dots: Vec<([f64; 2], &str)> = chart
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Dot { at, note, .. } => Some((*at, note.as_str())),
                _ => None,
            })
            .collect();
        let axes = Axes { x: Axis::shares(""), y: Axis::shares("") };
        let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).abs() + (a[1] - b[1]).abs() < 1e-3;
        assert!(near(dots[0].0, axes.at([0.75, 0.75])) && near(dots[1].0, axes.at([0.95, 1.0])), "{dots:?}");
        assert_eq!(dots[0].1, "4 faces, 75.0 % sure on average, 75.0 % recognised");
        // (4 · 0 + 1 · 0.05) / 5
        assert!(chart.alt.contains("1.0 % apart"), "{}", chart.alt);
        assert_eq!(reliability(&[], &[]).marks.iter().filter(|m| matches!(m, Mark::Dot { .. })).count(), 0);
    }
}
