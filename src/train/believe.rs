//! How far a trained model's answers can be believed, by the pictures that validated it.

use crate::models::calibration::{at_temperature, expected_calibration_error, fit_temperature};

/// A temperature, and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Believed {
    /// What [`Judgement::temperature`](crate::models::Judgement::temperature) should be: 1 where another helps nothing.
    pub temperature: f64,
    /// Expected calibration error without it.
    pub before: f64,
    /// With it: of each half of the groups at the temperature that fits the other half, so that no picture is judged by a
    /// number that it helped to find.
    pub after: f64,
}

/// The temperature that fits answers to validation pictures, with their people and their groups of near-duplicates. It has to
/// prove itself: unless the groups, each half at the temperature that fits the other half, are answered with a lower
/// cross-entropy and no larger calibration error, it is 1.
pub fn believe(answers: &[Vec<f32>], truths: &[usize], groups: &[i64]) -> Believed {
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let half = |at: &usize| distinct.binary_search(&groups[*at]).is_ok_and(|place| place % 2 == 0);
    let (even, odd): (Vec<usize>, Vec<usize>) = (0..answers.len()).partition(half);
    let rows = |at: &[usize]| at.iter().map(|&at| answers[at].clone()).collect::<Vec<_>>();
    let people = |at: &[usize]| at.iter().map(|&at| truths[at]).collect::<Vec<_>>();
    let crossed = [(&even, &odd), (&odd, &even)].map(|(fitted, judged)| {
        let temperature = fit_temperature(&rows(fitted), &people(fitted));
        judged.iter().map(|&at| at_temperature(&answers[at], temperature)).collect::<Vec<_>>()
    });
    let (tempered, whose) = (crossed.concat(), people(&[&odd[..], &even[..]].concat()));
    let before = expected_calibration_error(answers, truths);
    let after = expected_calibration_error(&tempered, &whose);
    if cross_entropy(&tempered, &whose) >= cross_entropy(answers, truths) || after > before {
        return Believed { temperature: 1.0, before, after: before };
    }
    Believed { temperature: fit_temperature(answers, truths), before, after }
}

/// The sum over the pictures.
fn cross_entropy(rows: &[Vec<f32>], truths: &[usize]) -> f64 {
    let loss = |(row, &truth): (&Vec<f32>, &usize)| -f64::from(row[truth].max(f32::MIN_POSITIVE)).ln();
    rows.iter().zip(truths).map(loss).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_too_sure_are_believed_less() {
        // 0.99 sure, and right three times of four.
        let row = |at: usize| if at == 0 { vec![0.99, 0.01] } else { vec![0.01, 0.99] };
        let answers: Vec<Vec<f32>> = (0..400).map(|i| row(i % 2)).collect();
        let truths: Vec<usize> = (0..400).map(|i| if i / 2 % 4 == 0 { 1 - i % 2 } else { i % 2 }).collect();
        let groups: Vec<i64> = (0..400).map(|i| i / 8).collect();
        let Believed { temperature, before, after } = believe(&answers, &truths, &groups);
        assert!(temperature > 2.0, "{temperature}");
        assert!((before - 0.24).abs() < 1e-5 && after < 0.01, "{before} {after}");
    }

    #[test]
    fn a_temperature_that_does_not_help_is_not_taken() {
        // Sure, and right: fitted to so few, a temperature would only make them unsure.
        let answers: Vec<Vec<f32>> =
            (0..6).map(|i| if i % 2 == 0 { vec![0.99, 0.01] } else { vec![0.01, 0.99] }).collect();
        let truths = [0, 1, 0, 1, 0, 1];
        let Believed { temperature, before, after } = believe(&answers, &truths, &[0, 1, 2, 3, 4, 5]);
        assert_eq!((temperature, before), (1.0, after));
        assert_eq!(believe(&[vec![0.6, 0.4]], &[0], &[7]).temperature, 1.0, "one group cannot judge itself");
    }

    #[test]
    fn a_temperature_that_makes_confidences_less_true_is_not_taken() {
        // Wrong and nearly certain once, else right as often as it says: another temperature lowers the cross-entropy, which that
        // one picture decides, and spoils the other confidences.
        let mut answers = vec![vec![0.75, 0.25]; 40];
        let mut truths: Vec<usize> = (0..40).map(|at| usize::from(at % 4 == 3)).collect();
        for _ in 0..2 {
            answers.push(vec![1.0 - 1e-30, 1e-30]);
            truths.push(1);
        }
        let groups: Vec<i64> = (0..42).collect();
        let tempered: Vec<Vec<f32>> = answers.iter().map(|row| at_temperature(row, 5.0)).collect();
        assert!(cross_entropy(&tempered, &truths) < cross_entropy(&answers, &truths));
        let Believed { temperature, before, after } = believe(&answers, &truths, &groups);
        assert_eq!((temperature, before), (1.0, after));
    }

    #[test]
    fn without_pictures_there_is_no_temperature() {
        assert_eq!(believe(&[], &[], &[]).temperature, 1.0);
    }
}
