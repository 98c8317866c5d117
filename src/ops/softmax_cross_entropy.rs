//! Softmax and cross-entropy in one: the loss of a classifier, from its logits.

use bytemuck::{Pod, Zeroable};

use super::expect;
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!(
    "softmax_cross_entropy",
    "common/linear.wgsl",
    "common/reduce.wgsl",
    "softmax_cross_entropy.wgsl"
);
/// A row has few classes for a workgroup of the usual size.
const FORWARD: Kernel = SHADER
    .kernel("forward")
    .params::<Params>()
    .constants(&[("WORKGROUP", 64.0)])
    .reads(3)
    .writes(2)
    .twin(forward::<f32>, forward::<f64>);
const MEAN: Kernel =
    SHADER.kernel("mean").params::<Params>().reads(1).writes(1).twin(mean::<f32>, mean::<f64>);
const SCALE: Kernel =
    SHADER.kernel("scale").params::<Params>().reads(2).writes(1).twin(scale::<f32>, scale::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, MEAN, SCALE];

impl Graph {
    /// The mean over rows of the cross-entropy between softmax(`logits`) and `targets`.
    ///
    /// `logits` and `targets` are `[rows, classes]`, at least two classes; a row of `targets` is one-hot or any
    /// distribution. `label_smoothing` s in `[0, 1]` replaces targets t by t · (1 − s) + s / classes. With
    /// `weights`, `[classes]`, a row counts Σ t · weight times, with t before smoothing; the mean still divides
    /// by the number of rows. All this as Keras. The result is a scalar, `[]`.
    ///
    /// Only `logits` have a gradient. The pass that gives the loss also keeps it: `[rows, classes]` floats.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else or s is outside `[0, 1]`.
    pub fn softmax_cross_entropy(
        &mut self,
        logits: Var,
        targets: Var,
        weights: Option<Var>,
        label_smoothing: f32,
    ) -> Result<Var> {
        let operator = SoftmaxCrossEntropy { label_smoothing };
        let inputs: Vec<Var> = [logits, targets].into_iter().chain(weights).collect();
        Ok(self.apply_many(operator, &inputs)?[LOSS])
    }
}

/// Place of the loss among the outputs.
const LOSS: usize = 0;
/// Place of the logits' gradient for a loss gradient of 1.
const DLOGITS: usize = 1;

#[derive(Debug)]
struct SoftmaxCrossEntropy {
    label_smoothing: f32,
}

impl Operator for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax cross-entropy"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let op = self.name();
        let logits = &inputs[0];
        expect::dtype(op, inputs, 0, DType::F32)?;
        expect_rank(op, "logits", &logits.shape, 2)?;
        let classes = logits.shape[1];
        if classes < 2 {
            return Err(Error::shape(op, format!("there must be two classes or more (logits: {logits})")));
        }
        expect::ty(op, "targets", inputs, 1, logits)?;
        if inputs.len() > 2 {
            expect::ty(op, "weights", inputs, 2, &TensorType::f32([classes]))?;
        }
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            let problem = format!("label smoothing lies in [0, 1], given {}", self.label_smoothing);
            return Err(Error::shape(op, problem));
        }
        Ok(vec![TensorType::f32([]), logits.clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (logits, targets) = (io.input(0), io.input(1));
        let weighted = io.input_count() > 2;
        // Without weights the kernel reads none, but a binding needs a tensor.
        let weights = if weighted { io.input(2) } else { targets };
        let params =
            Params { weighted: weighted.into(), smoothing: self.label_smoothing, ..Params::new(logits.ty()) };
        let rows = params.rows as usize;
        let losses = plan.scratch(TensorType::f32([rows]));
        let written = [&losses, io.output(DLOGITS)];
        plan.dispatch(&FORWARD, params, &[logits, targets, weights], &written, Grid::groups(rows))?;
        plan.dispatch(&MEAN, params, &[&losses], &[io.output(LOSS)], Grid::groups(1))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (Some(dloss), None) = (dy[LOSS], dy[DLOGITS]) else {
            return Err(Error::NotDifferentiable("softmax cross-entropy gradient"));
        };
        let dlogits = graph.apply(Scale, &[node.output(DLOGITS), dloss])?;
        let others = node.inputs.len() - 1;
        Ok([Some(dlogits)].into_iter().chain(std::iter::repeat_n(None, others)).collect())
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        16 * inputs[0].len() as u64
    }
}

/// dlogits for any gradient of the loss.
#[derive(Debug)]
struct Scale;

impl Operator for Scale {
    fn name(&self) -> &'static str {
        "softmax cross-entropy gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let dz = io.output(0);
        let reads = [io.input(0), io.input(1)];
        plan.dispatch(&SCALE, Params::new(dz.ty()), &reads, &[dz], Grid::linear(dz.len()))
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let classes = p.classes as usize;
    let (z, t, class_weight) = (slots.float(0), slots.float(1), slots.float(2));
    let [row_loss, dlogits] = slots.outs();
    let smoothing = T::of(p.smoothing.into());
    let smoothed = |t: T| t * (T::one() - smoothing) + smoothing / T::count(classes);
    let rows = z.chunks(classes).zip(t.chunks(classes));
    for ((row_loss, dlogits), (z, t)) in row_loss.iter_mut().zip(dlogits.chunks_mut(classes)).zip(rows) {
        let m = z.iter().copied().fold(T::neg_infinity(), T::max);
        let s: T = z.iter().map(|&z| (z - m).exp()).sum();
        let targets: T = t.iter().map(|&t| smoothed(t)).sum();
        let weight = match p.weighted {
            0 => T::one(),
            _ => t.iter().zip(class_weight).map(|(&t, &w)| t * w).sum(),
        };
        let entropy: T = t.iter().zip(z).map(|(&t, &z)| smoothed(t) * (m - z + s.ln())).sum();
        *row_loss = weight * entropy;
        for (d, (&t, &z)) in dlogits.iter_mut().zip(t.iter().zip(z)) {
            let softmax = (z - m).exp() / s;
            *d = weight / T::count(p.rows as usize) * (softmax * targets - smoothed(t));
        }
    }
}

fn mean<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let losses = slots.float(0);
    slots.out()[0] = losses.iter().copied().sum::<T>() / T::count(p.rows as usize);
}

fn scale<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let (unscaled, dloss) = (slots.float(0), slots.float(1)[0]);
    for (dz, &unscaled) in slots.out().iter_mut().zip(unscaled) {
        *dz = unscaled * dloss;
    }
}

/// `Params` of `softmax_cross_entropy.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    rows: u32,
    classes: u32,
    weighted: u32,
    smoothing: f32,
}

impl Params {
    fn new(logits: &TensorType) -> Params {
        let [rows, classes] = logits.shape.dims().expect("logits are [rows, classes]");
        Params { rows: rows as u32, classes: classes as u32, weighted: 0, smoothing: 0.0 }
    }
}
