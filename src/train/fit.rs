//! The training loop.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::step::{self, Batch, SLOTS, TrainStep, ValidationStep};
use super::{Epoch, History, Monitor};
use crate::data::{Dataset, Split};
use crate::graph::{Params, PendingState};
use crate::models::Model;
use crate::nn::{CrossEntropy, Optimizer};
use crate::ops::{Augment, Normalize, random};
use crate::tensor::HostTensor;
use crate::{Device, Error, Result};

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Most epochs.
    pub epochs: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Seed of weights, order, dropout and augmentation.
    pub seed: u32,
    /// Learning rate.
    pub rate: f32,
    /// Epochs without a lower validation loss before training stops.
    pub patience: usize,
    /// Random changes to training pictures.
    pub augment: Option<Augment>,
    /// The loss.
    pub loss: CrossEntropy,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions {
            epochs: 40,
            batch: 16,
            seed: 1,
            rate: 1e-3,
            patience: 10,
            augment: Some(Augment::default()),
            loss: CrossEntropy::default(),
            optimizer: Optimizer::default(),
        }
    }
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
}

/// Trains `model` on the training part of `split`, and keeps the weights that do best on the validation part.
/// `on_epoch` sees each epoch; setting `stop` ends the run after the current step.
///
/// # Errors
/// [`Error::Training`] if it ended before any epoch was validated, [`Error::TooLarge`] if not even one picture
/// fits on the device.
pub fn fit(
    model: &Model,
    dataset: &Dataset,
    split: &Split,
    normalize: Normalize,
    device: &Device,
    options: &FitOptions,
    stop: &AtomicBool,
    on_epoch: &mut dyn FnMut(&Epoch),
) -> Result<Trained> {
    let params = Params::new(device);
    model.initialize(&params, options.seed)?;
    let mut run = Run::new(model, dataset, split, normalize, &params, options)?;
    let mut monitor = Monitor::new(options.patience);
    let mut history = History::default();
    let mut best = None;
    let mut outcome = Outcome::Finished;
    for number in 1..=options.epochs {
        let start = Instant::now();
        let Some((loss, accuracy)) = run.train_epoch(number, stop)? else {
            outcome = Outcome::Interrupted;
            break;
        };
        let training = start.elapsed().as_secs_f64();
        if !loss.is_finite() {
            outcome = Outcome::NotFinite { epoch: number };
            break;
        }
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
            rate: options.rate,
            seconds: start.elapsed().as_secs_f64(),
            pictures_per_second: split.train.len() as f64 / training,
        };
        if monitor.observe(&epoch) {
            best = Some((number, weights(model, &params)?));
        }
        on_epoch(&epoch);
        history.0.push(epoch);
        if monitor.is_done() {
            outcome = Outcome::EarlyStopped;
            break;
        }
    }
    match best {
        Some((best_epoch, weights)) => Ok(Trained { weights, history, best_epoch, outcome }),
        None => Err(Error::Training(match outcome {
            Outcome::NotFinite { .. } => {
                "the loss is not finite in the first epoch; use a lower learning rate (--rate)".into()
            }
            _ => "it was interrupted before the first epoch ended, so there is no model to keep".into(),
        })),
    }
}

fn weights(model: &Model, params: &Params) -> Result<BTreeMap<String, HostTensor>> {
    model.parameters()?.into_iter().map(|p| Ok((p.name.clone(), params.get(&p.name)?))).collect()
}

/// The plans of a run and the order of its pictures.
struct Run<'a> {
    dataset: &'a Dataset,
    split: &'a Split,
    params: &'a Params,
    options: &'a FitOptions,
    keys: Vec<u32>,
    train: Vec<TrainStep>,
    validation: Vec<ValidationStep>,
    steps: usize,
}

