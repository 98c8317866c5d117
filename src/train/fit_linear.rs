//! Training in one go: a linear layer on standardised features, as good as it gets on all pictures at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::class_weights::class_weights;
use super::fit::{Event, Outcome, Task, Trained};
use super::options::FitOptions;
use super::rows::{Rows, answers};
use super::step::{CLASS_WEIGHTS, RATE, STEP};
use crate::data::one_hot;
use crate::graph::{Graph, Params, Plan, Var};
use crate::models::Model;
use crate::nn::{CrossEntropy, Mode, Optimizer};
use crate::tensor::{Data, HostTensor, TensorType};
use crate::{Device, Error, Result};

/// Share of each target that is spread over all people: of few photos, so many more were named right than with none.
const SMOOTHING: f32 = 0.1;
/// What the sum of the kernel's squares counts in the loss. With that much smoothing, anything up to 0.03 does as well.
const DECAY: f32 = 1e-3;
/// Steps of gradient descent. The loss has one minimum, and no feature is larger than others.
const STEPS: usize = 300;
/// Learning rate of Adam.
const LEARNING_RATE: f32 = 3e-3;
const FEATURES: &str = "features";
const TARGETS: &str = "targets";

/// As [`fit`](super::fit()), for a model of frozen layers that end in batch normalisation, and one dense softmax layer.
///
/// The normalisation's mean and variance become those of the training pictures' features, so that every feature counts
/// the same. The dense layer is then trained on all pictures and their changed copies at once, with an L2 penalty, from zeros:
/// nothing is drawn, and no epoch is chosen, so validation pictures have no part in it and may be missing. Of the options only
/// those of changes, copies, balance, the cache, the memory, the micro-batch and the precision matter. The history has one epoch.
///
/// # Errors
/// [`Error::Training`] if it was interrupted, [`Error::State`] if the value of a frozen parameter is missing,
/// [`Error::Input`] if the model is another one.
pub fn fit_linear(
    task: &Task<'_>,
    options: &FitOptions,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained> {
    let start = Instant::now();
    let Task { model, dataset, split, device, weights, .. } = *task;
    let (base, normalization, head) = parts(model)?;
    let mut rows = Rows::new(task, options, &base, stop, on_event)?;
    let (mean, variance) = moments(&rows.train, rows.width);
    let mut trained = BTreeMap::new();
    for parameter in base.parameters()? {
        let value = weights[&parameter.name].clone();
        trained.insert(parameter.name, value);
    }
    let ones = vec![1.0; rows.width];
    let zeros = vec![0.0; rows.width];
    for (name, values) in
        [("gamma", ones), ("beta", zeros), ("moving_mean", mean), ("moving_variance", variance)]
    {
        let name = format!("{}/{name}", normalization.layers[0].name());
        trained.insert(name, HostTensor::new([rows.width], values));
    }
    rows.train = answers(&normalization, &trained, device, options, &rows.train, on_event)?;
    rows.validation = answers(&normalization, &trained, device, options, &rows.validation, on_event)?;
    let labels: Vec<usize> = rows.pictures.iter().map(|&picture| dataset.labels[picture]).collect();
    let weights = match options.balance {
        true => class_weights(&labels, dataset.classes()),
        false => vec![1.0; dataset.classes()],
    };
    let learned = device.retrying(&mut |note| on_event(Event::Note(note)), &mut || {
        descend(&head, &rows.train, &labels, &weights, device, stop)
    })?;
    trained.extend(learned);
    let of_train = answers(&head, &trained, device, options, &rows.train, on_event)?;
    let of_validation = answers(&head, &trained, device, options, &rows.validation, on_event)?;
    let history = rows.history(task, &of_train, &of_validation, start);
    rows.train.truncate(split.train.len());
    Ok(Trained {
        weights: trained,
        history,
        best_epoch: 1,
        outcome: Outcome::Finished,
        answers: of_validation,
        features: rows.train,
    })
}

/// The model's frozen layers before the normalisation, that, and the dense layer behind it.
fn parts(model: &Model) -> Result<(Model, Model, Model)> {
    let (frozen, head) = model.split_frozen()?;
    let classes: Vec<&str> = model.layers.iter().map(|layer| layer.class_name()).collect();
    if !classes.ends_with(&["BatchNormalization", "Dense"]) || head.layers.len() != 1 {
        return Err(Error::Input(format!(
            "the model '{}' does not end in a frozen batch normalisation and one dense layer, so it needs epochs",
            model.name
        )));
    }
    let before = Model { frozen: frozen.layers.len() - 1, ..frozen };
    let (base, normalization) = before.split_frozen()?;
    Ok((base, normalization, head))
}

/// Mean and variance of each number over the rows.
fn moments(rows: &[Vec<f32>], width: usize) -> (Vec<f32>, Vec<f32>) {
    let count = rows.len() as f64;
    let moment = |at: usize| {
        let values = || rows.iter().map(|row| f64::from(row[at]));
        let mean = values().sum::<f64>() / count;
        (mean as f32, (values().map(|x| (x - mean).powi(2)).sum::<f64>() / count) as f32)
    };
    (0..width).map(moment).unzip()
}

/// The parameters of the dense layer `head` that tell the people of these rows apart best, where a row of person c counts
/// `weights[c]` times.
fn descend(
    head: &Model,
    rows: &[Vec<f32>],
    labels: &[usize],
    weights: &[f32],
    device: &Device,
    stop: &AtomicBool,
) -> Result<BTreeMap<String, HostTensor>> {
    let params = Params::new(device);
    let classes = weights.len();
    let parameters = head.parameters()?;
    for parameter in &parameters {
        let zeros = vec![0.0f32; parameter.shape.len()];
        params.set(&parameter.name, &HostTensor::new(parameter.shape.clone(), zeros))?;
    }
    let mut graph = Graph::new();
    let x = graph.input(FEATURES, TensorType::f32([rows.len(), rows[0].len()]));
    let targets = graph.input(TARGETS, TensorType::f32([rows.len(), classes]));
    let logits = head.build(&mut graph, x, Mode::Train, 0, None)?;
    let states: Vec<Var> =
        parameters.iter().map(|p| graph.state(&p.name, TensorType::f32(&p.shape))).collect::<Result<_>>()?;
    let counts = graph.input(CLASS_WEIGHTS, TensorType::f32([classes]));
    let cross_entropy = CrossEntropy { label_smoothing: SMOOTHING };
    let fit = cross_entropy.build_weighted(&mut graph, logits, targets, Some(counts))?.loss;
    // The first parameter is the kernel.
    let penalty = graph.l2_penalty(states[0], DECAY)?;
    let loss = graph.add(fit, penalty)?;
    let gradients = graph.gradients(loss, &states)?;
    let step = graph.state_filled(STEP, TensorType::u32([1]), 0.0)?;
    let rate = graph.state_filled(RATE, TensorType::f32([1]), LEARNING_RATE)?;
    let named: Vec<(&str, Var)> = parameters.iter().map(|p| p.name.as_str()).zip(gradients).collect();
    Optimizer::default().build(&mut graph, &named, rate, step)?;
    graph.increment(step)?;
    let mut plan = Plan::new(&graph, &params, &[])?;
    plan.write(CLASS_WEIGHTS, &Data::F32(weights.to_vec()))?;
    plan.write(FEATURES, &Data::F32(rows.concat()))?;
    plan.write(TARGETS, &Data::F32(one_hot(labels, classes)))?;
    for _ in 0..STEPS {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Training("it was interrupted before the last layer was trained".into()));
        }
        plan.run()?;
    }
    parameters.into_iter().map(|p| Ok((p.name.clone(), params.get(&p.name)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::nn::LayerActivation;
    use crate::nn::layers::Dense;
    use crate::tensor::Shape;

    #[test]
    fn it_ends_where_the_loss_is_lowest() {
        const FEATURES: usize = 40;
        const PEOPLE: usize = 3;
        let labels: Vec<usize> = (0..30).map(|row| if row < 12 { 0 } else { row % PEOPLE }).collect();
        let feature = |row: usize, at: usize| ((row * 37 + at * at * 11) % 61) as f32 / 20.0 - 1.5;
        let own = |row: usize, at: usize| f32::from(u8::from(at % PEOPLE == labels[row])) / 2.0;
        let rows: Vec<Vec<f32>> = (0..labels.len())
            .map(|row| (0..FEATURES).map(|at| feature(row, at) + own(row, at)).collect())
            .collect();
        let layers: Vec<Arc<dyn crate::nn::Layer>> =
            vec![Arc::new(Dense::new("people", PEOPLE, LayerActivation::Softmax))];
        let head = Model { name: "head".into(), input: Shape::from([FEATURES]), layers, frozen: 0 };
        let device = Device::cpu();
        let target = |row: usize, class: usize| {
            SMOOTHING / PEOPLE as f32 + if labels[row] == class { 1.0 - SMOOTHING } else { 0.0 }
        };
        let steepest = |kernel: &[f32], probabilities: &[Vec<f32>], weights: &[f32]| {
            let slope = |at: usize| {
                let (feature, class) = (at / PEOPLE, at % PEOPLE);
                let of_row = |row: usize| {
                    weights[labels[row]]
                        * rows[row][feature]
                        * (probabilities[row][class] - target(row, class))
                };
                (0..rows.len()).map(of_row).sum::<f32>() / rows.len() as f32 + 2.0 * DECAY * kernel[at]
            };
            (0..kernel.len()).map(slope).fold(0.0, |steepest: f32, slope| steepest.max(slope.abs()))
        };
        for weights in [vec![1.0; PEOPLE], class_weights(&labels, PEOPLE)] {
            let learned = descend(&head, &rows, &labels, &weights, &device, &AtomicBool::new(false)).unwrap();
            let kernel = learned["people/kernel"].to_f32();
            let even = vec![vec![1.0 / PEOPLE as f32; PEOPLE]; rows.len()];
            let before = steepest(&vec![0.0; kernel.len()], &even, &weights);
            let told = answers(&head, &learned, &device, &FitOptions::default(), &rows, &mut |_| {}).unwrap();
            let after = steepest(&kernel, &told, &weights);
            assert!(after < before / 20.0, "{weights:?}: the loss still falls: {after} of {before}");
        }
    }
}
