//! The training loop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::average::WeightAverage;
use super::mixup::share;
use super::ring::Ring;
use super::schedule::{Pace, Schedule};
use super::source::{Extractor, Features, Item, Source};
use super::step::{self, Batch, Recipe, TrainStep, ValidationStep};
use super::{Batches, Caching, Epoch, History, Monitor};
use crate::data::features::{BaseKey, FeatureCache, Precision, prune};
use crate::data::{Dataset, Split};
use crate::graph::Params;
use crate::models::Model;
use crate::nn::{CrossEntropy, Optimizer};
use crate::ops::{Augment, Normalize, random};
use crate::tensor::HostTensor;
use crate::{Device, Error, Result};

/// Bytes that files of features may take in their folder; the oldest are removed.
const MOST_CACHED: u64 = 8 << 30;
/// Bytes of features kept in memory, unless [`FitOptions::memory`] is given.
const MOST_IN_MEMORY: u64 = 4 << 30;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Most epochs.
    pub epochs: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Most pictures whose tensors are on the device at a time, where less than its limits allow.
    pub micro_batch: Option<usize>,
    /// Most bytes that the run may hold on the device, and as many of features that are kept in memory.
    pub memory: Option<u64>,
    /// Seed of weights, order, dropout and augmentation.
    pub seed: u32,
    /// Learning rate.
    pub rate: f32,
    /// Epochs without a lower validation loss before training stops.
    pub patience: usize,
    /// Random changes to training pictures: new ones each epoch, or, where layers are frozen, those of `copies`.
    pub augment: Option<Augment>,
    /// How many changed copies of each training picture are seen in each epoch beside the picture itself, where layers
    /// are frozen: what these make of each copy is computed once. The copies are the same for every seed.
    pub copies: u32,
    /// Where layers are frozen: whether each epoch sees new changes, which go through the frozen layers each time, and
    /// nothing else.
    pub fresh: bool,
    /// Where to keep what frozen layers make of pictures.
    pub cache: Caching,
    /// How it is kept, and in which floats frozen layers keep their tensors where the [device](Device::keeps) is better off
    /// with them.
    pub precision: Precision,
    /// The lower rate of pretrained layers that are trained further.
    pub fine_tune: Option<FineTune>,
    /// The loss.
    pub loss: CrossEntropy,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// How the learning rates change.
    pub schedule: Schedule,
    /// Largest Euclidean norm of all gradients together: larger ones are scaled down to it.
    pub clip: Option<f32>,
    /// Mixes each training picture, or what frozen layers made of it, with another of its batch, and their targets likewise:
    /// shares are drawn from Beta(mixup, mixup), in `(0, 1]`. 0.2 is usual.
    pub mixup: Option<f32>,
    /// Momentum of an exponential moving average of the weights, in `[0, 1)`, which validates and is kept in their place.
    /// Keras: 0.99.
    pub average: Option<f32>,
    /// Whether people count the same in the training loss however many pictures they have: one of person c counts
    /// pictures / (people · pictures of c) times, as scikit-learn's `class_weight="balanced"`.
    pub balance: bool,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions {
            epochs: 40,
            batch: 16,
            micro_batch: None,
            memory: None,
            seed: 1,
            rate: 1e-3,
            patience: 10,
            augment: Some(Augment::default()),
            copies: 1,
            fresh: false,
            cache: Caching::default(),
            precision: Precision::default(),
            fine_tune: None,
            loss: CrossEntropy::default(),
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            clip: None,
            mixup: None,
            average: None,
            balance: false,
        }
    }
}

impl FitOptions {
    /// Changed copies of each training picture in an epoch of `model`.
    fn copies_of(&self, model: &Model) -> u32 {
        let none = model.frozen == 0 || self.augment.is_none() || self.fresh;
        if none { 0 } else { self.copies }
    }

    /// What an epoch of `model` trains on, of `pictures` pictures.
    pub fn items(&self, model: &Model, pictures: usize) -> usize {
        pictures * (1 + self.copies_of(model) as usize)
    }

