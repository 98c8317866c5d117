//! One training step, one validation step: the graphs that the loop runs.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{FitOptions, Task};
use crate::graph::{Choice, Graph, Params, Plan, Var, Workspace};
use crate::models::Model;
use crate::nn::{Metrics, Parameter};
use crate::ops::{Augment, FACE_WORDS, Normalize};
use crate::tensor::{Data, HostTensor, TensorType};
use crate::{Error, Result};

/// State that counts training steps.
pub(super) const STEP: &str = "training/step";
/// State that holds the learning rate of pretrained layers.
pub(super) const SLOW_RATE: &str = "training/slow_rate";
/// State that holds the learning rate.
pub(super) const RATE: &str = "training/rate";
/// State that holds the share of a row that mixup keeps.
pub(super) const MIXUP: &str = "training/mixup";
/// State that holds how often a picture of each class counts in the loss.
pub(super) const CLASS_WEIGHTS: &str = "training/class_weights";
/// State that counts epochs, which augmentation is keyed by.
pub(super) const EPOCH: &str = "training/epoch";
/// State `[slots, 2]`: loss and recognised pictures of the latest steps.
pub(super) const RING: &str = "training/ring";
/// Steps that the ring holds.
pub(super) const SLOTS: usize = 512;
pub(super) const PIXELS: &str = "pixels";
pub(super) const KEYS: &str = "keys";
pub(super) const FACES: &str = "faces";
const FEATURES: &str = "features";
const TARGETS: &str = "targets";
const LOSS: &str = "validation/loss";
const CORRECT: &str = "validation/correct";

/// What the trained layers see of a batch.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Pictures, the hash of each one's content, and the words of each one's face.
    Pictures { pixels: Vec<u8>, keys: Vec<u32>, faces: Vec<u32> },
    /// What the frozen layers made of them.
    Features(Vec<f32>),
}

/// A batch.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub input: Input,
    /// One-hot rows.
    pub targets: Vec<f32>,
}

/// The part of `values` that belongs to these rows of `count`.
fn rows_of<T>(values: &[T], rows: &Range<usize>, count: usize) -> Range<usize> {
    let width = values.len() / count;
    rows.start * width..rows.end * width
}

impl Batch {
    /// Writes these of its `count` rows as a plan's input.
    fn write(&self, plan: &mut Plan, rows: &Range<usize>, count: usize) -> Result<()> {
        match &self.input {
            Input::Pictures { pixels, keys, faces } => {
                plan.write(PIXELS, &Data::U8(pixels[rows_of(pixels, rows, count)].to_vec()))?;
                // Without augmentation a plan has no use for keys.
                if plan.has_input(KEYS) {
                    plan.write(KEYS, &Data::U32(keys[rows.clone()].to_vec()))?;
                }
                if plan.has_input(FACES) {
                    plan.write(FACES, &Data::U32(faces[rows_of(faces, rows, count)].to_vec()))?;
                }
            }
            Input::Features(values) => {
                plan.write(FEATURES, &Data::F32(values[rows_of(values, rows, count)].to_vec()))?;
            }
        }
        plan.write(TARGETS, &Data::F32(self.targets[rows_of(&self.targets, rows, count)].to_vec()))
    }
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
#[derive(Clone, Debug)]
pub(super) struct Recipe<'a> {
    /// The layers behind the frozen ones.
    pub model: Model,
    /// Whether these see what frozen layers made, instead of pictures.
    pub features: bool,
    /// Parameters that follow the lower rate.
    pub slow: BTreeSet<String>,
    pub normalize: Normalize,
    pub options: &'a FitOptions,
}

/// A graph under construction: the part of a batch, its metrics and the gradients of what is trained.
struct Forward {
    graph: Graph,
    step: Var,
    rates: Rates,
    metrics: Metrics,
    gradients: Vec<(String, Var)>,
}

