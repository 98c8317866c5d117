//! Telling people apart by the means of their features: a classifier in closed form.
//!
//! With features that scatter around each person's mean μ alike in all directions, x shows a person with a probability in
//! proportion to exp(−s·|x − μ|²), where s = 1/(2σ²). Multiplied out, s·|x|² is common to all people and falls away in the
//! softmax; 2s·μ·x − s·|μ|² is left: a dense layer with kernel 2s·μ and bias −s·|μ|².

use std::collections::BTreeMap;

/// By what factor the scale that is expected before any picture is seen is expected to be off, as the deviation of its logarithm.
const SPREAD: f64 = 0.5;
/// Scales that are tried: so many to each side of the usual one, each so much larger than the one before.
const STEPS: i32 = 60;
const STEP: f64 = 1.05;
/// The bias of a person of whom there is no picture.
const NEVER: f64 = -1e6;

/// A picture's features, and whose they are.
pub(super) struct Example<'a> {
    pub features: &'a [f32],
    pub label: usize,
    /// Pictures of one group count as one: they are nearly equal.
    pub group: i64,
}

/// The dense layer that tells people apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// `[features, classes]`.
    pub kernel: Vec<f32>,
    /// `[classes]`.
    pub bias: Vec<f32>,
}

/// The mean over the pictures of one group and person.
struct Point {
    label: usize,
    place: Vec<f64>,
}

