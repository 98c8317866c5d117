//! Faces of nobody whom a model knows: they are farther from everyone it knows than these are from themselves.

use serde_json::{Value, json};

/// Fewest groups of held-out photos, times the rate, for a threshold to be theirs: with fewer their quantile is not known.
const LEAST: f64 = 1.0;

/// What a network made of photos, and whose they are.
#[derive(Clone, Copy, Debug)]
pub struct Gallery<'a> {
    /// The features of each photo.
    pub features: &'a [Vec<f32>],
    /// Who is on each photo, below `people`.
    pub labels: &'a [usize],
    /// Equal for photos that are nearly the same, and for changed copies of a photo.
    pub groups: &'a [i64],
    /// Number of people, those without a photo here included.
    pub people: usize,
}

/// A photo of somebody whom a network does not know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// How far it is from the nearest person.
    pub distance: f32,
    /// Equal for photos that are nearly the same.
    pub group: i64,
}

/// The people a model knows, and how far from them a face may be.
///
/// A face's distance to a person is 1 − cos of the angle between its features and the mean of the person's features. Beside
/// Euclidean distances, nearest neighbours and Mahalanobis distances with a shrunk covariance, this told strangers apart
/// best, and is the simplest; `benches/RESULTS.md` has the comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Strangers {
    /// For each person the mean of the features, of length 1; empty for a person without any.
    means: Vec<Vec<f32>>,
    /// Largest distance of a face that is taken for one of them.
    pub threshold: f32,
    /// Share of strangers that are to be taken for one of the people.
    pub rate: f64,
    /// Groups of photos of people held out that the threshold comes from; 0 where it is a default.
    pub held_out: usize,
}

impl Strangers {
    /// From photos of the people.
    ///
    /// Each person in turn is a stranger to the others. The threshold is the distance below which a share of `rate` of these
    /// strangers lies; with fewer than 1 / `rate` groups of their photos, or fewer than three people, it is `default`. That
    /// holds for features that have not learned to tell these very people apart.
    pub fn new(known: Gallery<'_>, rate: f64, default: f32) -> Strangers {
        let strangers = Strangers::of(known, rate, default);
        let seen = strangers.means.iter().filter(|mean| !mean.is_empty()).count();
        let held_out = if seen >= 3 { strangers.held_out(known) } else { vec![] };
        strangers.at(&held_out)
    }

    /// As [`Strangers::new`], for features that have learned to tell these people apart: `held_out` are photos of people whom
    /// such features had not seen.
    pub fn from_held_out(known: Gallery<'_>, rate: f64, default: f32, held_out: &[HeldOut]) -> Strangers {
        Strangers::of(known, rate, default).at(held_out)
    }

    fn of(known: Gallery<'_>, rate: f64, threshold: f32) -> Strangers {
        let means = (0..known.people).map(|person| mean(known, person)).collect();
        Strangers { means, threshold, rate, held_out: 0 }
    }

    /// With the threshold that lets the stated share of these photos in, if they are enough to tell.
    fn at(self, held_out: &[HeldOut]) -> Strangers {
        let mut strangers = self;
        // Ten pictures of one moment say as much as one.
        let mut groups: Vec<i64> = held_out.iter().map(|photo| photo.group).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() as f64 * strangers.rate >= LEAST {
            let mut distances: Vec<f32> = held_out.iter().map(|photo| photo.distance).collect();
            distances.sort_unstable_by(f32::total_cmp);
            strangers.held_out = groups.len();
            // As many as the rate allows lie below it.
            strangers.threshold = distances[(distances.len() as f64 * strangers.rate) as usize];
        }
        strangers
    }

    /// For each photo, how far it is from the nearest other person.
    pub fn held_out(&self, known: Gallery<'_>) -> Vec<HeldOut> {
        let photos = known.features.iter().zip(known.labels).zip(known.groups);
        let other = |((face, &label), &group): ((&Vec<f32>, &usize), &i64)| {
            let (_, distance) = self.nearest_but(face, Some(label))?;
            Some(HeldOut { distance, group })
        };
        photos.filter_map(other).collect()
    }

    /// The nearest person and the distance, from 0 to 2.
    ///
    /// # Panics
    /// If nobody has features of this length.
    pub fn nearest(&self, features: &[f32]) -> (usize, f32) {
        self.nearest_but(features, None).expect("somebody is known")
    }

    /// Whether somebody is known by features of this length, and nobody by others.
    pub(super) fn takes(&self, length: usize) -> bool {
        let mut known = self.means.iter().map(Vec::len).filter(|&known| known > 0).peekable();
        known.peek().is_some() && known.all(|known| known == length)
    }

