//! How far a model's probabilities can be believed: temperature scaling (Guo, Pleiss, Sun, Weinberger, ICML 2017).

/// Bins by confidence, as in the paper.
const BINS: usize = 15;

/// A row of probabilities as softmax(logits / `temperature`) gives it: above 1 less sure, below 1 surer. The order stays.
pub fn at_temperature(row: &[f32], temperature: f64) -> Vec<f32> {
    // The logits are the logarithms, up to what all of them have in common.
    let logits = row.iter().map(|&p| f64::from(p.max(f32::MIN_POSITIVE)).ln() / temperature);
    let logits: Vec<f64> = logits.collect();
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|exp| (exp / sum) as f32).collect()
}

/// The temperature at which rows of probabilities fit best what was on the pictures, `truths`: where the mean
/// cross-entropy is the least, between 1/20 and 20.
///
/// A few pictures that are all recognised would fit best at none. So the targets are what Platt (Advances in Large Margin
/// Classifiers, 1999) puts in place of 1 and 0: (n + 1) / (n + 2) for the true person of n pictures, and the rest for the
/// others in equal parts. Without a picture it is 1.
pub fn fit_temperature(rows: &[Vec<f32>], truths: &[usize]) -> f64 {
    if rows.is_empty() {
        return 1.0;
    }
    let n = rows.len() as f64;
    let sure = (n + 1.0) / (n + 2.0);
    let loss = |log_temperature: f64| -> f64 {
        let of = |(row, &truth): (&Vec<f32>, &usize)| -> f64 {
            let row = at_temperature(row, log_temperature.exp());
            let others = (row.len() - 1).max(1) as f64;
            let log = |p: f32| f64::from(p.max(f32::MIN_POSITIVE)).ln();
            let part = |(at, &p): (usize, &f32)| match at == truth {
                true => -sure * log(p),
                false => -(1.0 - sure) / others * log(p),
            };
            row.iter().enumerate().map(part).sum()
        };
        rows.iter().zip(truths).map(of).sum()
    };
    // The loss is convex in 1 / temperature, so it has one valley (golden section; Kiefer, 1953).
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-(20f64.ln()), 20f64.ln());
    while high - low > 1e-4 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    ((low + high) / 2.0).exp()
}

/// Pictures whose largest probability is about the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many there are.
    pub pictures: usize,
    /// How many of them are recognised.
    pub right: usize,
    /// The sum of their largest probabilities.
    pub confidence: f64,
}

/// The pictures in 15 bins of equal width by the largest probability.
pub fn confidence_bins(rows: &[Vec<f32>], truths: &[usize]) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for (row, &truth) in rows.iter().zip(truths) {
        let Some((taken, &confidence)) = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)) else {
            continue;
        };
        let bin = &mut bins[((confidence * BINS as f32) as usize).min(BINS - 1)];
        bin.pictures += 1;
        bin.right += usize::from(taken == truth);
        bin.confidence += f64::from(confidence);
    }
    bins
}

/// How far confidence and accuracy are apart, on average over the pictures: each [bin's](confidence_bins) mean confidence is
/// compared with its share of pictures recognised. 0 without a picture.
pub fn expected_calibration_error(rows: &[Vec<f32>], truths: &[usize]) -> f64 {
    let apart = |bin: &Bin| (bin.confidence - bin.right as f64).abs();
    let apart: f64 = confidence_bins(rows, truths).iter().map(apart).sum();
    apart / rows.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    /// Rows of which `right` in ten are right at this confidence, over four people.
    fn rows(confidence: f32, right: usize) -> (Vec<Vec<f32>>, Vec<usize>) {
        let rest = (1.0 - confidence) / 3.0;
        let row = |at: usize| (0..4).map(|i| if i == at { confidence } else { rest }).collect();
        let rows: Vec<Vec<f32>> = (0..1000).map(|i| row(i % 4)).collect();
        let truth = |i: usize| if i / 4 % 10 < right { i % 4 } else { (i + 1 + i / 40 % 3) % 4 };
        (rows, (0..1000).map(truth).collect())
    }

    #[test]
    fn a_temperature_changes_how_sure_but_not_of_whom() {
        let row = [0.7, 0.2, 0.1];
        let sum = |row: &[f32]| row.iter().sum::<f32>();
        for (temperature, larger) in [(0.5, true), (2.0, false)] {
            let changed = at_temperature(&row, temperature);
            assert_abs_diff_eq!(sum(&changed), 1.0, epsilon = 1e-6);
            assert_eq!(changed[0] > row[0], larger);
            assert!(changed.is_sorted_by(|a, b| a > b));
        }
        for (changed, given) in at_temperature(&row, 1.0).into_iter().zip(row) {
            assert_abs_diff_eq!(changed, given, epsilon = 1e-6);
        }
        // softmax([ln 0.7, ln 0.2, ln 0.1] / 2), by hand
        let roots = row.map(f32::sqrt);
        assert_abs_diff_eq!(at_temperature(&row, 2.0)[1], roots[1] / sum(&roots), epsilon = 1e-6);
        assert_eq!(at_temperature(&[1.0, 0.0], 3.0)[0], 1.0, "a probability of 0 stays finite");
    }

    #[test]
    fn a_model_that_is_too_sure_is_cooled_and_then_right() {
        let (rows, truths) = rows(0.98, 7);
        assert_abs_diff_eq!(expected_calibration_error(&rows, &truths), 0.28, epsilon = 1e-5);
        let temperature = fit_temperature(&rows, &truths);
        assert!(temperature > 1.0, "{temperature}");
        let rows: Vec<Vec<f32>> = rows.iter().map(|row| at_temperature(row, temperature)).collect();
        assert_abs_diff_eq!(rows[0][0], 0.7, epsilon = 2e-3);
        assert!(expected_calibration_error(&rows, &truths) < 3e-3);
    }

    #[test]
    fn few_pictures_that_are_all_right_make_nobody_certain() {
        let (rows, truths) = (vec![vec![0.9, 0.1], vec![0.2, 0.8]], vec![0, 1]);
        let temperature = fit_temperature(&rows, &truths);
        let rows: Vec<Vec<f32>> = rows.iter().map(|row| at_temperature(row, temperature)).collect();
        // Platt's target for two pictures is 3/4.
        assert_abs_diff_eq!((rows[0][0] + rows[1][1]) / 2.0, 0.75, epsilon = 0.02);
        assert_eq!((fit_temperature(&[], &[]), expected_calibration_error(&[], &[])), (1.0, 0.0));
    }
}
