//! Which photos are trained on and which are kept to validate: whole groups, person by person, before anything else.

use super::dataset::Dataset;
use super::duplicates::{by_group, shows_several};
use crate::{Error, Result};

/// Photos for training and for validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indices of the photos to train on, in order.
    pub train: Vec<usize>,
    /// Indices of the photos to validate with, in order.
    pub validation: Vec<usize>,
    /// Whether it is the tutorial's, whose accuracy says little about new photos.
    pub leaky: bool,
    /// How the split was made, for the report.
    pub note: String,
}

/// Keeps about `validation_share` (0.2 is usual) of each person's photos for validation.
///
/// A group of near-duplicates is never divided. Whoever has two groups or more is on both sides; whoever has one
/// is only trained on, as is a group with photos of several people. The same `seed` gives the same split
/// everywhere.
///
/// # Errors
/// [`Error::Input`] if the share is not between 0 and 1, or nobody has two different photos.
pub fn split_by_group(dataset: &Dataset, validation_share: f64, seed: u64) -> Result<Split> {
    if !(validation_share > 0.0 && validation_share < 1.0) {
        return Err(Error::Input(format!(
            "a share of {validation_share} for validation leaves one side empty; take one between 0 and 1, such as 0.2"
        )));
    }
    let parts = Parts::of(dataset, seed);
    let mut validation = Vec::new();
    for person in &parts.people {
        validation.extend(choose(&person.groups, person.total, validation_share));
    }
    if validation.is_empty() {
        return Err(nothing_to_validate_with());
    }
    let (train, left_out) = rest(dataset, &mut validation);
    let note = format!(
        "{} photos to train on and {} to validate with, kept apart before any augmentation: {} groups of equal or \
         nearly equal photos, each whole on one side, drawn person by person with seed {seed}{}{}",
        train.len(),
        validation.len(),
        parts.groups,
        parts.never_validated(),
        unused(left_out)
    );
    Ok(Split { train, validation, leaky: false, note })
}

/// Cross-validation: `folds` splits, each of which validates with another part of each person's photos.
///
/// A group of near-duplicates is never divided, and validates in exactly one fold. Each person's groups are dealt to
/// the folds so that these have about as many photos of the person; whoever has fewer groups than there are folds is
/// validated in some of them. Who has one group is only trained on, as are groups with photos of several people. The same
/// `seed` gives the same folds everywhere.
///
/// # Errors
/// [`Error::Input`] if there are fewer than two folds, nobody has two different photos, or there are not enough groups
/// for so many folds.
pub fn split_folds(dataset: &Dataset, folds: usize, seed: u64) -> Result<Vec<Split>> {
    if folds < 2 {
        return Err(Error::Input(format!("{folds} folds leave one side empty; take 2 or more, such as 5")));
    }
    let parts = Parts::of(dataset, seed);
    let mut validation: Vec<Vec<usize>> = vec![Vec::new(); folds];
    for person in &parts.people {
        let mut own = vec![0; folds];
        for (_, group) in &person.groups {
            // To where the fewest of this person are, then the fewest of all.
            let fold = (0..folds).min_by_key(|&fold| (own[fold], validation[fold].len(), fold));
            let fold = fold.expect("there are two or more");
            own[fold] += group.len();
            validation[fold].extend_from_slice(group);
        }
    }
    if validation.iter().all(Vec::is_empty) {
        return Err(nothing_to_validate_with());
    }
    if validation.iter().any(Vec::is_empty) {
        let groups: usize = parts.people.iter().map(|person| person.groups.len()).sum();
        return Err(Error::Input(format!(
            "{groups} groups of different photos are not enough for {folds} folds; take fewer folds, or add photos"
        )));
    }
    let fold = |(index, mut validation): (usize, Vec<usize>)| {
        let (train, left_out) = rest(dataset, &mut validation);
        let note = format!(
            "fold {} of {folds}: {} photos to train on and {} to validate with, kept apart before any augmentation: {} groups \
             of equal or nearly equal photos, each whole on one side and in one fold, drawn person by person with seed {seed}{}{}",
            index + 1,
            train.len(),
            validation.len(),
            parts.groups,
            parts.never_validated(),
            unused(left_out)
        );
        Split { train, validation, leaky: false, note }
    };
    Ok(validation.into_iter().enumerate().map(fold).collect())
}