    /// The random changes that frozen layers see. Those that only a share of the pictures gets are for the share of all that an
    /// epoch trains on, so the copies, beside which stand the pictures themselves, get more of them.
    pub(super) fn frozen_augment(&self, model: &Model) -> Option<Augment> {
        match (self.fresh, self.copies_of(model)) {
            (true, _) => self.augment,
            (false, 0) => None,
            (false, copies) => {
                let on_copies = |share: f32| (share * (1 + copies) as f32 / copies as f32).min(1.0);
                self.augment.map(|augment| Augment {
                    seed: 0,
                    masks: on_copies(augment.masks),
                    glasses: on_copies(augment.glasses),
                    erase: on_copies(augment.erase),
                    ..augment
                })
            }
        }
    }
}

/// How pretrained layers are trained further.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FineTune {
    /// How many of the model's first layers are pretrained.
    pub layers: usize,
    /// Their learning rate, where they are not frozen.
    pub rate: f32,
}

/// Why training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done.
    Finished,
    /// The validation loss no longer fell.
    EarlyStopped,
    /// The caller asked for it.
    Interrupted,
    /// The loss of training or validation was NaN or infinite in this epoch.
    NotFinite {
        /// Counted from 1.
        epoch: usize,
    },
}

/// The best weights of a run, and how they came about.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Parameters of the best epoch by validation accuracy, by name.
    pub weights: BTreeMap<String, HostTensor>,
    /// All epochs.
    pub history: History,
    /// The best epoch, counted from 1.
    pub best_epoch: usize,
    /// Why it ended.
    pub outcome: Outcome,
    /// For each validation picture, in the order of the split, the probability of each class with these weights.
    pub answers: Vec<Vec<f32>>,
    /// What frozen layers make of each training picture, in the order of the split, where the head is
    /// [computed from it](super::fit_means()); else empty.
    pub features: Vec<Vec<f32>>,
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The frozen layers have seen `done` of the `total` pictures and copies whose features were not kept before: first
    /// 0 of them, even if there are none.
    Features {
        /// Seen until now.
        done: usize,
        /// All of them.
        total: usize,
    },
    /// Something the user should know: the run goes on.
    Note(&'a str),
    /// An epoch has ended.
    Epoch(&'a Epoch),
}

/// What is trained, on what, where.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The network.
    pub model: &'a Model,
    /// The pictures.
    pub dataset: &'a Dataset,
    /// Which of them are trained on, and which validate.
    pub split: &'a Split,
    /// From bytes to numbers.
    pub normalize: Normalize,
    /// Values of parameters before training, by name: all of the frozen ones, and any others. Those that are not given
    /// start at random.
    pub weights: &'a BTreeMap<String, HostTensor>,
    /// Where it runs.
    pub device: &'a Device,
}