impl Head {
    /// The head of these examples of `classes` people. The scale is the most probable one: each point is told from the means
    /// of the others, which gives every scale a likelihood; that times what is expected of scales in general is the largest.
    /// Where nobody has two groups of pictures, the usual one is left.
    pub fn new(examples: &[Example<'_>], classes: usize, usual_scale: f64) -> Head {
        let points = points(examples);
        let means = means(&points, classes);
        let told = told_from_others(&points, &means);
        let scales = (-STEPS..=STEPS).map(|step| usual_scale * STEP.powi(step));
        let costs = scales.map(|scale| (scale, cost(scale, usual_scale, &told)));
        let (scale, _) = costs.min_by(|a, b| a.1.total_cmp(&b.1)).expect("several scales");
        Head::of(&means, scale)
    }

    fn of(means: &[Option<Mean>], scale: f64) -> Head {
        let features = means.iter().flatten().map(|mean| mean.sum.len()).next().unwrap_or(0);
        let places: Vec<Option<Vec<f64>>> =
            means.iter().map(|mean| mean.as_ref().map(|mean| mean.without(None))).collect();
        let weight = |feature: usize, place: &Option<Vec<f64>>| {
            place.as_ref().map_or(0.0, |place| 2.0 * scale * place[feature]) as f32
        };
        let kernel = (0..features).flat_map(|f| places.iter().map(move |place| weight(f, place))).collect();
        let square = |place: &Vec<f64>| place.iter().map(|x| x * x).sum::<f64>();
        let bias = |place: &Option<Vec<f64>>| place.as_ref().map_or(NEVER, |p| -scale * square(p)) as f32;
        Head { kernel, bias: places.iter().map(bias).collect() }
    }

    /// The probability of each person.
    pub fn probabilities(&self, features: &[f32]) -> Vec<f32> {
        let mut logits: Vec<f64> = self.bias.iter().map(|&bias| bias.into()).collect();
        for (&x, weights) in features.iter().zip(self.kernel.chunks_exact(logits.len())) {
            logits.iter_mut().zip(weights).for_each(|(y, &w)| *y += f64::from(x) * f64::from(w));
        }
        let all = log_sum(&logits);
        logits.into_iter().map(|logit| (logit - all).exp() as f32).collect()
    }
}

/// Points of one person, added up.
#[derive(Clone)]
struct Mean {
    sum: Vec<f64>,
    count: f64,
}

impl Mean {
    /// The mean, without one of its points if there are others.
    fn without(&self, point: Option<&Point>) -> Vec<f64> {
        match point {
            None => self.sum.iter().map(|sum| sum / self.count).collect(),
            Some(point) => {
                self.sum.iter().zip(&point.place).map(|(sum, x)| (sum - x) / (self.count - 1.0)).collect()
            }
        }
    }
}

fn points(examples: &[Example<'_>]) -> Vec<Point> {
    let mut groups: BTreeMap<(usize, i64), Mean> = BTreeMap::new();
    for Example { features, label, group } in examples {
        let empty = || Mean { sum: vec![0.0; features.len()], count: 0.0 };
        let mean = groups.entry((*label, *group)).or_insert_with(empty);
        mean.sum.iter_mut().zip(*features).for_each(|(sum, &x)| *sum += f64::from(x));
        mean.count += 1.0;
    }
    groups.into_iter().map(|((label, _), mean)| Point { label, place: mean.without(None) }).collect()
}

fn means(points: &[Point], classes: usize) -> Vec<Option<Mean>> {
    let mut means: Vec<Option<Mean>> = vec![None; classes];
    for Point { label, place } in points {
        let mean = means[*label].get_or_insert_with(|| Mean { sum: vec![0.0; place.len()], count: 0.0 });
        mean.sum.iter_mut().zip(place).for_each(|(sum, x)| *sum += x);
        mean.count += 1.0;
    }
    means
}

/// A point's squared distance to its person's mean without it, then those to the others.
fn told_from_others(points: &[Point], means: &[Option<Mean>]) -> Vec<Vec<f64>> {
    let places: Vec<Option<Vec<f64>>> =
        means.iter().map(|mean| mean.as_ref().map(|mean| mean.without(None))).collect();
    let mut told = Vec::new();
    for point in points {
        let own = means[point.label].as_ref().expect("the point is in it");
        if own.count < 2.0 {
            continue;
        }
        let others = places.iter().enumerate().filter(|(label, _)| *label != point.label);
        let others =
            others.filter_map(|(_, place)| place.as_ref()).map(|place| distance(&point.place, place));
        told.push(std::iter::once(distance(&point.place, &own.without(Some(point)))).chain(others).collect());
    }
    told
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// How improbable the points are with this scale, and how far it is from what is expected, as negative logarithms.
fn cost(scale: f64, usual_scale: f64, told: &[Vec<f64>]) -> f64 {
    let of_point = |distances: &Vec<f64>| {
        let logits: Vec<f64> = distances.iter().map(|distance| -scale * distance).collect();
        log_sum(&logits) - logits[0]
    };
    let off = (scale / usual_scale).ln() / SPREAD;
    told.iter().map(of_point).sum::<f64>() + off * off / 2.0
}

/// log Σ exp(x).
fn log_sum(x: &[f64]) -> f64 {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + x.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: f64 = 16.0;

    fn example(features: &[f32], label: usize, group: i64) -> Example<'_> {
        Example { features, label, group }
    }

    #[test]
    fn probabilities_follow_the_distances_to_the_means() {
        let [a, b, c, d] = [[0.0f32, 0.1], [0.2, 0.1], [0.5, 0.5], [0.5, 0.5]];
        // The last two are nearly equal, and count as one.
        let examples = [example(&a, 0, 0), example(&b, 0, 1), example(&c, 1, 2), example(&d, 1, 2)];
        let points = points(&examples);
        assert_eq!(points.len(), 3);
        let head = Head::of(&means(&points, 2), 5.0);
        let x = [0.3f32, 0.2];
        let squares = [[0.1f64, 0.1], [0.5, 0.5]].map(|mean| distance(&[0.3, 0.2], &mean));
        let weights = squares.map(|square| (-5.0 * square).exp());
        let found = head.probabilities(&x);
        for (found, weight) in found.iter().zip(weights) {
            assert!((f64::from(*found) - weight / (weights[0] + weights[1])).abs() < 1e-6, "{found}");
        }
    }

    #[test]
    fn one_picture_of_each_is_enough() {
        let (a, b) = ([0.0f32, 1.0], [1.0f32, 0.0]);
        let head = Head::new(&[example(&a, 0, 0), example(&b, 2, 1)], 3, USUAL);
        assert_eq!(head, Head::of(&means(&points(&[example(&a, 0, 0), example(&b, 2, 1)]), 3), USUAL));
        let found = head.probabilities(&a);
        assert!(
            found[0] > 0.99 && found[1] == 0.0,
            "{found:?}: nobody is taken for a person without a picture"
        );
    }

    #[test]
    fn the_scale_follows_how_people_differ() {
        let scale = |apart: f32| {
            let wave = |i: usize| [0.2 * (i % 5) as f32, 0.13 * (i % 7) as f32 + (i % 2) as f32 * apart];
            let places: Vec<[f32; 2]> = (0..70).map(wave).collect();
            let examples: Vec<_> =
                places.iter().enumerate().map(|(i, place)| example(place, i % 2, i as i64)).collect();
            let head = Head::new(&examples, 2, USUAL);
            // The bias is −s·|μ|², the kernel 2s·μ.
            let square: f32 = [0, 2].map(|at| head.kernel[at].powi(2)).iter().sum();
            f64::from(square / -head.bias[0]) / 4.0
        };
        assert!(scale(0.1) < 0.7 * USUAL, "people who look alike: {}", scale(0.1));
        assert!(scale(1.0) > 1.02 * USUAL, "people who do not: {}", scale(1.0));
    }
}
