//! What a model makes of people it does not know, beside those it does.

use lookalike::models::{OpenSetPoint, Strangers, open_set_curve};
use lookalike::report::Distances;
use lookalike::train::wilson;
use serde_json::{Value, json};

use super::display::{counted, percent, say};

/// Shares of false accepts at which false rejects are printed.
const RATES: [f64; 4] = [0.001, 0.01, 0.05, 0.1];

/// Distances of faces to the nearest person the model knows.
pub struct OpenSet {
    /// Of people whom it knows.
    pub known: Vec<f32>,
    /// Of people whom it does not know.
    pub strangers: Vec<f32>,
}

impl OpenSet {
    /// How many of these faces the model takes for strangers.
    fn rejected(judge: &Strangers, distances: &[f32]) -> usize {
        distances.iter().filter(|&&distance| judge.is_stranger(distance)).count()
    }

    /// What the model's own threshold gives.
    pub fn lines(&self, judge: &Strangers) -> [String; 2] {
        let rejects = OpenSet::rejected(judge, &self.known);
        let accepts = self.strangers.len() - OpenSet::rejected(judge, &self.strangers);
        let line = |what: &str, part: usize, whole: usize| {
            let (low, high) = wilson(part, whole);
            let share = percent(part as f64 / whole.max(1) as f64);
            format!(
                "{what:<36}  {share}  ({part} of {}; 95 % interval {} to {})",
                counted(whole, "face"),
                percent(low),
                percent(high)
            )
        };
        [
            line("strangers taken for somebody", accepts, self.strangers.len()),
            line("known people taken for strangers", rejects, self.known.len()),
        ]
    }

    /// Prints these, and what other thresholds would give.
    pub fn print(&self, judge: &Strangers) {
        say(format_args!("\nopen set, at the model's distance of {:.4}", judge.threshold));
        self.lines(judge).iter().for_each(say);
        let curve = open_set_curve(&self.known, &self.strangers);
        let mut points: Vec<&OpenSetPoint> = RATES.iter().filter_map(|&rate| best(&curve, rate)).collect();
        points.dedup();
        for point in points {
            say(format_args!(
                "with {} of strangers taken for somebody, {} of known people would be strangers (distance {:.4})",
                percent(point.false_accepts),
                percent(point.false_rejects),
                point.threshold
            ));
        }
    }

    /// The distances, for a report.
    pub fn distances(self, judge: &Strangers) -> Distances {
        Distances { known: self.known, strangers: self.strangers, threshold: judge.threshold }
    }

    /// The same, with the whole curve.
    pub fn json(&self, judge: &Strangers) -> Value {
        let share = |part: usize, whole: usize| {
            let (low, high) = wilson(part, whole);
            json!({"faces": whole, "share": part as f64 / whole.max(1) as f64, "interval": [low, high]})
        };
        let accepts = self.strangers.len() - OpenSet::rejected(judge, &self.strangers);
        let curve = open_set_curve(&self.known, &self.strangers);
        let point = |p: &OpenSetPoint| json!([p.threshold, p.false_accepts, p.false_rejects]);
        json!({
            "threshold": judge.threshold,
            "false_accepts": share(accepts, self.strangers.len()),
            "false_rejects": share(OpenSet::rejected(judge, &self.known), self.known.len()),
            "curve": curve.iter().map(point).collect::<Vec<_>>(),
        })
    }
}

/// The point of the fewest false rejects with no more than `rate` false accepts.
fn best(curve: &[OpenSetPoint], rate: f64) -> Option<&OpenSetPoint> {
    curve.iter().take_while(|point| point.false_accepts <= rate).last()
}
