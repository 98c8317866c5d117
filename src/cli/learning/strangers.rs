//! How far strangers are from the people that a network has learned.

use std::sync::atomic::AtomicBool;

use lookalike::Result;
use lookalike::models::Strangers;
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
    let people: Vec<usize> = split.train.iter().map(|&picture| dataset.labels[picture]).collect();
    let classes = dataset.classes();
    let usual = model.usual_distance();
    if let (true, Some(usual)) = (model.is_for_faces(), usual) {
        // Its numbers are the same whoever is learned.
        return Ok(Some(Strangers::new(&trained.features, &people, classes, rate, usual)));
    }
    let on_note = &mut |text: &str| note(text);
    let features = features_of(task, options, &trained.weights, stop, on_note)?;
    let folds = settings.hold_out().min(classes);
    let distances = hold_out(task, options, fit, folds, stop, on_note)?;
    // Without a usual distance, only one that people held out told counts.
    let found =
        Strangers::from_held_out(&features, &people, classes, rate, usual.unwrap_or_default(), distances);
    if found.held_out == 0 && usual.is_none() {
        note("too few people were held out to tell how far strangers are: nobody will be 'unknown'");
        return Ok(None);
    }
    Ok(Some(found))
}
