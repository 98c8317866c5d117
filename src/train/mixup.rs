//! How much of a row and how much of its partner mixup takes.

use crate::ops::random;

/// A number from Beta(alpha, alpha), `0 < alpha ≤ 1`: the same for a seed and a step everywhere (Jöhnk, Metrika 8, 1964:
/// two uniform numbers to the power of 1 / alpha, until their sum is at most 1).
pub(super) fn share(alpha: f32, seed: u32, step: u32) -> f32 {
    let stream = random::stream("mixup");
    let uniform = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
    let logs = |pair: u32| {
        [0, 1].map(|i| uniform(random::word(seed, stream, step, 2 * pair + i)).ln() / f64::from(alpha))
    };
    // In logarithms: for small alpha both powers are too small for a float. At least half of the pairs fit.
    let fits = |&[a, b]: &[f64; 2]| a.exp() + b.exp() <= 1.0;
    let [a, b] = (0..).map(logs).find(fits).expect("pairs do not end");
    (1.0 / (1.0 + (b - a).exp())) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn shares_are_distributed_as_beta() {
        // Mean ½ and variance 1 / (4 · (2 · alpha + 1)).
        for alpha in [0.01, 0.2, 1.0] {
            let count = 20_000;
            let shares: Vec<f64> = (0..count).map(|step| share(alpha, 7, step).into()).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = shares.iter().sum::<f64>() / f64::from(count);
            let variance = shares.iter().map(|share| (share - 0.5).powi(2)).sum::<f64>() / f64::from(count);
            assert_abs_diff_eq!(mean, 0.5, epsilon = 0.01);
            assert_abs_diff_eq!(variance, 0.25 / (2.0 * f64::from(alpha) + 1.0), epsilon = 0.004);
        }
        assert_eq!(share(0.2, 1, 5), share(0.2, 1, 5));
        assert_ne!(share(0.2, 1, 5), share(0.2, 2, 5));
    }
}
