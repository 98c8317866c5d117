//! Weights for people with unequal numbers of pictures.

/// How often a picture of each of `classes` people counts, so that people count the same: n / (people · n_c) times for person c with
/// n_c of n pictures, as scikit-learn's `class_weight="balanced"`; once for a person without any.
pub(super) fn class_weights(labels: &[usize], classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[label] += 1);
    let people = counts.iter().filter(|&&count| count > 0).count();
    let weight = |&count: &usize| match count {
        0 => 1.0,
        _ => labels.len() as f32 / (people * count) as f32,
    };
    counts.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_people_count_the_same() {
        // Three people among six pictures; the fourth has none.
        assert_eq!(class_weights(&[0, 0, 0, 1, 2, 2], 4), [2.0 / 3.0, 2.0, 1.0, 1.0]);
        assert_eq!(class_weights(&[0, 0], 4), [1.0; 4]);
    }
}
