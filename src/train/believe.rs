//! How far a trained model's answers can be believed, by the pictures that validated it.

use crate::models::calibration::{at_temperature, expected_calibration_error, fit_temperature};

/// A temperature, and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Believed {
    /// What [`Judgement::temperature`](crate::models::Judgement::temperature) should be.
    pub temperature: f64,
    /// Expected calibration error without it.
    pub before: f64,
    /// With it: of each half of the groups at the temperature that fits the other half, so that no picture is judged by a
    /// number that it helped to find.
    pub after: f64,
}

/// The temperature that fits answers to validation pictures, with their people and their groups of near-duplicates.
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
    let judged: Vec<usize> = odd.iter().chain(&even).copied().collect();
    Believed {
        temperature: fit_temperature(answers, truths),
        before: expected_calibration_error(answers, truths),
        after: expected_calibration_error(&crossed.concat(), &people(&judged)),
    }
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
    fn one_group_cannot_judge_itself() {
        let Believed { before, after, .. } = believe(&[vec![0.6, 0.4]], &[0], &[7]);
        // Nothing was there to fit, so nothing changes.
        assert!((before - after).abs() < 1e-6);
    }
}
