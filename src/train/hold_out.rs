//! Strangers for networks whose features depend on whom they learned. These tell the people they have learned farther apart than
//! any others, so how far a stranger is follows only from people whom a network has not seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fit::{Event, Task, Trained};
use super::options::FitOptions;
use super::rows::{Rows, answers};
use super::source::Caching;
use crate::Result;
use crate::data::Split;
use crate::models::{Gallery, HeldOut, Model, Strangers};
use crate::nn::Parameter;
use crate::tensor::{HostTensor, Precision};

/// A way to train.
pub type Fit = fn(&Task<'_>, &FitOptions, &AtomicBool, &mut dyn FnMut(Event<'_>)) -> Result<Trained>;

/// What the model with these weights makes of each picture to train on, in the order of the split: its
/// [features](crate::models::Model::features). `on_note` is told what the user should know.
///
/// # Errors
/// As [`fit`](super::fit()).
pub fn features_of(
    task: &Task<'_>,
    options: &FitOptions,
    weights: &BTreeMap<String, HostTensor>,
    stop: &AtomicBool,
    on_note: &mut dyn FnMut(&str),
) -> Result<Vec<Vec<f32>>> {
    let Task { model, split, device, .. } = *task;
    let on_event = &mut notes_only(on_note);
    let before = model.before_classifier()?;
    // What is frozen and known before training is kept from one run to the next.
    let given = |parameters: &[Parameter]| parameters.iter().all(|p| task.weights.contains_key(&p.name));
    let fixed = before.trace(1)?.iter().take(before.frozen).take_while(|l| given(&l.parameters)).count();
    let (base, head) = Model { frozen: fixed, ..before.clone() }.split_frozen()?;
    let options = FitOptions { augment: None, ..options.clone() };
    if !base.layers.is_empty() {
        let rows = Rows::new(task, &options, &base, stop, on_event)?;
        return answers(&head, weights, device, &options, &rows.train, on_event);
    }
    // Nobody asks for the features of trained weights again.
    let options = FitOptions { cache: Caching::Off, precision: Precision::F32, ..options };
    let split = &Split { validation: vec![], ..split.clone() };
    Ok(Rows::new(&Task { weights, split, ..*task }, &options, &before, stop, on_event)?.train)
}

/// Tells of what happens in words alone.
fn notes_only(on_note: &mut dyn FnMut(&str)) -> impl FnMut(Event<'_>) {
    |event| {
        if let Event::Note(note) = event {
            on_note(note);
        }
    }
}

/// Photos of people held out, and how far they are from the nearest person of a network that was trained without them: each of
/// `folds` networks does without another part of the people, and `on_note` is told before. A part that leaves fewer than two
/// people, or nobody to validate with, is left out. Where the options have [checkpoints](FitOptions::checkpoints), each network
/// has [its own](super::Checkpoints::of_hold_out).
///
/// # Errors
/// As [`fit`](super::fit()).
pub fn hold_out(
    task: &Task<'_>,
    options: &FitOptions,
    fit: Fit,
    folds: usize,
    stop: &AtomicBool,
    on_note: &mut dyn FnMut(&str),
) -> Result<Vec<HeldOut>> {
    let Task { dataset, split, .. } = *task;
    let people = dataset.classes();
    let mut held_out = Vec::new();
    for fold in 0..folds.min(people) {
        let knows = |picture: &usize| dataset.labels[*picture] % folds != fold;
        let known = |pictures: &[usize]| pictures.iter().copied().filter(knows).collect::<Vec<usize>>();
        let some =
            Split { train: known(&split.train), validation: known(&split.validation), ..split.clone() };
        let mut left: Vec<usize> = some.train.iter().map(|&picture| dataset.labels[picture]).collect();
        left.sort_unstable();
        left.dedup();
        let unvalidated = some.validation.is_empty() && !split.validation.is_empty();
        if left.len() < 2 || unvalidated {
            continue;
        }
        let number = fold + 1;
        on_note(&format!("training without some of the people, {number} of {folds}"));
        let checkpoints = options.checkpoints.as_ref().map(|kept| kept.of_hold_out(number));
        let options = &FitOptions { checkpoints, ..options.clone() };
        let trained = fit(&Task { split: &some, ..*task }, options, stop, &mut notes_only(on_note));
        if stop.load(Ordering::Relaxed) {
            // The model itself is trained: an impatient user is to have it, with what is known by now.
            break;
        }
        let features = features_of(task, options, &trained?.weights, stop, on_note)?;
        let all = features.into_iter().zip(&split.train);
        let (inside, outside): (Vec<_>, Vec<_>) = all.partition(|(_, picture)| knows(picture));
        let (inside, pictures): (Vec<_>, Vec<_>) = inside.into_iter().unzip();
        let labels: Vec<usize> = pictures.iter().map(|&&picture| dataset.labels[picture]).collect();
        let groups: Vec<i64> = pictures.iter().map(|&&picture| dataset.groups[picture]).collect();
        let known = Gallery { features: &inside, labels: &labels, groups: &groups, people };
        let judge = Strangers::new(known, 0.5, 1.0);
        held_out.extend(outside.iter().map(|(features, picture)| HeldOut {
            distance: judge.nearest(features).1,
            group: dataset.groups[**picture],
        }));
    }
    Ok(held_out)
}