/// Trains a model on the training part of the split, and keeps the weights that do best on the validation part.
///
/// What the model's frozen layers make of each picture and each of its copies is computed once, before the first epoch, and
/// kept as [`FitOptions::cache`] says; the epochs then train the layers behind them. `on_event` sees how far it is; setting
/// `stop` ends the run after the current step.
///
/// # Errors
/// [`Error::Training`] if it ended before any epoch was validated, [`Error::TooLarge`] if not even one picture
/// fits on the device or into [`FitOptions::memory`], [`Error::State`] if the values of a frozen parameter are missing.
pub fn fit(
    task: &Task<'_>,
    options: &FitOptions,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained> {
    let mut run = Run::new(task, options)?;
    if !run.prepare(stop, on_event)? {
        return Err(Error::Training(
            "it was interrupted before the first epoch; with a cache folder the next run goes on where it was".into(),
        ));
    }
    let mut monitor = Monitor::new(options.patience);
    let mut pace = Pace::new(options.schedule, options.epochs);
    let mut history = History::default();
    let mut best = None;
    let mut outcome = Outcome::Finished;
    for number in 1..=options.epochs {
        let start = Instant::now();
        let Some((loss, accuracy)) = run.train_epoch(number, &pace, stop)? else {
            outcome = Outcome::Interrupted;
            break;
        };
        let training = start.elapsed().as_secs_f64();
        if !loss.is_finite() {
            outcome = Outcome::NotFinite { epoch: number };
            break;
        }
        run.swap_averages()?;
        let (val_loss, val_accuracy) = run.validate()?;
        if !val_loss.is_finite() {
            outcome = Outcome::NotFinite { epoch: number };
            break;
        }
        let epoch = Epoch {
            number,
            loss,
            accuracy,
            val_loss,
            val_accuracy,
            rate: (f64::from(options.rate) * pace.factor(number as f64)) as f32,
            seconds: start.elapsed().as_secs_f64(),
            pictures_per_second: run.training(number).len() as f64 / training,
        };
        if monitor.observe(&epoch) {
            best = Some((number, run.weights()?));
        }
        run.swap_averages()?;
        pace.observe(val_loss);
        on_event(Event::Epoch(&epoch));
        history.0.push(epoch);
        if monitor.is_done() {
            outcome = Outcome::EarlyStopped;
            break;
        }
    }
    match best {
        Some((best_epoch, mut weights)) => {
            let answers = run.answers(&weights)?;
            for parameter in run.base.parameters()? {
                let value = task.weights[&parameter.name].clone();
                weights.insert(parameter.name, value);
            }
            Ok(Trained { weights, history, best_epoch, outcome, answers, features: vec![] })
        }
        None => Err(Error::Training(match outcome {
            Outcome::NotFinite { .. } => {
                "the loss is not finite in the first epoch; use a lower learning rate (--rate)".into()
            }
            _ => "it was interrupted before the first epoch ended, so there is no model to keep".into(),
        })),
    }
}

/// The plans of a run and the order of its pictures.
struct Run<'a> {
    dataset: &'a Dataset,
    split: &'a Split,
    options: &'a FitOptions,
    copies: u32,
    base: Model,
    head: Model,
    params: Params,
    source: Source,
    train: Vec<TrainStep>,
    validation: Vec<ValidationStep>,
    average: Option<WeightAverage>,
    steps: usize,
}

