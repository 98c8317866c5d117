//! Strangers for networks whose features depend on whom they learned. These tell the people they have learned farther apart than
//! any others, so how far a stranger is follows only from people whom a network has not seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::batches::MOST_FROZEN;
use super::fit::{Event, Task, Trained};
use super::options::FitOptions;
use super::rows::{Rows, answers};
use super::source::base_graphs;
use super::step::PIXELS;
use crate::Result;
use crate::data::Split;
use crate::graph::{Params, Plan};
use crate::models::{Model, Strangers};
use crate::nn::Parameter;
use crate::tensor::{Data, HostTensor, Precision};

/// A way to train.
pub type Fit = fn(&Task<'_>, &FitOptions, &AtomicBool, &mut dyn FnMut(Event<'_>)) -> Result<Trained>;

/// What the model with these weights makes of each picture to train on, in the order of the split: its
/// [features](crate::models::Model::features).
///
/// # Errors
/// As [`fit`](super::fit()).
pub fn features_of(
    task: &Task<'_>,
    options: &FitOptions,
    weights: &BTreeMap<String, HostTensor>,
    stop: &AtomicBool,
) -> Result<Vec<Vec<f32>>> {
    let Task { model, dataset, split, device, normalize, .. } = *task;
    let before = model.before_classifier()?;
    // What is frozen and known before training is kept from one run to the next.
    let given = |parameters: &[Parameter]| parameters.iter().all(|p| task.weights.contains_key(&p.name));
    let fixed = before.trace(1)?.iter().take(before.frozen).take_while(|l| given(&l.parameters)).count();
    let (base, head) = Model { frozen: fixed, ..before.clone() }.split_frozen()?;
    let options = FitOptions { augment: None, ..options.clone() };
    if !base.layers.is_empty() {
        let rows = Rows::new(task, &options, &base, stop, &mut |_| {})?;
        return answers(&head, weights, device, &rows.train);
    }
    let params = Params::new(device);
    before.load(&params, weights)?;
    let mut features = Vec::with_capacity(split.train.len());
    for pictures in split.train.chunks(MOST_FROZEN) {
        let (graph, y) =
            base_graphs(&before, pictures.len(), None, normalize, Precision::F32)?.swap_remove(0);
        let mut plan = Plan::new(&graph, &params, &[y])?;
        let pixels = pictures.iter().flat_map(|&picture| dataset.image(picture)).copied().collect();
        plan.write(PIXELS, &Data::U8(pixels))?;
        plan.run()?;
        let values = plan.read(y)?.to_f32();
        features.extend(values.chunks_exact(values.len() / pictures.len()).map(<[f32]>::to_vec));
    }
    Ok(features)
}

/// For photos of people held out, how far they are from the nearest person of a network that was trained without them: each of
/// `folds` networks does without another part of the people, and `on_fold` is told its number before. A part that leaves fewer
/// than two people, or nobody to validate with, is left out.
///
/// # Errors
/// As [`fit`](super::fit()).
pub fn hold_out(
    task: &Task<'_>,
    options: &FitOptions,
    fit: Fit,
    folds: usize,
    stop: &AtomicBool,
    on_fold: &mut dyn FnMut(usize),
) -> Result<Vec<f32>> {
    let Task { dataset, split, .. } = *task;
    let people = dataset.classes();
    // They are other runs than the one that is kept.
    let options = &FitOptions { checkpoints: None, ..options.clone() };
    let mut distances = Vec::new();
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
        on_fold(fold);
        let trained = match fit(&Task { split: &some, ..*task }, options, stop, &mut |_| {}) {
            // The model itself is trained: an impatient user is to have it, with what is known by now.
            Err(_) if stop.load(Ordering::Relaxed) => break,
            trained => trained?,
        };
        let features = features_of(task, options, &trained.weights, stop)?;
        let all = features.into_iter().zip(&split.train);
        let (inside, outside): (Vec<_>, Vec<_>) = all.partition(|(_, picture)| knows(picture));
        let (inside, labels): (Vec<_>, Vec<_>) =
            inside.into_iter().map(|(features, &picture)| (features, dataset.labels[picture])).unzip();
        let judge = Strangers::new(&inside, &labels, people, 0.5, 1.0);
        distances.extend(outside.iter().map(|(features, _)| judge.nearest(features).1));
    }
    Ok(distances)
}
