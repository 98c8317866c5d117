//! Training in one step: the features of every picture, then the [means](super::means) of each person's.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::batches::MOST_FROZEN;
use super::fit::{Event, FitOptions, Outcome, Task, Trained, features};
use super::means::{Example, Head};
use super::source::Item;
use super::{Epoch, History};
use crate::graph::Params;
use crate::models::Model;
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// As [`fit`](super::fit()), for a model of frozen layers and one dense softmax layer behind them, which is computed in closed
/// form: a person is the mean of what the frozen layers make of their pictures. The history has one epoch, whose
/// validation is NaN where the split keeps nothing to validate with. Of the options only those of the cache, the memory and
/// the precision matter; no picture is changed.
///
/// # Errors
/// [`Error::Training`] if it was interrupted, [`Error::State`] if the value of a frozen parameter is missing,
/// [`Error::Input`] if the model is another one.
pub fn fit_means(
    task: &Task<'_>,
    options: &FitOptions,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained> {
    let start = Instant::now();
    let Task { model, dataset, split, device, weights, .. } = *task;
    let (base, head) = model.split_frozen()?;
    let layer = dense(&head)?;
    let params = Params::new(device);
    base.load(&params, weights)?;
    let batch = base.largest_batch(device.max_tensor())?.min(MOST_FROZEN);
    let options = FitOptions { augment: None, ..options.clone() };
    let mut source = features(task, &options, &base, &params, batch)?;
    let items = |pictures: &[usize]| -> Vec<Item> {
        pictures.iter().map(|&picture| Item { picture, variant: 0 }).collect()
    };
    let all = [items(&split.validation), items(&split.train)].concat();
    let total = source.missing(&all).len();
    on_event(Event::Features { done: 0, total });
    let progress = &mut |done| on_event(Event::Features { done, total });
    if !source.prepare(dataset, &all, stop, progress)? {
        return Err(Error::Training(
            "it was interrupted; with a cache folder the next run goes on where it was".into(),
        ));
    }
    let width = source.width();
    let mut rows = |pictures: &[usize]| -> Result<Vec<Vec<f32>>> {
        let values = source.gather(dataset, &items(pictures))?;
        Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
    };
    let (train, validation) = (rows(&split.train)?, rows(&split.validation)?);
    if let Some(problem) = source.problem() {
        on_event(Event::Note(problem));
    }
    let example = |(features, &picture): (&Vec<f32>, &usize)| -> (Vec<f32>, usize, i64) {
        (features.clone(), dataset.labels[picture], dataset.groups[picture])
    };
    let examples: Vec<_> = train.iter().zip(&split.train).map(example).collect();
    let examples: Vec<Example<'_>> = examples
        .iter()
        .map(|(features, label, group)| Example { features, label: *label, group: *group })
        .collect();
    let closed = Head::new(&examples, dataset.classes());
    let answers =
        |rows: &[Vec<f32>]| -> Vec<Vec<f32>> { rows.iter().map(|row| closed.probabilities(row)).collect() };
    let (of_train, of_validation) = (answers(&train), answers(&validation));
    let score = |pictures: &[usize], answers: &[Vec<f32>]| score(pictures, answers, &dataset.labels);
    let ((loss, accuracy), (val_loss, val_accuracy)) =
        (score(&split.train, &of_train), score(&split.validation, &of_validation));
    let seconds = start.elapsed().as_secs_f64();
    let epoch = Epoch {
        number: 1,
        loss,
        accuracy,
        val_loss,
        val_accuracy,
        rate: 0.0,
        seconds,
        pictures_per_second: split.train.len() as f64 / seconds,
    };
    let mut trained = BTreeMap::new();
    for parameter in base.parameters()? {
        let value = weights[&parameter.name].clone();
        trained.insert(parameter.name, value);
    }
    trained.insert(format!("{layer}/kernel"), HostTensor::new([width, dataset.classes()], closed.kernel));
    trained.insert(format!("{layer}/bias"), HostTensor::new([dataset.classes()], closed.bias));
    Ok(Trained {
        weights: trained,
        history: History(vec![epoch]),
        best_epoch: 1,
        outcome: Outcome::Finished,
        answers: of_validation,
        features: train,
    })
}

/// The name of the one dense layer behind the frozen ones.
fn dense(head: &Model) -> Result<String> {
    match &head.layers[..] {
        [layer] if layer.class_name() == "Dense" => Ok(layer.name().to_owned()),
        _ => Err(Error::Input(format!(
            "the model '{}' has no single dense layer behind frozen ones, so means of features cannot be its weights",
            head.name
        ))),
    }
}

/// Mean loss, and share of the pictures whose most probable person is theirs; NaN of none.
fn score(pictures: &[usize], answers: &[Vec<f32>], labels: &[usize]) -> (f64, f64) {
    let count = pictures.len() as f64;
    let mut sums = (0.0, 0.0);
    for (&picture, row) in pictures.iter().zip(answers) {
        let own = row[labels[picture]];
        sums.0 -= f64::from(own.max(f32::MIN_POSITIVE)).ln();
        sums.1 += f64::from(u8::from(row.iter().all(|&p| p <= own)));
    }
    (sums.0 / count, sums.1 / count)
}
