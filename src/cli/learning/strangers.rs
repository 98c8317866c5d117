//! How far strangers are from the people that a network has learned.

use std::sync::atomic::AtomicBool;

use lookalike::Result;
use lookalike::models::{Gallery, Strangers};
use lookalike::train::{Fit, FitOptions, Task, Trained, features_of, hold_out};

use super::settings::Settings;
use crate::cli::display::note;

/// How far a face may be from the people that a network has learned, so that a share of `rate` of strangers passes; none if that
/// cannot be told.
pub fn strangers(
    task: &Task<'_>,
    options: &FitOptions,
    settings: &Settings,
    rate: f64,
    fit: Fit,
    trained: &Trained,
    stop: &AtomicBool,
) -> Result<Option<Strangers>> {
    let Task { dataset, split, .. } = *task;
    let model = settings.network.model;
    let labels: Vec<usize> = split.train.iter().map(|&picture| dataset.labels[picture]).collect();
    let groups: Vec<i64> = split.train.iter().map(|&picture| dataset.groups[picture]).collect();
    let people = dataset.classes();
    let known = Gallery { features: &trained.features, labels: &labels, groups: &groups, people };
    let usual = model.usual_distance();
    if let (true, Some(usual)) = (model.is_for_faces(), usual) {
        // Its numbers are the same whoever is learned.
        return Ok(Some(Strangers::new(known, rate, usual)));
    }
    let on_note = &mut |text: &str| note(text);
    let features = features_of(task, options, &trained.weights, stop, on_note)?;
    let folds = settings.hold_out().min(people);
    let held_out = hold_out(task, options, fit, folds, stop, on_note)?;
    // Without a usual distance, only one that people held out told counts.
    let known = Gallery { features: &features, ..known };
    let found = Strangers::from_held_out(known, rate, usual.unwrap_or_default(), &held_out);
    if found.held_out == 0 && usual.is_none() {
        note("too few people were held out to tell how far strangers are: nobody will be 'unknown'");
        return Ok(None);
    }
    Ok(Some(found))
}
