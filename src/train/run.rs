//! The plans of a run and the order of its pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Batches;
use super::average::WeightAverage;
use super::checkpoint::Keeper;
use super::class_weights::class_weights;
use super::features::features;
use super::fit::{Event, StepReport, Task};
use super::mixup::share;
use super::options::FitOptions;
use super::progress::{Position, Progress};
use super::ring::Ring;
use super::schedule::{Pace, Schedule};
use super::source::{Item, Source};
use super::step::{self, Batch, Recipe, TrainStep, ValidationStep};
use crate::Result;
use crate::data::{Dataset, Split};
use crate::graph::{Choice, Params, Workspace};
use crate::models::Model;
use crate::nn::Parameter;
use crate::ops::random;
use crate::tensor::HostTensor;

/// The plans of a run and the order of its pictures.
pub(super) struct Run<'a> {
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
}

impl<'a> Run<'a> {
    pub fn new(task: &Task<'a>, options: &'a FitOptions, batches: Batches) -> Result<Run<'a>> {
        let Task { model, dataset, split, device, weights, .. } = *task;
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
        // Steps take turns.
        let workspace = Workspace::default();
        let train = batches
            .training(count)
            .map(|rows| TrainStep::new(&recipe, &params, &workspace, rows, batches.most))
            .collect::<Result<_>>()?;
        let validation = batches
            .validation(split.validation.len())
            .map(|rows| ValidationStep::new(&recipe, &params, &workspace, rows))
            .collect::<Result<_>>()?;
        let average = match options.average {
            Some(momentum) => Some(WeightAverage::new(&params, &recipe.trained()?, momentum)?),
            None => None,
        };
        if options.balance {
            let labels: Vec<usize> = split.train.iter().map(|&picture| dataset.labels[picture]).collect();
            let weights = class_weights(&labels, dataset.classes());
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
        })
    }

    /// What an epoch trains on.
    pub fn training(&self, epoch: usize) -> Vec<Item> {
        let fresh = self.options.fresh && matches!(self.source, Source::Features(_));
        let variants = if fresh { epoch as u32..=epoch as u32 } else { 0..=self.copies };
        let all = |&picture: &usize| variants.clone().map(move |variant| Item { picture, variant });
        self.split.train.iter().flat_map(all).collect()
    }

    fn to_validate(&self) -> Vec<Item> {
        self.split.validation.iter().map(|&picture| Item { picture, variant: 0 }).collect()
    }

    /// Computes the features of the pictures that every epoch needs; false if `stop` was set.
    pub fn prepare(&mut self, stop: &AtomicBool, on_event: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
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

    /// Trains from where the run is to the end of its epoch; false if `stop` was set before.
    pub fn train_epoch(
        &mut self,
        progress: &mut Progress,
        pace: &Pace,
        keeper: &mut Keeper<'_>,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<bool> {
        let start = Instant::now();
        let Position { epoch, done, steps, sums, seconds } = progress.position;
        self.params.set(step::EPOCH, &HostTensor::new([1], vec![epoch as u32]))?;
        let order = shuffled(&self.training(epoch), self.options.seed, epoch as u32);
        let params = self.params.clone();
        let mut ring = Ring::new(&params, steps, sums);
        let mut rest = &order[done..];
        // Where a batch needs statistics, a remainder of one picture has no plan.
        while let Some(plan) = self.train.iter().position(|step| step.rows <= rest.len()) {
            let stopped = stop.load(Ordering::Relaxed);
            if stopped || keeper.is_due() {
                progress.position.sums = ring.sums()?;
                progress.position.seconds = seconds + start.elapsed().as_secs_f64();
                self.keep(progress, keeper, on_event)?;
            }
            if stopped {
                return Ok(false);
            }
            let (now, later) = rest.split_at(self.train[plan].rows);
            let batch = self.batch(now)?;
            let done = order.len() - later.len();
            let factor = pace.factor((epoch - 1) as f64 + done as f64 / order.len() as f64);
            self.prepare_step(factor, progress.position.steps)?;
            self.train[plan].run(&batch)?;
            if let Some(average) = &mut self.average {
                average.update()?;
            }
            ring.stepped(now.len())?;
            progress.position.steps += 1;
            progress.position.done = done;
            rest = later;
            let (loss, accuracy) = ring.latest().unzip();
            let rate = self.rate(factor);
            on_event(Event::Step(StepReport { epoch, done, all: order.len(), loss, accuracy, rate }));
        }
        progress.position.sums = ring.sums()?;
        progress.position.seconds = seconds + start.elapsed().as_secs_f64();
        Ok(true)
    }

    /// The learning rate where the schedule multiplies it by `factor`.
    pub fn rate(&self, factor: f64) -> f32 {
        (f64::from(self.options.rate) * factor) as f32
    }

    /// Sets what changes from step to step, after so many `steps`; the learning rates are multiplied by `factor`.
    fn prepare_step(&self, factor: f64, steps: usize) -> Result<()> {
        let set = |name, value: f64| self.params.set(name, &HostTensor::new([1], vec![value as f32]));
        let FitOptions { rate, fine_tune, mixup, seed, .. } = self.options;
        if self.options.schedule != Schedule::default() {
            set(step::RATE, factor * f64::from(*rate))?;
            set(step::SLOW_RATE, factor * f64::from(fine_tune.map_or(*rate, |fine_tune| fine_tune.rate)))?;
        }
        mixup.map_or(Ok(()), |alpha| set(step::MIXUP, share(alpha, *seed, steps as u32).into()))
    }

    /// Puts the averages of the weights in their place, where there are some; a second time, everything back.
    pub fn swap_averages(&self) -> Result<()> {
        self.average.as_ref().map_or(Ok(()), WeightAverage::swap)
    }

    /// Mean loss and accuracy on the validation pictures.
    pub fn validate(&mut self) -> Result<(f64, f64)> {
        ValidationStep::reset(&self.params)?;
        self.each_validation(|_| Ok(()))?;
        let (loss, correct) = ValidationStep::totals(&self.params)?;
        let count = self.split.validation.len() as f64;
        Ok((loss / count, correct / count))
    }

    /// For each validation picture, what the model answers with these weights.
    pub fn answers(&mut self, weights: &BTreeMap<String, HostTensor>) -> Result<Vec<Vec<f32>>> {
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

    /// The frozen layers' parameters.
    pub fn frozen(&self) -> Result<Vec<Parameter>> {
        self.base.parameters()
    }

    /// The kernel variants that its plans took.
    pub fn choices(&self) -> Vec<Choice> {
        let train = self.train.iter().flat_map(TrainStep::choices);
        train.chain(self.validation.iter().flat_map(ValidationStep::choices)).cloned().collect()
    }

    /// All that training changes on the device, by name.
    fn states(&self) -> Result<BTreeMap<String, HostTensor>> {
        let frozen: BTreeSet<String> = self.frozen()?.into_iter().map(|p| p.name).collect();
        let names = self.params.names().into_iter().filter(|name| !frozen.contains(name));
        names.map(|name| Ok((name.clone(), self.params.get(&name)?))).collect()
    }

    /// Sets what [`states`](Self::states) gave.
    pub fn restore(&self, states: &BTreeMap<String, HostTensor>) -> Result<()> {
        states.iter().try_for_each(|(name, value)| self.params.set(name, value))
    }

    /// Saves a run that is so far.
    pub fn keep(
        &self,
        progress: &Progress,
        keeper: &mut Keeper<'_>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        keeper.save(progress, || self.states(), &mut |note| on_event(Event::Note(note)))
    }

    /// The values of the trained layers' parameters.
    pub fn weights(&self) -> Result<BTreeMap<String, HostTensor>> {
        let parameters = self.head.parameters()?.into_iter();
        parameters.map(|p| Ok((p.name.clone(), self.params.get(&p.name)?))).collect()
    }
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