impl<'a> Run<'a> {
    fn new(task: &Task<'a>, options: &'a FitOptions) -> Result<Run<'a>> {
        let Task { model, dataset, split, device, weights, .. } = *task;
        let batches = Batches::new(task, options)?;
        let (base, head) = model.split_frozen()?;
        let params = Params::new(device);
        base.load(&params, weights)?;
        head.initialize(&params, options.seed)?;
        for parameter in head.parameters()? {
            if let Some(value) = weights.get(&parameter.name) {
                params.set(&parameter.name, value)?;
            }
        }
        let source = match batches.frozen {
            0 => Source::pictures(dataset),
            frozen => Source::Features(Box::new(features(task, options, &base, &params, frozen)?)),
        };
        let recipe = Recipe::new(task, options)?;
        let count = options.items(model, split.train.len());
        let train = batches
            .training(count)
            .map(|rows| TrainStep::new(&recipe, &params, rows, batches.most))
            .collect::<Result<_>>()?;
        let validation = batches
            .validation(split.validation.len())
            .map(|rows| ValidationStep::new(&recipe, &params, rows))
            .collect::<Result<_>>()?;
        let average = match options.average {
            Some(momentum) => Some(WeightAverage::new(&params, &recipe.trained()?, momentum)?),
            None => None,
        };
        if options.balance {
            let weights = class_weights(dataset, &split.train);
            params.set(step::CLASS_WEIGHTS, &HostTensor::new([weights.len()], weights))?;
        }
        Ok(Run {
            dataset,
            split,
            options,
            copies: options.copies_of(model),
            base,
            head,
            params,
            source,
            train,
            validation,
            average,
            steps: 0,
        })
    }

    /// What an epoch trains on.
    fn training(&self, epoch: usize) -> Vec<Item> {
        let fresh = self.options.fresh && matches!(self.source, Source::Features(_));
        let variants = if fresh { epoch as u32..=epoch as u32 } else { 0..=self.copies };
        let all = |&picture: &usize| variants.clone().map(move |variant| Item { picture, variant });
        self.split.train.iter().flat_map(all).collect()
    }

    fn to_validate(&self) -> Vec<Item> {
        self.split.validation.iter().map(|&picture| Item { picture, variant: 0 }).collect()
    }

    /// Computes the features of the pictures that every epoch needs; false if `stop` was set.
    fn prepare(&mut self, stop: &AtomicBool, on_event: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        let mut items = self.to_validate();
        if !self.options.fresh {
            items.extend(self.training(1));
        }
        let Source::Features(features) = &mut self.source else { return Ok(true) };
        let total = features.missing(&items).len();
        on_event(Event::Features { done: 0, total });
        let whole = features.prepare(self.dataset, &items, stop, &mut |done| {
            on_event(Event::Features { done, total });
        })?;
        if let Some(problem) = features.problem() {
            on_event(Event::Note(problem));
        }
        Ok(whole)
    }

    fn batch(&mut self, items: &[Item]) -> Result<Batch> {
        self.source.gather(self.dataset, items)
    }

    /// Mean loss and accuracy of an epoch; `None` if it was stopped.
    fn train_epoch(&mut self, number: usize, pace: &Pace, stop: &AtomicBool) -> Result<Option<(f64, f64)>> {
        self.params.set(step::EPOCH, &HostTensor::new([1], vec![number as u32]))?;
        let order = shuffled(&self.training(number), self.options.seed, number as u32);
        let params = self.params.clone();
        let mut ring = Ring::new(&params, self.steps);
        let mut rest = &order[..];
        while !rest.is_empty() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            // Where a batch needs statistics, a remainder of one picture has no plan.
            let Some(plan) = self.train.iter().position(|step| step.rows <= rest.len()) else { break };
            let (now, later) = rest.split_at(self.train[plan].rows);
            let batch = self.batch(now)?;
            let done = 1.0 - later.len() as f64 / order.len() as f64;
            self.prepare_step(pace.factor((number - 1) as f64 + done))?;
            self.train[plan].run(&batch)?;
            if let Some(average) = &mut self.average {
                average.update()?;
            }
            ring.stepped(now.len())?;
            self.steps += 1;
            rest = later;
        }
        ring.finish().map(Some)
    }

    /// Sets what changes from step to step; the learning rates are multiplied by `factor`.
    fn prepare_step(&self, factor: f64) -> Result<()> {
        let set = |name, value: f64| self.params.set(name, &HostTensor::new([1], vec![value as f32]));
        let FitOptions { rate, fine_tune, mixup, seed, .. } = self.options;
        if self.options.schedule != Schedule::default() {
            set(step::RATE, factor * f64::from(*rate))?;
            set(step::SLOW_RATE, factor * f64::from(fine_tune.map_or(*rate, |fine_tune| fine_tune.rate)))?;
        }
        mixup.map_or(Ok(()), |alpha| set(step::MIXUP, share(alpha, *seed, self.steps as u32).into()))
    }

    /// Puts the averages of the weights in their place, where there are some; a second time, everything back.
    fn swap_averages(&self) -> Result<()> {
        self.average.as_ref().map_or(Ok(()), WeightAverage::swap)
    }

    /// Mean loss and accuracy on the validation pictures.
    fn validate(&mut self) -> Result<(f64, f64)> {
        ValidationStep::reset(&self.params)?;
        self.each_validation(|_| Ok(()))?;
        let (loss, correct) = ValidationStep::totals(&self.params)?;
        let count = self.split.validation.len() as f64;
        Ok((loss / count, correct / count))
    }

    /// For each validation picture, what the model answers with these weights.
    fn answers(&mut self, weights: &BTreeMap<String, HostTensor>) -> Result<Vec<Vec<f32>>> {
        for (name, value) in weights {
            self.params.set(name, value)?;
        }
        let mut answers = Vec::new();
        self.each_validation(|step| {
            answers.extend(step.probabilities()?);
            Ok(())
        })?;
        Ok(answers)
    }

    /// Runs all validation pictures through the model; `then` sees the step after each batch.
    fn each_validation(&mut self, mut then: impl FnMut(&ValidationStep) -> Result<()>) -> Result<()> {
        let items = self.to_validate();
        let mut rest = &items[..];
        while !rest.is_empty() {
            let plan = self.validation.iter().position(|step| step.rows <= rest.len());
            let plan = plan.expect("a plan for the last batch");
            let (now, later) = rest.split_at(self.validation[plan].rows);
            let batch = self.batch(now)?;
            self.validation[plan].run(&batch)?;
            then(&self.validation[plan])?;
            rest = later;
        }
        Ok(())
    }

    /// The values of the trained layers' parameters.
    fn weights(&self) -> Result<BTreeMap<String, HostTensor>> {
        let parameters = self.head.parameters()?.into_iter();
        parameters.map(|p| Ok((p.name.clone(), self.params.get(&p.name)?))).collect()
    }
}