/// A dataset's photos in the groups that are kept whole.
struct Parts<'a> {
    /// Who can be validated.
    people: Vec<Owned>,
    /// Names of those who cannot, for want of a second group.
    only_trained: Vec<&'a str>,
    /// Groups of photos with several people's names.
    mixed: usize,
    /// All groups.
    groups: usize,
}

/// What one person has.
struct Owned {
    /// Groups in a random order, with what they were sorted by.
    groups: Vec<(u64, Vec<usize>)>,
    /// Photos, those in mixed groups too.
    total: usize,
}

impl<'a> Parts<'a> {
    fn of(dataset: &'a Dataset, seed: u64) -> Parts<'a> {
        let groups = by_group(dataset);
        let (mixed, own): (Vec<_>, Vec<_>) =
            groups.iter().partition(|(_, photos)| shows_several(dataset, photos));
        let mut people = Vec::new();
        let mut only_trained = Vec::new();
        for (label, name) in dataset.names.iter().enumerate() {
            let candidates = own.iter().filter(|(_, photos)| dataset.labels[photos[0]] == label);
            let mut candidates: Vec<(u64, Vec<usize>)> = candidates
                .map(|&(&group, photos)| (shuffle_key(seed, label, group), photos.clone()))
                .collect();
            candidates.sort_unstable();
            let total = dataset.labels.iter().filter(|&&l| l == label).count();
            let elsewhere =
                mixed.iter().any(|(_, photos)| photos.iter().any(|&photo| dataset.labels[photo] == label));
            if candidates.len() + usize::from(elsewhere) >= 2 {
                people.push(Owned { groups: candidates, total });
            } else if total > 0 {
                only_trained.push(name.as_str());
            }
        }
        Parts { people, only_trained, mixed: mixed.len(), groups: groups.len() }
    }

    /// What is trained on in any case, for a note.
    fn never_validated(&self) -> String {
        let mut note = String::new();
        if !self.only_trained.is_empty() {
            note += &format!(
                "; trained on but not validated, for want of a second group: {}",
                self.only_trained.join(", ")
            );
        }
        if self.mixed > 0 {
            note += &format!(
                "; trained on, because they carry the names of several people: {} groups",
                self.mixed
            );
        }
        note
    }
}

fn nothing_to_validate_with() -> Error {
    Error::Input(
        "nobody has two different photos, so none can be kept for validation; add photos of each person"
            .to_owned(),
    )
}

/// Sorts what validates, and gives all other photos. What validates loses its changed copies, which are on neither side then:
/// their number is given too.
fn rest(dataset: &Dataset, validation: &mut Vec<usize>) -> (Vec<usize>, usize) {
    validation.sort_unstable();
    let train = (0..dataset.len()).filter(|photo| validation.binary_search(photo).is_err()).collect();
    let (copies, all) = (dataset.copies(), validation.len());
    validation.retain(|photo| !copies.contains(photo));
    (train, all - validation.len())
}

/// What a note says of changed copies that are on neither side.
fn unused(copies: usize) -> String {
    match copies {
        0 => String::new(),
        copies => format!("; {copies} changed copies of those that validate are not used"),
    }
}

/// The tutorial's split: any `validation_share` of the pictures, person by person, near-duplicates and changed copies of a
/// picture on both sides. The accuracy it gives says little about new photos: the note calls it leaky.
///
/// # Errors
/// [`Error::Input`] if the share is not between 0 and 1, or nobody has two pictures.
pub fn split_leaky(dataset: &Dataset, validation_share: f64, seed: u64) -> Result<Split> {
    // Labels are all that is split by, and copies are pictures like others.
    let ungrouped = Dataset {
        size: dataset.size,
        pixels: Vec::new(),
        labels: dataset.labels.clone(),
        names: dataset.names.clone(),
        groups: (0..dataset.len() as i64).collect(),
        sources: Vec::new(),
        masked: Vec::new(),
        landmarks: Vec::new(),
        cut: dataset.cut.clone(),
    };
    let split = split_by_group(&ungrouped, validation_share, seed)?;
    let note = format!(
        "LEAKY, the tutorial's: {} pictures to train on and {} to validate with, drawn with seed {seed} after augmentation, so \
         that changed copies and near-duplicates of a picture are on both sides; its accuracy says little about new photos",
        split.train.len(),
        split.validation.len()
    );
    Ok(Split { leaky: true, note, ..split })
}

impl Split {
    /// The split with no more than `most` photos of each person to train on, drawn with `seed`; what validates stays.
    pub fn with_fewer(self, dataset: &Dataset, most: usize, seed: u64) -> Split {
        let mut order: Vec<(u64, usize)> = self
            .train
            .iter()
            .map(|&photo| (shuffle_key(seed, dataset.labels[photo], photo as i64), photo))
            .collect();
        order.sort_unstable();
        let mut taken = vec![0; dataset.classes()];
        let mut train = Vec::new();
        for (_, photo) in order {
            let taken = &mut taken[dataset.labels[photo]];
            if *taken < most {
                *taken += 1;
                train.push(photo);
            }
        }
        train.sort_unstable();
        let note = format!(
            "{}; only {most} photos of each person are trained on, {} in all",
            self.note,
            train.len()
        );
        Split { train, note, ..self }
    }
}

/// Photos of one person for validation: whole groups in the order given, where they fit into the share of the
/// person's `total` photos; at least one group, the smallest if none fits.
fn choose(groups: &[(u64, Vec<usize>)], total: usize, share: f64) -> Vec<usize> {
    let room = ((total as f64 * share).round() as usize).clamp(1, total - 1);
    let mut chosen = Vec::new();
    for (_, group) in groups {
        if chosen.len() + group.len() <= room {
            chosen.extend_from_slice(group);
        }
    }
    if chosen.is_empty()
        && let Some((_, smallest)) = groups.iter().min_by_key(|(_, group)| group.len())
    {
        chosen.extend_from_slice(smallest);
    }
    chosen
}

/// A number that looks random, the same everywhere: sorting by it shuffles a person's groups.
fn shuffle_key(seed: u64, label: usize, group: i64) -> u64 {
    mix(mix(mix(seed) ^ label as u64) ^ group as u64)
}

/// The output function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::CutStyle;