/// The two learning rates, as states.
#[derive(Clone, Copy)]
struct Rates {
    rate: Var,
    slow: Var,
}

/// The graphs of a training step: its parts, and what applies the gradients that they added up.
pub(super) struct StepGraphs {
    parts: Vec<(Range<usize>, Graph)>,
    apply: Option<Graph>,
}

impl StepGraphs {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Graph> {
        self.parts.iter().map(|(_, graph)| graph).chain(&self.apply)
    }
}

impl TrainStep {
    /// A step on `rows` pictures, of which at most `most` are on the device at a time.
    pub fn new(
        recipe: &Recipe<'_>,
        params: &Params,
        workspace: &Workspace,
        rows: usize,
        most: usize,
    ) -> Result<TrainStep> {
        let StepGraphs { parts, apply } = recipe.step(rows, most)?;
        let plan = |graph: &Graph| Plan::sharing(graph, params, &[], workspace);
        let part = |(rows, graph)| Ok(Part { rows, plan: plan(&graph)? });
        let parts = parts.into_iter().map(part).collect::<Result<_>>()?;
        let apply = apply.as_ref().map(plan).transpose()?;
        Ok(TrainStep { rows, parts, apply })
    }

    /// The kernel variants that its plans took.
    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.parts.iter().map(|part| &part.plan).chain(&self.apply).flat_map(Plan::choices)
    }

    pub fn run(&mut self, batch: &Batch) -> Result<()> {
        for Part { rows, plan } in &mut self.parts {
            batch.write(plan, rows, self.rows)?;
            plan.run()?;
        }
        self.apply.as_mut().map_or(Ok(()), Plan::run)
    }
}

