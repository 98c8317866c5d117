//! Training in one step: the features of every picture, then the [means](super::means) of each person's.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::fit::{Event, Outcome, Task, Trained};
use super::means::{Example, Head};
use super::options::FitOptions;
use super::rows::Rows;
use crate::models::Model;
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// As [`fit`](super::fit()), for a model of frozen layers and one dense softmax layer behind them, which is computed in closed
/// form: a person is the mean of what the frozen layers make of their pictures. The history has one epoch, whose
/// validation is NaN where the split keeps nothing to validate with. Of the options only those of the cache, the memory, the
/// micro-batch, the precision and the usual scale matter; no picture is changed.
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
    let Task { model, dataset, split, weights, .. } = *task;
    let (base, head) = model.split_frozen()?;
    let layer = dense(&head)?;
    let options = FitOptions { augment: None, ..options.clone() };
    let rows = Rows::new(task, &options, &base, stop, on_event)?;
    let example = |(features, &picture): (&Vec<f32>, &usize)| -> (Vec<f32>, usize, i64) {
        (features.clone(), dataset.labels[picture], dataset.groups[picture])
    };
    let examples: Vec<_> = rows.train.iter().zip(&split.train).map(example).collect();
    let examples: Vec<Example<'_>> = examples
        .iter()
        .map(|(features, label, group)| Example { features, label: *label, group: *group })
        .collect();
    let closed = Head::new(&examples, dataset.classes(), options.usual_scale);
    let answers =
        |rows: &[Vec<f32>]| -> Vec<Vec<f32>> { rows.iter().map(|row| closed.probabilities(row)).collect() };
    let (of_train, of_validation) = (answers(&rows.train), answers(&rows.validation));
    let history = rows.history(task, &of_train, &of_validation, start);
    let mut trained = BTreeMap::new();
    for parameter in base.parameters()? {
        let value = weights[&parameter.name].clone();
        trained.insert(parameter.name, value);
    }
    trained
        .insert(format!("{layer}/kernel"), HostTensor::new([rows.width, dataset.classes()], closed.kernel));
    trained.insert(format!("{layer}/bias"), HostTensor::new([dataset.classes()], closed.bias));
    Ok(Trained {
        weights: trained,
        history,
        best_epoch: 1,
        outcome: Outcome::Finished,
        answers: of_validation,
        features: rows.train,
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
