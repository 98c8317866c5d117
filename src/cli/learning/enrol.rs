//! Which photos are learned: all where none can be kept to validate, and for networks made for faces in drawn masks too.

use std::collections::HashMap;

use lookalike::data::{Dataset, Split, with_masks};
use lookalike::{Device, Result};

use crate::cli::display::note;

/// Largest share of enrolled pictures that may wear a drawn mask: nine for each bare one.
const MOST_MASKS: f32 = 0.9;

/// The photos to train on, and behind them copies with masks drawn on, which make up about a share of `masks` of both: who is
/// the mean of their photos is found with a mask too if the mean has seen one.
pub fn enrol(dataset: &Dataset, split: Split, masks: f32, device: &Device) -> Result<(Dataset, Split)> {
    let share = f64::from(masks.min(MOST_MASKS));
    let each = share / (1.0 - share);
    let known: Vec<usize> =
        split.train.iter().copied().filter(|&picture| dataset.knows_face(picture)).collect();
    let mut all = dataset.clone();
    let mut split = split;
    let copies = |rounds: f64| (rounds * known.len() as f64).round() as usize;
    let mut drawn = 0;
    // `evaluate` draws the masks number 0.
    for draw in 1.. {
        let now: Vec<usize> = known.iter().copied().take(copies(each) - drawn).collect();
        if now.is_empty() {
            return Ok((all, split));
        }
        split.train.extend(all.len()..all.len() + now.len());
        let masked =
            device.retrying(&mut |text| note(text), &mut || with_masks(dataset, &now, draw, device))?;
        all.append(masked);
        drawn += now.len();
    }
    unreachable!("copies come to an end")
}

/// Whether somebody has two photos that are not nearly equal, so that one of them can be kept to validate.
pub fn anybody_has_two(dataset: &Dataset) -> bool {
    let mut first = HashMap::new();
    let mut photos = dataset.labels.iter().zip(&dataset.groups);
    photos.any(|(label, group)| *first.entry(label).or_insert(group) != group)
}

/// All photos that a split trains on or validates with, to train on.
pub fn with_all(dataset: &Dataset, split: &Split) -> Split {
    // Behind the photos stand copies in drawn masks.
    let photos =
        split.train.iter().chain(&split.validation).copied().filter(|&picture| picture < dataset.len());
    let mut train: Vec<usize> = photos.collect();
    train.sort_unstable();
    Split { train, validation: vec![], ..split.clone() }
}

/// What needs no validation may learn from every photo.
pub fn trained_on_all(dataset: &Dataset) -> Split {
    let count = dataset.len();
    let note = format!("{count} photos to train on and none to validate with: nobody has two different ones");
    Split { train: (0..count).collect(), validation: vec![], leaky: false, note }
}