    /// A dataset of these (label, group) pairs; the pixels do not matter.
    fn dataset(photos: &[(usize, i64)]) -> Dataset {
        let classes = photos.iter().map(|&(label, _)| label + 1).max().unwrap_or(0);
        Dataset {
            size: 1,
            pixels: vec![0; photos.len() * 3],
            labels: photos.iter().map(|&(label, _)| label).collect(),
            names: (0..classes).map(|label| format!("p{label}")).collect(),
            groups: photos.iter().map(|&(_, group)| group).collect(),
            sources: vec![String::new(); photos.len()],
            masked: vec![false; photos.len()],
            landmarks: vec![None; photos.len()],
            cut: CutStyle::default(),
        }
    }

    #[test]
    fn changed_copies_are_learned_but_validate_nothing() {
        let photos: Vec<(usize, i64)> = (0..12).map(|photo| (photo as usize % 2, photo)).collect();
        let each = |photo: &(usize, i64)| [*photo; 3];
        let mut expanded = dataset(&photos.iter().flat_map(each).collect::<Vec<_>>());
        expanded.sources = (0..36).map(|at| format!("{}.png", at / 3)).collect();
        let folds = split_folds(&expanded, 3, 1).unwrap();
        for split in folds.iter().chain([&split_by_group(&expanded, 0.25, 1).unwrap()]) {
            assert!(
                !split.validation.is_empty() && split.validation.iter().all(|at| at % 3 == 0),
                "{split:?}"
            );
            assert!(
                split.note.contains("changed copies of those that validate are not used"),
                "{}",
                split.note
            );
            let validated = |at: usize| split.validation.contains(&(at - at % 3));
            let learned: Vec<usize> = (0..36).filter(|&at| !validated(at)).collect();
            assert_eq!(split.train, learned);
        }
        let leaky = split_leaky(&expanded, 0.25, 1).unwrap();
        assert_eq!(leaky.train.len() + leaky.validation.len(), 36);
    }