/// The frozen layers with their cache.
pub(super) fn features(
    task: &Task<'_>,
    options: &FitOptions,
    base: &Model,
    params: &Params,
    batch: usize,
) -> Result<Features> {
    let augment = options.frozen_augment(task.model);
    let precision = task.device.keeps(options.precision);
    let extractor = Extractor::new(base, params, batch, augment, task.normalize, precision)?;
    let in_memory = options.memory.unwrap_or(MOST_IN_MEMORY);
    let cache = match &options.cache {
        Caching::Off => None,
        Caching::Memory => Some(FeatureCache::in_memory(extractor.width(), options.precision, in_memory)),
        Caching::Folder(folder) => {
            let key = BaseKey::new(base, task.weights, task.normalize, options.precision, task.device)?;
            let cache = FeatureCache::open(folder, &key, extractor.width(), options.precision, in_memory);
            prune(folder, MOST_CACHED);
            Some(cache)
        }
    };
    Ok(Features::new(task.dataset, augment, extractor, cache, options.fresh))
}

/// How often a picture of each person counts, so that people count the same; 1 for a person without any.
fn class_weights(dataset: &Dataset, pictures: &[usize]) -> Vec<f32> {
    let mut counts = vec![0usize; dataset.classes()];
    pictures.iter().for_each(|&picture| counts[dataset.labels[picture]] += 1);
    let people = counts.iter().filter(|&&count| count > 0).count();
    let weight = |&count: &usize| match count {
        0 => 1.0,
        _ => pictures.len() as f32 / (people * count) as f32,
    };
    counts.iter().map(weight).collect()
}

/// A seeded order of the pictures, another one each epoch (Fisher and Yates, with Philox).
fn shuffled<T: Clone>(pictures: &[T], seed: u32, epoch: u32) -> Vec<T> {
    let mut order = pictures.to_vec();
    let stream = random::stream("shuffle");
    for i in (1..order.len()).rev() {
        let word = random::word(seed, stream, epoch, i as u32);
        let j = (u64::from(word) * (i as u64 + 1)) >> 32;
        order.swap(i, j as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_people_count_the_same() {
        let labels = vec![0, 0, 0, 1, 2, 2, 0];
        let dataset = Dataset {
            size: 1,
            pixels: vec![0; 3 * labels.len()],
            groups: (0..labels.len() as i64).collect(),
            sources: vec![String::new(); labels.len()],
            landmarks: vec![None; labels.len()],
            names: ["a", "b", "c", "d"].map(String::from).to_vec(),
            labels,
            cut: crate::data::CutStyle::default(),
        };
        // Three people among six pictures; the fourth has none.
        assert_eq!(class_weights(&dataset, &[0, 1, 2, 3, 4, 5]), [2.0 / 3.0, 2.0, 1.0, 1.0]);
        assert_eq!(class_weights(&dataset, &[0, 6]), [1.0; 4]);
    }

    #[test]
    fn shuffling_is_a_permutation_that_depends_on_seed_and_epoch() {
        let pictures: Vec<usize> = (0..100).collect();
        let order = shuffled(&pictures, 1, 1);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, pictures);
        assert_eq!(order, shuffled(&pictures, 1, 1));
        assert_ne!(order, shuffled(&pictures, 1, 2));
        assert_ne!(order, shuffled(&pictures, 2, 1));
    }
}
