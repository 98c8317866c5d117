//! Learning curves: training and validation, epoch by epoch.

use super::axes::{Axes, Axis, Numbers, TEXT, frame, legend};
use super::drawing::{Drawing, Side, Tone};
use crate::{Error, Result};

/// A quantity as it was while the network learned, one value an epoch, from epoch 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What it is.
    pub title: String,
    /// While training.
    pub training: Vec<f64>,
    /// After the epoch, on pictures that are not trained on.
    pub validation: Vec<f64>,
    /// Whether it is a share, from 0 to 1; else the axis follows the values.
    pub is_share: bool,
}

impl Curve {
    /// Both lines, and a mark at `best_epoch`, counted from 1.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no epoch.
    pub fn draw(&self, best_epoch: usize) -> Result<Drawing> {
        let Curve { title, training, validation, is_share } = self;
        let last = training.len().max(validation.len());
        if last == 0 {
            return Err(Error::Input("learning curves need at least one epoch".into()));
        }
        let finite = training.iter().chain(validation).copied().filter(|value| value.is_finite());
        let top = 1.05 * finite.fold(0.0, f64::max);
        let y = match is_share {
            true => Axis::shares(""),
            false => {
                let range = [0.0, if top > 0.0 { top } else { 1.0 }];
                Axis { label: "", range, most: 6, kind: Numbers::Plain }
            }
        };
        let x = Axis { label: "epoch", range: [1.0, last.max(2) as f64], most: 8, kind: Numbers::Whole };
        let axes = Axes { x, y };
        let written = |values: &[f64]| match values.get(best_epoch.saturating_sub(1)) {
            Some(value) if *is_share => super::percent(*value),
            Some(value) => format!("{value:.4}"),
            None => "unknown".into(),
        };
        let alt = format!(
            "{title} over {last} epochs. At the best one, {best_epoch}: training {}, validation {}.",
            written(training),
            written(validation)
        );
        let mut chart = axes.chart(title, alt);
        legend(&mut chart, &[("training", Tone::First), ("validation", Tone::Second)]);
        mark(&mut chart, &axes, best_epoch);
        for (values, tone) in [(training, Tone::First), (validation, Tone::Second)] {
            let points = values.iter().zip(1..).filter(|(value, _)| value.is_finite());
            let points: Vec<[f64; 2]> =
                points.map(|(&value, epoch)| axes.at([f64::from(epoch), value])).collect();
            match points[..] {
                [point] => chart.dot(point, 3.0, tone, ""),
                _ => chart.line(points, tone, 2.0),
            }
        }
        Ok(chart)
    }
}

/// A line at the best epoch; its number stands above the curves, where none can cross it.
fn mark(chart: &mut Drawing, axes: &Axes, best_epoch: usize) {
    let [_, top, right, bottom] = frame();
    let [x, _] = axes.at([best_epoch as f64, 0.0]);
    chart.dashes([[x, top], [x, bottom]], Tone::Ink);
    chart.words([right, 35.0], format!("┆ best: epoch {best_epoch}"), TEXT, Tone::Ink, Side::End);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::Mark;

    fn curve(training: &[f64], validation: &[f64]) -> Curve {
        let [training, validation] = [training.to_vec(), validation.to_vec()];
        Curve { title: "loss".into(), training, validation, is_share: false }
    }

    fn lines(chart: &Drawing, of: Tone) -> Vec<Vec<[f64; 2]>> {
        let line = |mark: &Mark| match mark {
            Mark::Line { points, tone, .. } if *tone == of => Some(points.clone()),
            _ => None,
        };
        chart.marks.iter().filter_map(line).collect()
    }

    #[test]
    fn both_lines_fall_as_their_values_do() {
        let chart = curve(&[2.0, 1.0, 0.5], &[2.0, 1.5, f64::NAN]).draw(2).unwrap();
        let [training, validation] = [Tone::First, Tone::Second].map(|tone| lines(&chart, tone).remove(0));
        assert_eq!((training.len(), validation.len()), (3, 2), "what is no number has no point");
        assert_eq!(training[0], validation[0]);
        assert!(training.is_sorted_by(|a, b| a[0] < b[0] && a[1] < b[1]), "down is larger");
        let [left, _, right, bottom] = frame();
        assert_eq!((training[0][0], training[2][0]), (left, right));
        // 0.5 of an axis up to 2.1
        let share = (bottom - training[2][1]) / (bottom - frame()[1]);
        assert!((share - 0.5 / 2.1).abs() < 1e-9, "{share}");
        assert!(
            chart.alt.contains("At the best one, 2: training 1.0000, validation 1.5000"),
            "{}",
            chart.alt
        );
    }

    #[test]
    fn one_epoch_is_enough_and_none_is_not() {
        assert!(curve(&[0.0], &[0.0]).draw(1).is_ok());
        assert!(curve(&[], &[]).draw(1).is_err());
    }
}