impl<'a> Recipe<'a> {
    /// The recipe of a task.
    pub fn new(task: &Task<'a>, options: &'a FitOptions) -> Result<Recipe<'a>> {
        let (base, head) = task.model.split_frozen()?;
        let pretrained = options.fine_tune.map_or(0, |fine_tune| fine_tune.layers);
        let pretrained = pretrained.saturating_sub(base.layers.len()).min(head.layers.len());
        let slow = head.first(pretrained).parameters()?.into_iter().map(|p| p.name).collect();
        let features = !base.layers.is_empty();
        Ok(Recipe { model: head, features, slow, normalize: task.normalize, options })
    }

    /// The graphs of a step on `rows` pictures, of which at most `most` are on the device at a time.
    pub fn step(&self, rows: usize, most: usize) -> Result<StepGraphs> {
        if rows <= most {
            return Ok(StepGraphs { parts: vec![(0..rows, self.whole(rows)?)], apply: None });
        }
        let count = rows.div_ceil(most);
        let bounds = |part: usize| part * rows / count..(part + 1) * rows / count;
        let part = |part| Ok((bounds(part), self.part(bounds(part), rows)?));
        let parts = (0..count).map(part).collect::<Result<_>>()?;
        Ok(StepGraphs { parts, apply: Some(self.apply()?) })
    }

    /// A whole step in one graph.
    fn whole(&self, rows: usize) -> Result<Graph> {
        let mut forward = self.forward(0..rows, rows)?;
        let Forward { step, rates, metrics, .. } = forward;
        let graph = &mut forward.graph;
        self.update(graph, &forward.gradients, rates, step)?;
        let ring = graph.state_filled(RING, TensorType::f32([SLOTS, 2]), 0.0)?;
        graph.record(ring, step, &[metrics.loss, metrics.correct])?;
        graph.increment(step)?;
        Ok(forward.graph)
    }

    /// The updates of all parameters.
    fn update(&self, graph: &mut Graph, gradients: &[(String, Var)], rates: Rates, step: Var) -> Result<()> {
        let mut values: Vec<Var> = gradients.iter().map(|(_, gradient)| *gradient).collect();
        if let Some(most) = self.options.clip {
            values = graph.labelled("optimizer", |graph| graph.clip_by_global_norm(&values, most))?;
        }
        let named = gradients.iter().map(|(name, _)| name.as_str()).zip(values);
        let (slow, others): (Vec<_>, Vec<_>) = named.partition(|&(name, _)| self.slow.contains(name));
        self.options.optimizer.build(graph, &slow, rates.slow, step)?;
        self.options.optimizer.build(graph, &others, rates.rate, step)
    }

    /// Forward and backward of some rows of a batch; gradients and metrics are added to states.
    fn part(&self, rows: Range<usize>, whole: usize) -> Result<Graph> {
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
        Ok(forward.graph)
    }

    /// The update by the gradients that the parts added up, and zeros for the next batch.
    fn apply(&self) -> Result<Graph> {
        let mut graph = Graph::new();
        let (step, rates) = self.counters(&mut graph)?;
        let mut sums = Vec::new();
        for parameter in self.trained()? {
            let sum = sum_of(&mut graph, &parameter.name, TensorType::f32(&parameter.shape))?;
            sums.push((parameter.name, sum));
        }
        self.update(&mut graph, &sums, rates, step)?;
        sums.iter().try_for_each(|&(_, sum)| graph.reset(sum))?;
        let loss = sum_of(&mut graph, "loss", TensorType::f32([]))?;
        let correct = sum_of(&mut graph, "correct", TensorType::f32([]))?;
        let ring = graph.state_filled(RING, TensorType::f32([SLOTS, 2]), 0.0)?;
        graph.record(ring, step, &[loss, correct])?;
        graph.reset(loss)?;
        graph.reset(correct)?;
        graph.increment(step)?;
        Ok(graph)
    }

    /// Pictures to metrics and gradients. The loss is weighted by the share of the batch that `rows` are.
    fn forward(&self, rows: Range<usize>, whole: usize) -> Result<Forward> {
        let FitOptions { augment, seed, .. } = self.options;
        let mut graph = Graph::new();
        let (step, rates) = self.counters(&mut graph)?;
        let mut x = match self.features {
            true => graph.input(FEATURES, TensorType::f32(batched(&self.model, rows.len()))),
            false => pictures(&mut graph, &self.model, rows.len(), *augment, self.normalize)?,
        };
        let share = match self.options.mixup {
            Some(_) => Some(graph.state_filled(MIXUP, TensorType::f32([1]), 1.0)?),
            None => None,
        };
        if let Some(share) = share {
            x = graph.labelled("mixup", |graph| graph.mixup(x, share))?;
        }
        let logits = self.model.build_part(&mut graph, x, *seed, step, rows.start)?;
        let mut targets = graph.input(TARGETS, graph.ty(logits).clone());
        if let Some(share) = share {
            targets = graph.labelled("mixup", |graph| graph.mixup(targets, share))?;
        }
        let classes = graph.shape(logits)[1];
        let weights = match self.options.balance {
            true => Some(graph.state_filled(CLASS_WEIGHTS, TensorType::f32([classes]), 1.0)?),
            false => None,
        };
        let mut metrics = self.options.loss.build_weighted(&mut graph, logits, targets, weights)?;
        if rows.len() < whole {
            metrics.loss = graph.scale(metrics.loss, rows.len() as f32 / whole as f32)?;
        }
        let trained = self.trained()?;
        let states: Vec<Var> =
            trained.iter().map(|p| graph.state(&p.name, TensorType::f32(&p.shape))).collect::<Result<_>>()?;
        let gradients = graph.gradients(metrics.loss, &states)?;
        let gradients = trained.into_iter().map(|p| p.name).zip(gradients).collect();
        Ok(Forward { graph, step, rates, metrics, gradients })
    }

    fn counters(&self, graph: &mut Graph) -> Result<(Var, Rates)> {
        let step = graph.state_filled(STEP, TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled(RATE, TensorType::f32([1]), self.options.rate)?;
        let slow = self.options.fine_tune.map_or(self.options.rate, |fine_tune| fine_tune.rate);
        let slow = graph.state_filled(SLOW_RATE, TensorType::f32([1]), slow)?;
        Ok((step, Rates { rate, slow }))
    }

    /// The parameters that the run changes.
    pub fn trained(&self) -> Result<Vec<Parameter>> {
        Ok(self.model.parameters()?.into_iter().filter(|p| p.trainable).collect())
    }
}