    /// Up to six people with up to thirty photos each, in groups of any size, now and then across people.
    fn random_dataset(seed: u64) -> Dataset {
        let draw = |at: u64, below: u64| mix(mix(seed) ^ at) % below;
        let mut photos = Vec::new();
        for label in 0..2 + draw(0, 5) {
            let groups = 1 + draw(100 + label, 12);
            for photo in 0..1 + draw(200 + label, 30) {
                let at = 1000 * (label + 1) + photo;
                let owner = if draw(at + 500, 40) == 0 { 0 } else { label };
                photos.push((label as usize, (owner * 100 + draw(at, groups)) as i64));
            }
        }
        dataset(&photos)
    }

    #[test]
    fn every_split_is_honest() {
        let mut made = 0;
        for seed in 0..500 {
            let dataset = random_dataset(seed);
            let Ok(split) = split_by_group(&dataset, 0.2, seed) else { continue };
            made += 1;
            let mut all = [split.train.clone(), split.validation.clone()].concat();
            all.sort_unstable();
            assert_eq!(
                all,
                (0..dataset.len()).collect::<Vec<_>>(),
                "seed {seed}: every photo is on one side"
            );

            for (group, photos) in by_group(&dataset) {
                let kept = photos.iter().filter(|photo| split.validation.contains(photo)).count();
                assert!(kept == 0 || kept == photos.len(), "seed {seed}: group {group} is divided");
                assert!(
                    kept == 0 || !shows_several(&dataset, &photos),
                    "seed {seed}: group {group} shows several"
                );
            }
            for label in 0..dataset.classes() {
                let side =
                    |side: &[usize]| side.iter().filter(|&&photo| dataset.labels[photo] == label).count();
                let own = |(_, photos): &(i64, Vec<usize>)| {
                    photos.iter().any(|&photo| dataset.labels[photo] == label)
                };
                let groups: Vec<_> = by_group(&dataset).into_iter().filter(own).collect();
                let several = groups.iter().filter(|(_, photos)| shows_several(&dataset, photos)).count();
                let two_sided = groups.len() >= 2 && several < groups.len();
                assert!(side(&split.train) >= 1, "seed {seed}: person {label} is not trained on");
                if two_sided {
                    assert!(side(&split.validation) >= 1, "seed {seed}: person {label} is not validated");
                }
            }
            assert_eq!(split, split_by_group(&dataset, 0.2, seed).unwrap(), "seed {seed}: the same again");
        }
        assert!(made > 450, "{made} datasets were split");
    }

    #[test]
    fn folds_validate_each_group_once() {
        let mut made = 0;
        for seed in 0..500 {
            let dataset = random_dataset(seed);
            let folds = 2 + (seed % 4) as usize;
            let Ok(splits) = split_folds(&dataset, folds, seed) else { continue };
            made += 1;
            assert_eq!(splits.len(), folds);
            let mut times = vec![0; dataset.len()];
            for split in &splits {
                split.validation.iter().for_each(|&photo| times[photo] += 1);
                let mut all = [split.train.clone(), split.validation.clone()].concat();
                all.sort_unstable();
                assert_eq!(all, (0..dataset.len()).collect::<Vec<_>>(), "seed {seed}");
                for (group, photos) in by_group(&dataset) {
                    let kept = photos.iter().filter(|photo| split.validation.contains(photo)).count();
                    assert!(kept == 0 || kept == photos.len(), "seed {seed}: group {group} is divided");
                }
                for label in 0..dataset.classes() {
                    assert!(split.train.iter().any(|&photo| dataset.labels[photo] == label), "seed {seed}");
                }
            }
            for (group, photos) in by_group(&dataset) {
                let several = shows_several(&dataset, &photos);
                let label = dataset.labels[photos[0]];
                let own = by_group(&dataset)
                    .values()
                    .filter(|p| p.iter().any(|&q| dataset.labels[q] == label))
                    .count();
                let expected = usize::from(!several && own >= 2);
                assert!(photos.iter().all(|&photo| times[photo] == expected), "seed {seed}: group {group}");
            }
        }
        assert!(made > 400, "{made} datasets were split");
    }

