//! One training step, one validation step: the graphs that the loop runs.

use super::FitOptions;
use crate::graph::{Graph, Params, Plan, Var};
use crate::models::Model;
use crate::nn::Mode;
use crate::ops::Normalize;
use crate::tensor::{Data, HostTensor, TensorType};
use crate::{Error, Result};

/// State that counts training steps.
pub(super) const STEP: &str = "training/step";
/// State that holds the learning rate.
pub(super) const RATE: &str = "training/rate";
/// State that counts epochs, which augmentation is keyed by.
pub(super) const EPOCH: &str = "training/epoch";
/// State `[slots, 2]`: loss and recognised pictures of the latest steps.
pub(super) const RING: &str = "training/ring";
/// Steps that the ring holds.
pub(super) const SLOTS: usize = 512;
const LOSS: &str = "validation/loss";
const CORRECT: &str = "validation/correct";

/// Pictures of a batch with what belongs to them.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub pixels: Vec<u8>,
    /// Hash of each picture's content.
    pub keys: Vec<u32>,
    /// One-hot rows.
    pub targets: Vec<f32>,
}

/// Forward, loss, backward, update and metrics of one batch.
#[derive(Debug)]
pub(super) struct TrainStep {
    pub rows: usize,
    plan: Plan,
}

impl TrainStep {
    pub fn new(
        model: &Model,
        params: &Params,
        normalize: Normalize,
        rows: usize,
        options: &FitOptions,
    ) -> Result<TrainStep> {
        let mut graph = Graph::new();
        let pixels = graph.input("pixels", TensorType::u8(batched(model, rows)));
        let keys = graph.input("keys", TensorType::u32([rows]));
        let step = graph.state_filled(STEP, TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled(RATE, TensorType::f32([1]), options.rate)?;
        let epoch = graph.state_filled(EPOCH, TensorType::u32([1]), 0.0)?;
        let ring = graph.state_filled(RING, TensorType::f32([SLOTS, 2]), 0.0)?;
        let x = match options.augment {
            Some(augment) => graph.augment(pixels, keys, epoch, augment, normalize)?,
            None => graph.normalize(pixels, normalize)?,
        };
        let logits = model.build(&mut graph, x, Mode::Train, options.seed, Some(step))?;
        let targets = graph.input("targets", graph.ty(logits).clone());
        let metrics = options.loss.build(&mut graph, logits, targets)?;
        let trained: Vec<_> = model.parameters()?.into_iter().filter(|p| p.trainable).collect();
        let states: Vec<Var> =
            trained.iter().map(|p| graph.state(&p.name, TensorType::f32(&p.shape))).collect::<Result<_>>()?;
        let gradients = graph.gradients(metrics.loss, &states)?;
        for (parameter, gradient) in trained.iter().zip(gradients) {
            options.optimizer.build(&mut graph, &parameter.name, gradient, rate, step)?;
        }
        graph.record(ring, step, &[metrics.loss, metrics.correct])?;
        graph.increment(step)?;
        Ok(TrainStep { rows, plan: Plan::new(&graph, params, &[])? })
    }

    pub fn run(&mut self, batch: Batch) -> Result<()> {
        self.plan.write("pixels", &Data::U8(batch.pixels))?;
        // Without augmentation the plan has no use for keys.
        if self.plan.has_input("keys") {
            self.plan.write("keys", &Data::U32(batch.keys))?;
        }
        self.plan.write("targets", &Data::F32(batch.targets))?;
        self.plan.run()
    }
}

/// Forward and metrics of one batch, added up over an epoch.
#[derive(Debug)]
pub(super) struct ValidationStep {
    pub rows: usize,
    plan: Plan,
}

impl ValidationStep {
    pub fn new(
        model: &Model,
        params: &Params,
        normalize: Normalize,
        rows: usize,
        options: &FitOptions,
    ) -> Result<ValidationStep> {
        let mut graph = Graph::new();
        let pixels = graph.input("pixels", TensorType::u8(batched(model, rows)));
        let x = graph.normalize(pixels, normalize)?;
        let logits = model.logits(&mut graph, x)?;
        let targets = graph.input("targets", graph.ty(logits).clone());
        let metrics = options.loss.build(&mut graph, logits, targets)?;
        let sum = graph.scale(metrics.loss, rows as f32)?;
        for (name, value) in [(LOSS, sum), (CORRECT, metrics.correct)] {
            let total = graph.state_filled(name, graph.ty(value).clone(), 0.0)?;
            graph.accumulate(total, value)?;
        }
        Ok(ValidationStep { rows, plan: Plan::new(&graph, params, &[])? })
    }

    pub fn run(&mut self, batch: Batch) -> Result<()> {
        self.plan.write("pixels", &Data::U8(batch.pixels))?;
        self.plan.write("targets", &Data::F32(batch.targets))?;
        self.plan.run()
    }

    /// Sets the sums to zero.
    pub fn reset(params: &Params) -> Result<()> {
        for name in [LOSS, CORRECT] {
            params.set(name, &HostTensor::new([], vec![0.0f32]))?;
        }
        Ok(())
    }

    /// Sum of the losses, and pictures recognised, since the reset.
    pub fn totals(params: &Params) -> Result<(f64, f64)> {
        let scalar = |name: &str| -> Result<f64> {
            let value = params.get(name)?.to_f64();
            value
                .first()
                .copied()
                .ok_or_else(|| Error::State { name: name.into(), problem: "is empty".into() })
        };
        Ok((scalar(LOSS)?, scalar(CORRECT)?))
    }
}

fn batched(model: &Model, rows: usize) -> Vec<usize> {
    std::iter::once(rows).chain(model.input.iter().copied()).collect()
}