/// The state that parts of a batch add `name`'s values to.
fn sum_of(graph: &mut Graph, name: &str, ty: TensorType) -> Result<Var> {
    graph.state_filled(&format!("sum/{name}"), ty, 0.0)
}

/// Appends pictures as a graph's input, changed at random if `augment` says so, and normalised.
pub(super) fn pictures(
    graph: &mut Graph,
    model: &Model,
    rows: usize,
    augment: Option<Augment>,
    normalize: Normalize,
) -> Result<Var> {
    let pixels = graph.input(PIXELS, TensorType::u8(batched(model, rows)));
    graph.labelled("pictures", |graph| {
        let Some(augment) = augment else { return graph.normalize(pixels, normalize) };
        let keys = graph.input(KEYS, TensorType::u32([rows]));
        let epoch = graph.state_filled(EPOCH, TensorType::u32([1]), 0.0)?;
        if !augment.needs_faces() {
            return graph.augment(pixels, keys, epoch, augment, normalize);
        }
        let faces = graph.input(FACES, TensorType::u32([rows, FACE_WORDS]));
        graph.augment_faces(pixels, [keys, epoch, faces], augment, normalize)
    })
}

/// Forward and metrics of one batch, added up over an epoch.
#[derive(Debug)]
pub(super) struct ValidationStep {
    pub rows: usize,
    plan: Plan,
    probabilities: Var,
}

impl ValidationStep {
    pub fn new(
        recipe: &Recipe<'_>,
        params: &Params,
        workspace: &Workspace,
        rows: usize,
    ) -> Result<ValidationStep> {
        let (graph, probabilities) = ValidationStep::graph(recipe, rows)?;
        let plan = Plan::sharing(&graph, params, &[probabilities], workspace)?;
        Ok(ValidationStep { rows, plan, probabilities })
    }

    /// Its graph, and the probabilities in it.
    pub fn graph(recipe: &Recipe<'_>, rows: usize) -> Result<(Graph, Var)> {
        let mut graph = Graph::new();
        let x = match recipe.features {
            true => graph.input(FEATURES, TensorType::f32(batched(&recipe.model, rows))),
            false => pictures(&mut graph, &recipe.model, rows, None, recipe.normalize)?,
        };
        let logits = recipe.model.logits(&mut graph, x)?;
        let targets = graph.input(TARGETS, graph.ty(logits).clone());
        let metrics = recipe.options.loss.build(&mut graph, logits, targets)?;
        let sum = graph.scale(metrics.loss, rows as f32)?;
        for (name, value) in [(LOSS, sum), (CORRECT, metrics.correct)] {
            let total = graph.state_filled(name, graph.ty(value).clone(), 0.0)?;
            graph.accumulate(total, value)?;
        }
        let probabilities = graph.softmax(logits)?;
        Ok((graph, probabilities))
    }

    /// The kernel variants that its plan took.
    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.plan.choices().iter()
    }

    pub fn run(&mut self, batch: &Batch) -> Result<()> {
        batch.write(&mut self.plan, &(0..self.rows), self.rows)?;
        self.plan.run()
    }

    /// For each row of the last batch, the probability of each class.
    pub fn probabilities(&self) -> Result<Vec<Vec<f32>>> {
        let values = self.plan.read(self.probabilities)?.to_f32();
        Ok(values.chunks_exact(values.len() / self.rows).map(<[f32]>::to_vec).collect())
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