    #[test]
    fn folds_are_of_even_sizes_person_by_person() {
        let dataset = dataset(&(0..53).map(|i| (usize::from(i % 4 == 0), i)).collect::<Vec<_>>());
        let splits = split_folds(&dataset, 5, 1).unwrap();
        for label in 0..2 {
            let of = |split: &Split| split.validation.iter().filter(|&&p| dataset.labels[p] == label).count();
            let counts: Vec<usize> = splits.iter().map(of).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
        assert!(splits[1].note.starts_with("fold 2 of 5: "), "{}", splits[1].note);
        assert_ne!(splits, split_folds(&dataset, 5, 2).unwrap());
        for (folds, problem) in [(1, "take 2 or more"), (60, "not enough for 60 folds")] {
            let message = split_folds(&dataset, folds, 1).unwrap_err().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }

    #[test]
    fn single_photos_are_split_by_the_share_and_differently_by_seed() {
        let dataset = dataset(&(0..100).map(|i| ((i % 2) as usize, i)).collect::<Vec<_>>());
        let splits: Vec<_> = (0..20).map(|seed| split_by_group(&dataset, 0.2, seed).unwrap()).collect();
        assert!(splits.iter().all(|split| split.validation.len() == 20 && split.train.len() == 80));
        assert!(splits.windows(2).all(|pair| pair[0].validation != pair[1].validation));
        // Each photo is kept by about a fifth of the seeds.
        let kept = |photo| splits.iter().filter(|split| split.validation.contains(&photo)).count();
        assert!((0..100).map(kept).max().unwrap() < 14);
    }

    #[test]
    fn a_large_group_moves_whole_and_leaves_somebody_to_train_on() {
        let split =
            split_by_group(&dataset(&[(0, 0), (0, 0), (0, 0), (0, 1), (0, 1), (1, 2), (1, 3)]), 0.9, 1)
                .unwrap();
        assert_eq!(split.validation[..2], [3, 4], "the smaller of two groups");
        assert_eq!((split.validation.len(), split.train.len()), (3, 4));
    }

    #[test]
    fn the_note_says_who_is_not_validated() {
        let split =
            split_by_group(&dataset(&[(0, 0), (0, 1), (0, 2), (1, 3), (1, 3), (2, 4), (2, 2)]), 0.2, 0)
                .unwrap();
        assert!(split.note.starts_with("5 photos to train on and 2 to validate with"), "{}", split.note);
        assert!(
            split.note.contains("5 groups") && split.note.contains("second group: p1;"),
            "{}",
            split.note
        );
        assert!(split.note.ends_with("names of several people: 1 groups"), "{}", split.note);
    }

    #[test]
    fn the_tutorials_split_divides_groups_and_says_so() {
        let dataset = dataset(&(0..60).map(|i| ((i % 2) as usize, i / 6 * 2 + i % 2)).collect::<Vec<_>>());
        let split = split_leaky(&dataset, 0.2, 1).unwrap();
        assert_eq!((split.train.len(), split.validation.len()), (48, 12));
        let group = |&photo: &usize| dataset.groups[photo];
        assert!(
            split.validation.iter().any(|photo| split.train.iter().map(group).any(|g| g == group(photo)))
        );
        assert!(split.note.starts_with("LEAKY"), "{}", split.note);
    }

    #[test]
    fn fewer_photos_are_trained_on_and_the_same_validate() {
        let dataset = dataset(&(0..100).map(|i| (usize::from(i % 5 == 0), i)).collect::<Vec<_>>());
        let split = split_by_group(&dataset, 0.2, 1).unwrap();
        let fewer = split.clone().with_fewer(&dataset, 10, 1);
        assert_eq!(fewer.validation, split.validation);
        let of = |label| fewer.train.iter().filter(|&&photo| dataset.labels[photo] == label).count();
        assert_eq!((of(0), of(1)), (10, 10));
        assert!(fewer.train.iter().all(|photo| split.train.contains(photo)) && fewer.train.is_sorted());
        assert_eq!(split.clone().with_fewer(&dataset, 1000, 1).train, split.train);
    }

    #[test]
    fn without_two_groups_or_a_sensible_share_there_is_no_split() {
        let message = split_by_group(&dataset(&[(0, 0), (0, 0), (1, 1)]), 0.2, 0).unwrap_err().to_string();
        assert!(message.contains("nobody has two different photos"), "{message}");
        for share in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(split_by_group(&dataset(&[(0, 0), (0, 1), (1, 2)]), share, 0).is_err(), "{share}");
        }
    }
}