impl<'a> Run<'a> {
    fn new(
        model: &Model,
        dataset: &'a Dataset,
        split: &'a Split,
        normalize: Normalize,
        params: &'a Params,
        options: &'a FitOptions,
    ) -> Result<Run<'a>> {
        let fitting = model.largest_batch(params.device().max_tensor())?;
        let batch = options.batch.clamp(1, fitting);
        let train = sizes(split.train.len(), batch)
            .map(|rows| TrainStep::new(model, params, normalize, rows, options))
            .collect::<Result<_>>()?;
        let validation = sizes(split.validation.len(), batch)
            .map(|rows| ValidationStep::new(model, params, normalize, rows, options))
            .collect::<Result<_>>()?;
        let keys = (0..dataset.len()).map(|i| content_hash(dataset.image(i))).collect();
        Ok(Run { dataset, split, params, options, keys, train, validation, steps: 0 })
    }

    /// Mean loss and accuracy of an epoch; `None` if it was stopped.
    fn train_epoch(&mut self, number: usize, stop: &AtomicBool) -> Result<Option<(f64, f64)>> {
        self.params.set(step::EPOCH, &HostTensor::new([1], vec![number as u32]))?;
        let order = shuffled(&self.split.train, self.options.seed, number as u32);
        let mut ring = Ring::new(self.params, self.steps);
        let mut rest = &order[..];
        while !rest.is_empty() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let plan = self
                .train
                .iter_mut()
                .find(|step| step.rows <= rest.len())
                .expect("a plan for the last batch");
            let (now, later) = rest.split_at(plan.rows);
            plan.run(gather(self.dataset, &self.keys, now))?;
            ring.stepped(now.len())?;
            self.steps += 1;
            rest = later;
        }
        ring.finish().map(Some)
    }

    /// Mean loss and accuracy on the validation pictures.
    fn validate(&mut self) -> Result<(f64, f64)> {
        ValidationStep::reset(self.params)?;
        let mut rest = &self.split.validation[..];
        while !rest.is_empty() {
            let plan = self
                .validation
                .iter_mut()
                .find(|step| step.rows <= rest.len())
                .expect("a plan for the last batch");
            let (now, later) = rest.split_at(plan.rows);
            plan.run(gather(self.dataset, &self.keys, now))?;
            rest = later;
        }
        let (loss, correct) = ValidationStep::totals(self.params)?;
        let count = self.split.validation.len() as f64;
        Ok((loss / count, correct / count))
    }
}

/// The batch sizes that `count` pictures need: full batches, and what remains.
fn sizes(count: usize, batch: usize) -> impl Iterator<Item = usize> {
    let full = (count >= batch).then_some(batch);
    let rest = (!count.is_multiple_of(batch)).then_some(count % batch);
    full.into_iter().chain(rest)
}

fn gather(dataset: &Dataset, keys: &[u32], pictures: &[usize]) -> Batch {
    let mut batch = Batch::default();
    for &picture in pictures {
        batch.pixels.extend_from_slice(dataset.image(picture));
        batch.keys.push(keys[picture]);
        batch.targets.extend(
            (0..dataset.classes()).map(|class| f32::from(u8::from(class == dataset.labels[picture]))),
        );
    }
    batch
}

/// A seeded order of the pictures, another one each epoch (Fisher and Yates, with Philox).
fn shuffled(pictures: &[usize], seed: u32, epoch: u32) -> Vec<usize> {
    let mut order = pictures.to_vec();
    let stream = random::stream("shuffle");
    for i in (1..order.len()).rev() {
        let word = random::word(seed, stream, epoch, i as u32);
        let j = (u64::from(word) * (i as u64 + 1)) >> 32;
        order.swap(i, j as usize);
    }
    order
}

/// FNV-1a: what a picture's random changes are keyed by.
fn content_hash(pixels: &[u8]) -> u32 {
    pixels.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Reads the metrics ring while training goes on: half a ring at a time, one read in flight.
struct Ring<'a> {
    params: &'a Params,
    /// Step of the whole run at which the epoch began.
    first: usize,
    /// Rows of each step of this epoch.
    rows: Vec<usize>,
    /// Steps of this epoch whose figures have arrived.
    read: usize,
    in_flight: Option<(usize, PendingState)>,
    loss: f64,
    correct: f64,
}

impl<'a> Ring<'a> {
    fn new(params: &'a Params, first: usize) -> Ring<'a> {
        Ring { params, first, rows: vec![], read: 0, in_flight: None, loss: 0.0, correct: 0.0 }
    }

    fn stepped(&mut self, rows: usize) -> Result<()> {
        self.rows.push(rows);
        if self.rows.len().is_multiple_of(SLOTS / 2) {
            self.collect()?;
            self.in_flight = Some((self.rows.len(), self.params.start_get(step::RING)?));
        }
        Ok(())
    }

    /// Adds up what the read in flight brings.
    fn collect(&mut self) -> Result<()> {
        let Some((until, arriving)) = self.in_flight.take() else { return Ok(()) };
        let ring = arriving.wait()?.to_f64();
        for at in self.read..until {
            let slot = (self.first + at) % SLOTS;
            self.loss += ring[2 * slot] * self.rows[at] as f64;
            self.correct += ring[2 * slot + 1];
        }
        self.read = until;
        Ok(())
    }

    /// Mean loss and accuracy of the epoch.
    fn finish(mut self) -> Result<(f64, f64)> {
        self.collect()?;
        self.in_flight = Some((self.rows.len(), self.params.start_get(step::RING)?));
        self.collect()?;
        let rows = self.rows.iter().sum::<usize>() as f64;
        Ok((self.loss / rows, self.correct / rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_in_one_batch() {
        for (count, batch, expected) in
            [(10, 4, vec![4, 2]), (8, 4, vec![4]), (3, 4, vec![3]), (4, 4, vec![4])]
        {
            assert_eq!(sizes(count, batch).collect::<Vec<_>>(), expected);
        }
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