    /// The sum of the people's means, each times its weight; who is without photos counts nothing.
    #[cfg(feature = "vision")]
    pub(crate) fn mixed(&self, weights: &[f32]) -> Vec<f32> {
        let length = self.means.iter().map(Vec::len).max().unwrap_or(0);
        let mut sum = vec![0.0; length];
        for (mean, weight) in self.means.iter().zip(weights) {
            sum.iter_mut().zip(mean).for_each(|(sum, x)| *sum += weight * x);
        }
        sum
    }

    /// The probability of each person, if the face is one of theirs: in proportion to exp(−`scale` · distance).
    pub fn probabilities(&self, features: &[f32], scale: f32) -> Vec<f32> {
        let (_, nearest) = self.nearest(features);
        let mut weights = vec![0.0; self.means.len()];
        for (person, distance) in self.distances(features) {
            weights[person] = (scale * (nearest - distance)).exp();
        }
        let sum: f32 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// Whether a face this far from the nearest person is a stranger's.
    pub fn is_stranger(&self, distance: f32) -> bool {
        distance.is_nan() || distance >= self.threshold
    }

    fn nearest_but(&self, features: &[f32], but: Option<usize>) -> Option<(usize, f32)> {
        let others = self.distances(features).filter(|(person, _)| Some(*person) != but);
        others.min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Each person with features of this length, and how far the face is from them.
    fn distances(&self, features: &[f32]) -> impl Iterator<Item = (usize, f32)> {
        let face = unit(features.to_vec());
        let people = self.means.iter().enumerate();
        people.filter(move |(_, mean)| mean.len() == features.len()).map(move |(person, mean)| {
            (person, 1.0 - mean.iter().zip(&face).map(|(a, b)| a * b).sum::<f32>())
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let Strangers { means, threshold, rate, held_out } = self;
        json!({"means": means, "threshold": threshold, "rate": rate, "held_out": held_out})
    }

    pub(super) fn from_json(value: &Value, people: usize) -> Option<Strangers> {
        let means: Vec<Vec<f32>> = serde_json::from_value(value["means"].clone()).ok()?;
        let threshold = value["threshold"].as_f64()? as f32;
        let known = means.iter().any(|mean| !mean.is_empty());
        let fits = means.len() == people && known && threshold.is_finite();
        let (rate, held_out) = (value["rate"].as_f64()?, value["held_out"].as_u64()? as usize);
        fits.then_some(Strangers { means, threshold, rate, held_out })
    }
}

/// Mean of a person's features, of length 1.
fn mean(known: Gallery<'_>, person: usize) -> Vec<f32> {
    let own = known.features.iter().zip(known.labels).filter(|(_, label)| **label == person);
    let sum = own.fold(Vec::new(), |mut sum: Vec<f32>, (face, _)| {
        sum.resize(face.len(), 0.0);
        sum.iter_mut().zip(face).for_each(|(sum, x)| *sum += x);
        sum
    });
    unit(sum)
}

/// A vector of the same direction and length 1; one of zeros stays.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

/// What a threshold costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenSetPoint {
    /// Largest distance that is accepted.
    pub threshold: f32,
    /// Share of strangers that are taken for somebody.
    pub false_accepts: f64,
    /// Share of known people that are taken for strangers.
    pub false_rejects: f64,
}

/// The open-set curve: for each distance that occurs, rising, false accepts against false rejects of a threshold just above
/// it. Empty without known people or without strangers.
pub fn open_set_curve(known: &[f32], strangers: &[f32]) -> Vec<OpenSetPoint> {
    if known.is_empty() || strangers.is_empty() {
        return vec![];
    }
    let sorted = |distances: &[f32]| {
        let mut distances = distances.to_vec();
        distances.sort_unstable_by(f32::total_cmp);
        distances
    };
    let (known, strangers) = (sorted(known), sorted(strangers));
    let mut thresholds = [known.clone(), strangers.clone()].concat();
    thresholds.sort_unstable_by(f32::total_cmp);
    thresholds.dedup();
    let below = |distances: &[f32], threshold: f32| {
        distances.partition_point(|&distance| distance <= threshold) as f64 / distances.len() as f64
    };
    let point = |threshold: f32| OpenSetPoint {
        threshold,
        false_accepts: below(&strangers, threshold),
        false_rejects: 1.0 - below(&known, threshold),
    };
    thresholds.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    /// Three people along the axes, each with photos a little off.
    fn people(photos: usize) -> (Vec<Vec<f32>>, Vec<usize>) {
        let face = |i: usize| {
            let mut face = vec![0.05 * (i / 3 % 5) as f32; 4];
            face[i % 3] = 2.0;
            face
        };
        ((0..3 * photos).map(face).collect(), (0..3 * photos).map(|i| i % 3).collect())
    }

    /// Each of these photos, of three people, is a group of its own.
    fn strangers(features: &[Vec<f32>], labels: &[usize], rate: f64) -> Strangers {
        let groups: Vec<i64> = (0..).take(labels.len()).collect();
        Strangers::new(Gallery { features, labels, groups: &groups, people: 3 }, rate, 0.3)
    }

    #[test]
    fn whoever_is_far_from_everybody_is_a_stranger() {
        let (features, labels) = people(40);
        let strangers = strangers(&features, &labels, 0.05);
        assert_eq!(strangers.held_out, 120);
        for (face, &label) in features.iter().zip(&labels) {
            let (nearest, distance) = strangers.nearest(face);
            assert_eq!(nearest, label);
            assert!(!strangers.is_stranger(distance), "{distance}");
        }
        let (_, distance) = strangers.nearest(&[0.0, 0.0, 0.0, 1.0]);
        assert!(strangers.is_stranger(distance), "{distance}");
        assert!(strangers.is_stranger(f32::NAN));
        // The length of the features does not matter.
        assert_abs_diff_eq!(
            strangers.nearest(&[0.0, 9.0, 0.0, 0.0]).1,
            strangers.nearest(&[0.0, 0.1, 0.0, 0.0]).1
        );
    }

    #[test]
    fn the_threshold_lets_the_stated_share_of_held_out_people_in() {
        let (features, labels) = people(40);
        for rate in [0.01, 0.05, 0.3] {
            let strangers = strangers(&features, &labels, rate);
            let groups = [0; 120];
            let all = strangers.held_out(Gallery {
                features: &features,
                labels: &labels,
                groups: &groups,
                people: 3,
            });
            let accepted = all.iter().filter(|photo| !strangers.is_stranger(photo.distance)).count();
            assert!(accepted as f64 <= rate * 120.0, "{accepted} of 120 at {rate}");
        }
        let few = strangers(&features[..60], &labels[..60], 0.01);
        assert_eq!((few.threshold, few.held_out), (0.3, 0), "60 photos say nothing about one in a hundred");
        let two: (Vec<_>, Vec<_>) = features.into_iter().zip(labels).filter(|(_, label)| *label < 2).unzip();
        assert_eq!(strangers(&two.0, &two.1, 0.05).held_out, 0, "two people are not many");
    }

    #[test]
    fn copies_of_a_photo_do_not_make_it_many() {
        let (features, labels) = people(40);
        let at = |groups: &[i64]| {
            Strangers::new(Gallery { features: &features, labels: &labels, groups, people: 3 }, 0.01, 0.3)
                .held_out
        };
        let own: Vec<i64> = (0..120).collect();
        let pairs: Vec<i64> = (0..120).map(|photo| photo / 2).collect();
        assert_eq!((at(&own), at(&pairs)), (120, 0), "60 photos, each twice, are not 120");
    }

    #[test]
    fn probabilities_fall_with_the_distance() {
        let known = strangers(&[vec![1.0, 0.0], vec![0.0, 1.0]], &[0, 2], 0.01);
        let found = known.probabilities(&[3.0, 4.0], 10.0);
        // The cosines are 0.6 and 0.8.
        assert_abs_diff_eq!(found[2] / found[0], 2.0f32.exp(), epsilon = 1e-4);
        assert_eq!(found[1], 0.0, "nobody is taken for a person without photos");
        assert_abs_diff_eq!(found.iter().sum::<f32>(), 1.0, epsilon = 1e-6);
        assert_eq!(known.probabilities(&[0.0, 1.0], 1e6), [0.0, 0.0, 1.0], "however large the scale is");
    }

    #[test]
    fn what_is_saved_is_what_is_read() {
        let (features, mut labels) = people(40);
        labels.iter_mut().for_each(|label| *label += 1);
        let groups: Vec<i64> = (0..120).collect();
        let known = Gallery { features: &features, labels: &labels, groups: &groups, people: 4 };
        let strangers = Strangers::new(known, 0.05, 0.3);
        let text = strangers.to_json().to_string();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(Strangers::from_json(&value, 4), Some(strangers), "a person without photos too");
        assert_eq!(Strangers::from_json(&value, 3), None);
        assert_eq!(Strangers::from_json(&json!({}), 4), None);
    }

    #[test]
    fn the_curve_trades_false_accepts_for_false_rejects() {
        let curve = open_set_curve(&[0.1, 0.2, 0.4], &[0.3, 0.5]);
        let rates: Vec<(f64, f64)> = curve.iter().map(|p| (p.false_accepts, p.false_rejects)).collect();
        let expected = [(0.0, 2.0 / 3.0), (0.0, 1.0 / 3.0), (0.5, 1.0 / 3.0), (0.5, 0.0), (1.0, 0.0)];
        for (rates, expected) in rates.into_iter().zip(expected) {
            assert_abs_diff_eq!(rates.0, expected.0);
            assert_abs_diff_eq!(rates.1, expected.1, epsilon = 1e-12);
        }
        assert!(open_set_curve(&[], &[0.1]).is_empty() && open_set_curve(&[0.1], &[]).is_empty());
    }
}
