//! Open-set curve: how many strangers pass, and how many known people are rejected, by how far a face may be from everybody.

use super::axes::{Axes, Axis, legend, thinned};
use super::drawing::{Drawing, Tone};
use crate::models::open_set_curve;

/// How far faces are from the nearest person that a model knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    /// Of people whom it knows.
    pub known: Vec<f32>,
    /// Of people whom it does not know.
    pub strangers: Vec<f32>,
    /// From how far on it takes a face for a stranger's.
    pub threshold: f32,
}

impl Distances {
    /// The shares of strangers taken for somebody, and of known people taken for strangers, at the model's own distance.
    pub fn at_threshold(&self) -> [f64; 2] {
        let below = |distances: &[f32]| {
            let below = distances.iter().filter(|&&distance| distance < self.threshold).count();
            below as f64 / distances.len().max(1) as f64
        };
        [below(&self.strangers), 1.0 - below(&self.known)]
    }

    /// The curve over all distances, with a dot at the model's own.
    pub fn draw(&self) -> Drawing {
        let x = Axis::shares("strangers who pass");
        let axes = Axes { x, y: Axis::shares("known people who pass") };
        let [accepts, rejects] = self.at_threshold();
        let here = format!("{} of strangers pass", super::percent(accepts));
        let alt = format!(
            "Open-set curve. At the model's own distance {} of strangers are taken for somebody and {} of known people for \
             strangers.",
            super::percent(accepts),
            super::percent(rejects)
        );
        let mut chart = axes.chart("Strangers", alt);
        legend(
            &mut chart,
            &[("by distance", Tone::First), (&format!("the model's own: {here}"), Tone::Second)],
        );
        let curve = open_set_curve(&self.known, &self.strangers);
        let points = curve.iter().map(|point| [point.false_accepts, 1.0 - point.false_rejects]);
        let points = std::iter::once([0.0, 0.0]).chain(points).map(|point| axes.at(point));
        chart.line(thinned(points), Tone::First, 2.5);
        chart.dot(axes.at([accepts, 1.0 - rejects]), 5.0, Tone::Second, here);
        chart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::drawing::Mark;

    #[test]
    fn the_dot_is_at_the_models_own_distance() {
        let distances = Distances {
            known: vec![0.1, 0.2, 0.3, 0.5],
            strangers: vec![0.25, 0.6, 0.7, 0.8],
            threshold: 0.4,
        };
        assert_eq!(distances.at_threshold(), [0.25, 0.25]);
        let chart = distances.draw();
        let axes = Axes { x: Axis::shares(""), y: Axis::shares("") };
        let dot = axes.at([0.25, 0.75]);
        assert!(chart.marks.iter().any(|mark| matches!(mark, Mark::Dot { at, .. } if *at == dot)));
        assert!(chart.alt.contains("25.0 % of strangers are taken for somebody"), "{}", chart.alt);
    }
}
