//! Receiver operating characteristic: what a threshold on the confidence lets in, rightly and wrongly.

use super::axes::{Axes, Axis, legend, thinned};
use super::drawing::{Drawing, Tone};

/// People up to whom each has a line.
const MOST_LINES: usize = 12;

/// A curve, and the area under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    /// Shares of false and of true positives, rising from (0, 0) to (1, 1): a point for each score that occurs.
    pub points: Vec<[f64; 2]>,
    /// The chance that a positive has a higher score than a negative; where they are equal, half.
    pub auc: f64,
}

impl Roc {
    /// The curve of scores, each with whether it is a positive's; none without a positive or without a negative.
    ///
    /// Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006), algorithms 1 and 2: equal scores make
    /// one point, the area is the sum of trapezoids.
    pub fn new(scores: impl IntoIterator<Item = (f32, bool)>) -> Option<Roc> {
        let mut scores: Vec<(f32, bool)> = scores.into_iter().collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let positives = scores.iter().filter(|(_, positive)| *positive).count();
        let negatives = scores.len() - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        let mut points = vec![[0.0, 0.0]];
        let (mut auc, mut counts) = (0.0, [0, 0]);
        for equal in scores.chunk_by(|a, b| a.0 == b.0) {
            for (_, positive) in equal {
                counts[usize::from(*positive)] += 1;
            }
            let [x, y] = [counts[0] as f64 / negatives as f64, counts[1] as f64 / positives as f64];
            let [x0, y0] = points[points.len() - 1];
            auc += (x - x0) * (y + y0) / 2.0;
            points.push([x, y]);
        }
        Some(Roc { points, auc })
    }

    /// One person against the others, by the probability of that person.
    pub fn of_person(rows: &[Vec<f32>], truths: &[usize], person: usize) -> Option<Roc> {
        Roc::new(rows.iter().zip(truths).map(|(row, &truth)| (row[person], truth == person)))
    }

    /// Everybody against the others at once: each pair of a face and a person counts the same (micro average).
    pub fn of_all(rows: &[Vec<f32>], truths: &[usize]) -> Option<Roc> {
        let pairs = |(row, &truth): (&Vec<f32>, &usize)| {
            row.iter().enumerate().map(|(person, &p)| (p, person == truth)).collect::<Vec<_>>()
        };
        Roc::new(rows.iter().zip(truths).flat_map(pairs))
    }
}

/// The curve of everybody at once, over those of single people where these are few.
pub fn roc(all: &Roc, people: &[Option<Roc>]) -> Drawing {
    let x = Axis::shares("of others, taken for the person");
    let axes = Axes { x, y: Axis::shares("of the person, recognised") };
    let of_all = format!("all people: area {:.3}", all.auc);
    let alt = format!(
        "ROC curve, each person against the others, by confidence. Area under the curve of all people: {:.3}.",
        all.auc
    );
    let mut chart = axes.chart("ROC", alt);
    let single = people.len() <= MOST_LINES && people.iter().any(Option::is_some);
    let entries = [(of_all.as_str(), Tone::First), ("single people", Tone::Faint)];
    legend(&mut chart, &entries[..1 + usize::from(single)]);
    chart.dashes([axes.at([0.0, 0.0]), axes.at([1.0, 1.0])], Tone::Faint);
    let line = |roc: &Roc| thinned(roc.points.iter().map(|&point| axes.at(point)));
    if single {
        people.iter().flatten().for_each(|roc| chart.line(line(roc), Tone::Faint, 0.75));
    }
    chart.line(line(all), Tone::First, 2.5);
    chart
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn curves_are_those_of_scikit_learn() {
        // sklearn 1.9: roc_curve(y, s, drop_intermediate=False), roc_auc_score(y, s); the first is its own documentation's
        let roc = Roc::new([(0.1, false), (0.4, false), (0.35, true), (0.8, true)]).unwrap();
        assert_eq!(roc.points, [[0.0, 0.0], [0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [1.0, 1.0]]);
        assert_eq!(roc.auc, 0.75);
        let scores = [0.9, 0.9, 0.8, 0.7, 0.7, 0.7, 0.4, 0.1];
        let truths = [true, false, true, true, false, false, true, false];
        let ties = Roc::new(scores.into_iter().zip(truths)).unwrap();
        let expected = [[0.0, 0.0], [0.25, 0.25], [0.25, 0.5], [0.75, 0.75], [0.75, 1.0], [1.0, 1.0]];
        assert_eq!((&ties.points[..], ties.auc), (&expected[..], 0.59375));
    }

    #[test]
    fn people_are_each_against_the_others_and_all_at_once() {
        // sklearn 1.9: roc_auc_score(np.eye(3)[t], rows, average=None), and average="micro"
        let rows = [[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.2, 0.5, 0.3]]
            .map(Vec::from);
        let truths = [0, 1, 2, 1, 2];
        for (person, auc) in [1.0, 2.0 / 3.0, 11.0 / 12.0].into_iter().enumerate() {
            assert_abs_diff_eq!(Roc::of_person(&rows, &truths, person).unwrap().auc, auc, epsilon = 1e-12);
        }
        assert_abs_diff_eq!(Roc::of_all(&rows, &truths).unwrap().auc, 0.84, epsilon = 1e-12);
    }

    #[test]
    fn one_kind_alone_has_no_curve() {
        assert_eq!(Roc::new([(0.5, true), (0.6, true)]), None);
        assert_eq!(Roc::new([]), None);
        let all = Roc::new([(0.9, true), (0.1, false)]).unwrap();
        assert!(roc(&all, &[None, None]).alt.ends_with("all people: 1.000."));
    }
}
