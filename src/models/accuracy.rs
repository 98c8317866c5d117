//! What an evaluation measures: the confusion matrix and what follows from it.

/// Counts of (true person, most probable person).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// `counts[true][predicted]`.
    pub counts: Vec<Vec<usize>>,
}

/// How well one person is recognised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PersonScores {
    /// Share of the answers with this name that were right; `None` if there was none.
    pub precision: Option<f64>,
    /// Share of this person's faces that were recognised; `None` if there was none.
    pub recall: Option<f64>,
    /// Harmonic mean of the two; `None` where one is missing, or both are 0.
    pub f1: Option<f64>,
    /// Faces of this person.
    pub support: usize,
}

impl Confusion {
    /// No faces yet, of `people` people.
    pub fn new(people: usize) -> Confusion {
        Confusion { counts: vec![vec![0; people]; people] }
    }

    /// Counts a face.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        self.counts[truth][predicted] += 1;
    }

    /// Faces counted.
    pub fn total(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// Faces recognised.
    pub fn correct(&self) -> usize {
        (0..self.counts.len()).map(|i| self.counts[i][i]).sum()
    }

    /// Share of the faces recognised; 0 of none.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total()).unwrap_or(0.0)
    }

    /// Precision, recall and F1 of a person.
    pub fn person(&self, person: usize) -> PersonScores {
        let hits = self.counts[person][person];
        let support = self.counts[person].iter().sum();
        let answers = self.counts.iter().map(|row| row[person]).sum();
        let (precision, recall) = (ratio(hits, answers), ratio(hits, support));
        let f1 = precision.zip(recall).filter(|(p, r)| p + r > 0.0).map(|(p, r)| 2.0 * p * r / (p + r));
        PersonScores { precision, recall, f1, support }
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The 95 % confidence interval of a share of `hits` in `total` (Wilson, JASA 22, 1927); (0, 1) of none.
pub fn wilson(hits: usize, total: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if total == 0 {
        return (0.0, 1.0);
    }
    let n = total as f64;
    let p = hits as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

/// The 95 % confidence interval of a person's F1, by the "Wilson indirect" method (Lam, Gopal, Qian, arXiv:2309.14621).
///
/// F1 = 2J / (1 + J), where J = hits / (support + answers − hits) is the share recognised of all faces that are the person's or
/// were answered so. J is a share like any other, so it has Wilson's interval; F1 rises with it.
pub fn f1_interval(hits: usize, answers: usize, support: usize) -> (f64, f64) {
    let (low, high) = wilson(hits, support + answers - hits);
    let f1 = |j: f64| 2.0 * j / (1.0 + j);
    (f1(low), f1(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn scores_follow_from_the_counts() {
        let mut confusion = Confusion::new(3);
        for (truth, predicted) in [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0)] {
            confusion.add(truth, predicted);
        }
        assert_eq!((confusion.correct(), confusion.total()), (3, 5));
        let first = confusion.person(0);
        assert_abs_diff_eq!(first.precision.unwrap(), 2.0 / 3.0);
        assert_abs_diff_eq!(first.recall.unwrap(), 2.0 / 3.0);
        assert_eq!(confusion.person(2), PersonScores { precision: None, recall: None, f1: None, support: 0 });
    }

    #[test]
    fn wilson_is_as_published() {
        // Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3
        for (hits, total, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = wilson(hits, total);
            assert_abs_diff_eq!(interval.0, low, epsilon = 5e-5);
            assert_abs_diff_eq!(interval.1, high, epsilon = 5e-5);
        }
    }

    #[test]
    fn f1_has_the_interval_of_the_share_that_it_follows() {
        // statsmodels 0.14: l, u = proportion_confint(hits, n, method="wilson"); 2 * l / (1 + l), 2 * u / (1 + u)
        for (hits, answers, support, low, high) in
            [(8, 10, 10, 0.561_794_7, 0.925_816_9), (5, 5, 5, 0.722_467_2, 1.0)]
        {
            let interval = f1_interval(hits, answers, support);
            assert_abs_diff_eq!(interval.0, low, epsilon = 1e-6);
            assert_abs_diff_eq!(interval.1, high, epsilon = 1e-6);
        }
        assert_eq!(f1_interval(0, 0, 0), (0.0, 1.0));
    }
}
