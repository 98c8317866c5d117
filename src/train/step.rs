//! One training step, one validation step: the graphs that the loop runs.

use std::ops::Range;

use super::FitOptions;
use crate::graph::{Graph, Params, Plan, Var};
use crate::models::Model;
use crate::nn::{Metrics, Parameter};
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

/// Forward, loss, backward, update and metrics of one batch: one plan, or, where the batch is too large for the
/// device, a plan for each part that adds up gradients, and one that applies them.
#[derive(Debug)]
pub(super) struct TrainStep {
    pub rows: usize,
    parts: Vec<Part>,
    apply: Option<Plan>,
}

/// The rows of a batch that one plan takes.
#[derive(Debug)]
struct Part {
    rows: Range<usize>,
    plan: Plan,
}

/// What is the same for every step of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe<'a> {
    pub model: &'a Model,
    pub params: &'a Params,
    pub normalize: Normalize,
    pub options: &'a FitOptions,
}

/// A graph under construction: the part of a batch, its metrics and the gradients of what is trained.
struct Forward {
    graph: Graph,
    step: Var,
    rate: Var,
    metrics: Metrics,
    gradients: Vec<(String, Var)>,
}

impl TrainStep {
    /// A step on `rows` pictures, of which at most `most` are on the device at a time.
    pub fn new(recipe: Recipe<'_>, rows: usize, most: usize) -> Result<TrainStep> {
        if rows <= most {
            let part = Part { rows: 0..rows, plan: recipe.whole(rows)? };
            return Ok(TrainStep { rows, parts: vec![part], apply: None });
        }
        let count = rows.div_ceil(most);
        let bounds = |part: usize| part * rows / count..(part + 1) * rows / count;
        let part = |part| Ok(Part { rows: bounds(part), plan: recipe.part(bounds(part), rows)? });
        let parts = (0..count).map(part).collect::<Result<_>>()?;
        Ok(TrainStep { rows, parts, apply: Some(recipe.apply()?) })
    }

    pub fn run(&mut self, batch: &Batch) -> Result<()> {
        for Part { rows, plan } in &mut self.parts {
            let of = |len: usize| rows.start * (len / self.rows)..rows.end * (len / self.rows);
            plan.write("pixels", &Data::U8(batch.pixels[of(batch.pixels.len())].to_vec()))?;
            // Without augmentation a plan has no use for keys.
            if plan.has_input("keys") {
                plan.write("keys", &Data::U32(batch.keys[rows.clone()].to_vec()))?;
            }
            plan.write("targets", &Data::F32(batch.targets[of(batch.targets.len())].to_vec()))?;
            plan.run()?;
        }
        self.apply.as_mut().map_or(Ok(()), Plan::run)
    }
}

impl Recipe<'_> {
    /// A whole step in one plan.
    fn whole(&self, rows: usize) -> Result<Plan> {
        let mut forward = self.forward(0..rows, rows)?;
        let Forward { step, rate, metrics, .. } = forward;
        let graph = &mut forward.graph;
        for (name, gradient) in &forward.gradients {
            self.options.optimizer.build(graph, name, *gradient, rate, step)?;
        }
        let ring = graph.state_filled(RING, TensorType::f32([SLOTS, 2]), 0.0)?;
        graph.record(ring, step, &[metrics.loss, metrics.correct])?;
        graph.increment(step)?;
        Plan::new(graph, self.params, &[])
    }

    /// Forward and backward of some rows of a batch; gradients and metrics are added to states.
    fn part(&self, rows: Range<usize>, whole: usize) -> Result<Plan> {
        let mut forward = self.forward(rows, whole)?;
        let graph = &mut forward.graph;
        for (name, gradient) in &forward.gradients {
            let sum = sum_of(graph, name, graph.ty(*gradient).clone())?;
            graph.accumulate(sum, *gradient)?;
        }
        for (name, value) in [("loss", forward.metrics.loss), ("correct", forward.metrics.correct)] {
            let sum = sum_of(graph, name, graph.ty(value).clone())?;
            graph.accumulate(sum, value)?;
        }
        Plan::new(graph, self.params, &[])
    }

    /// The update by the gradients that the parts added up, and zeros for the next batch.
    fn apply(&self) -> Result<Plan> {
        let mut graph = Graph::new();
        let (step, rate) = self.counters(&mut graph)?;
        for parameter in self.trained()? {
            let gradient = sum_of(&mut graph, &parameter.name, TensorType::f32(&parameter.shape))?;
            self.options.optimizer.build(&mut graph, &parameter.name, gradient, rate, step)?;
            graph.reset(gradient)?;
        }
        let loss = sum_of(&mut graph, "loss", TensorType::f32([]))?;
        let correct = sum_of(&mut graph, "correct", TensorType::f32([]))?;
        let ring = graph.state_filled(RING, TensorType::f32([SLOTS, 2]), 0.0)?;
        graph.record(ring, step, &[loss, correct])?;
        graph.reset(loss)?;
        graph.reset(correct)?;
        graph.increment(step)?;
        Plan::new(&graph, self.params, &[])
    }

    /// Pictures to metrics and gradients. The loss is weighted by the share of the batch that `rows` are.
    fn forward(&self, rows: Range<usize>, whole: usize) -> Result<Forward> {
        let FitOptions { augment, seed, .. } = self.options;
        let mut graph = Graph::new();
        let pixels = graph.input("pixels", TensorType::u8(batched(self.model, rows.len())));
        let (step, rate) = self.counters(&mut graph)?;
        let x = match augment {
            Some(augment) => {
                let keys = graph.input("keys", TensorType::u32([rows.len()]));
                let epoch = graph.state_filled(EPOCH, TensorType::u32([1]), 0.0)?;
                graph.augment(pixels, keys, epoch, *augment, self.normalize)?
            }
            None => graph.normalize(pixels, self.normalize)?,
        };
        let logits = self.model.build_part(&mut graph, x, *seed, step, rows.start)?;
        let targets = graph.input("targets", graph.ty(logits).clone());
        let mut metrics = self.options.loss.build(&mut graph, logits, targets)?;
        if rows.len() < whole {
            metrics.loss = graph.scale(metrics.loss, rows.len() as f32 / whole as f32)?;
        }
        let trained = self.trained()?;
        let states: Vec<Var> =
            trained.iter().map(|p| graph.state(&p.name, TensorType::f32(&p.shape))).collect::<Result<_>>()?;
        let gradients = graph.gradients(metrics.loss, &states)?;
        let gradients = trained.into_iter().map(|p| p.name).zip(gradients).collect();
        Ok(Forward { graph, step, rate, metrics, gradients })
    }

    fn counters(&self, graph: &mut Graph) -> Result<(Var, Var)> {
        let step = graph.state_filled(STEP, TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled(RATE, TensorType::f32([1]), self.options.rate)?;
        Ok((step, rate))
    }

    fn trained(&self) -> Result<Vec<Parameter>> {
        Ok(self.model.parameters()?.into_iter().filter(|p| p.trainable).collect())
    }
}

/// The state that parts of a batch add `name`'s values to.
fn sum_of(graph: &mut Graph, name: &str, ty: TensorType) -> Result<Var> {
    graph.state_filled(&format!("sum/{name}"), ty, 0.0)
}

/// Forward and metrics of one batch, added up over an epoch.
#[derive(Debug)]
pub(super) struct ValidationStep {
    pub rows: usize,
    plan: Plan,
}

impl ValidationStep {
    pub fn new(recipe: Recipe<'_>, rows: usize) -> Result<ValidationStep> {
        let Recipe { model, params, normalize, options } = recipe;
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
