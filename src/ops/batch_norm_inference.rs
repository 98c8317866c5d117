//! Batch normalisation by given statistics, as in prediction; also what training mode shares with it.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::column_sum::{Columns, finish};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Tensor, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader =
    shader!("batch_norm_inference", "common/linear.wgsl", "common/reduce.wgsl", "batch_norm_inference.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(5).writes(1).twin(forward::<f32>, forward::<f64>);
const BACKWARD_INPUT: Kernel = SHADER
    .kernel("backward_input")
    .params::<Params>()
    .reads(3)
    .writes(1)
    .twin(backward_input::<f32>, backward_input::<f64>);
const PARAMETER_SUMS: Kernel = SHADER
    .kernel("parameter_sums")
    .params::<Params>()
    .reads(4)
    .writes(2)
    .twin(parameter_sums::<f32>, parameter_sums::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, BACKWARD_INPUT, PARAMETER_SUMS];

impl Graph {
    /// gamma · (x − mean) / √(variance + epsilon) + beta, for each channel.
    ///
    /// `x` is `[batch, channels]` or `[batch, height, width, channels]`, the others are `[channels]`. Mean and
    /// variance count as fixed: gradients are those of x, gamma and beta. Keras's epsilon: 1e-3.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is of another rank, the others do not have one value per channel, or epsilon is
    /// not positive; [`Error::Type`] if one does not hold floats.
    pub fn batch_norm_inference(
        &mut self,
        x: Var,
        gamma: Var,
        beta: Var,
        mean: Var,
        variance: Var,
        epsilon: f32,
    ) -> Result<Var> {
        self.apply(BatchNormInference { epsilon }, &[x, gamma, beta, mean, variance])
    }
}

#[derive(Debug)]
struct BatchNormInference {
    epsilon: f32,
}

impl Operator for BatchNormInference {
    fn name(&self) -> &'static str {
        "batch_norm_inference"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        check(self.name(), inputs, &["gamma", "beta", "mean", "variance"], self.epsilon)?;
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let statistics = [io.input(3), io.input(4)];
        normalize(plan, io.input(0), [io.input(1), io.input(2)], statistics, self.epsilon, io.output(0))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (x, gamma, mean, variance) = (node.input(0), node.input(1), node.input(3), node.input(4));
        let (dy, epsilon) = (dy[0].expect("one output"), self.epsilon);
        let dx = graph.apply(InputGradient { epsilon }, &[dy, gamma, variance])?;
        let [dgamma, dbeta] = parameter_gradients(graph, x, dy, mean, variance, epsilon)?;
        Ok(vec![Some(dx), Some(dgamma), Some(dbeta), None, None])
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        3 * outputs[0].len() as u64
    }
}

/// Checks x, and that each of `names`, which follow it, has one value per channel.
pub(super) fn check(op: &'static str, inputs: &[TensorType], names: &[&str], epsilon: f32) -> Result<()> {
    super::expect_floats(op, inputs)?;
    let x = &inputs[0].shape;
    if !matches!(x.rank(), 2 | 4) {
        return Err(Error::shape(op, format!("x has rank {}, expected 2 or 4 (x: {x})", x.rank())));
    }
    for (name, input) in names.iter().zip(&inputs[1..]) {
        if input.shape.rank() != 1 || input.shape.last() != x.last() {
            let shape = &input.shape;
            let problem = format!("{name} needs one value per channel of x (x: {x}, {name}: {shape})");
            return Err(Error::shape(op, problem));
        }
    }
    if !(epsilon > 0.0 && epsilon.is_finite()) {
        return Err(Error::shape(op, format!("epsilon is positive, given {epsilon}")));
    }
    Ok(())
}

/// y, from x, gamma with beta, and mean with variance.
pub(super) fn normalize(
    plan: &mut PlanBuilder<'_>,
    x: &Tensor,
    [gamma, beta]: [&Tensor; 2],
    [mean, variance]: [&Tensor; 2],
    epsilon: f32,
    y: &Tensor,
) -> Result<()> {
    let reads = [x, gamma, beta, mean, variance];
    plan.dispatch(&FORWARD, Params::new(x.ty(), epsilon), &reads, &[y], Grid::linear(y.len()))
}

/// dgamma and dbeta.
pub(super) fn parameter_gradients(
    graph: &mut Graph,
    x: Var,
    dy: Var,
    mean: Var,
    variance: Var,
    epsilon: f32,
) -> Result<[Var; 2]> {
    let gradients = graph.apply_many(ParameterGradients { epsilon }, &[x, dy, mean, variance])?;
    Ok(gradients.try_into().expect("two outputs"))
}

/// dx while the statistics stay fixed, from dy, gamma and variance.
#[derive(Debug)]
struct InputGradient {
    epsilon: f32,
}

impl Operator for InputGradient {
    fn name(&self) -> &'static str {
        "batch_norm_inference gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (params, dx) = (Params::new(io.input(0).ty(), self.epsilon), io.output(0));
        let reads = [io.input(0), io.input(1), io.input(2)];
        plan.dispatch(&BACKWARD_INPUT, params, &reads, &[dx], Grid::linear(dx.len()))
    }
}

/// dgamma and dbeta, from x, dy, mean and variance.
#[derive(Debug)]
struct ParameterGradients {
    epsilon: f32,
}

impl Operator for ParameterGradients {
    fn name(&self) -> &'static str {
        "batch_norm gradient of gamma and beta"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[2].clone(), inputs[2].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let params = Params::new(io.input(0).ty(), self.epsilon);
        let sums = [plan.scratch(params.columns.sums()), plan.scratch(params.columns.sums())];
        let reads = [io.input(0), io.input(1), io.input(2), io.input(3)];
        plan.dispatch(&PARAMETER_SUMS, params, &reads, &[&sums[0], &sums[1]], params.columns.grid())?;
        finish(plan, &sums[0], io.output(0), 1.0)?;
        finish(plan, &sums[1], io.output(1), 1.0)
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        4 * inputs[0].len() as u64
    }
}

/// 1 / √(variance + epsilon).
pub(super) fn inverse_deviation<T: Float>(variance: T, epsilon: f32) -> T {
    (variance + T::of(epsilon.into())).sqrt().recip()
}

/// For each channel, gamma / √(variance + epsilon).
fn slopes<T: Float>(gamma: &[T], variance: &[T], epsilon: f32) -> Vec<T> {
    gamma.iter().zip(variance).map(|(&gamma, &v)| gamma * inverse_deviation(v, epsilon)).collect()
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let [x, gamma, beta, mean, variance] = [0, 1, 2, 3, 4].map(|i| slots.float(i));
    let channels = p.columns.channels();
    let slope = slopes(gamma, variance, p.epsilon);
    slots.out().par_chunks_mut(channels).zip(x.par_chunks(channels)).for_each(|(y, x)| {
        for ((((y, &x), &mean), &slope), &beta) in y.iter_mut().zip(x).zip(mean).zip(&slope).zip(beta) {
            *y = slope * (x - mean) + beta;
        }
    });
}

fn backward_input<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let [dy, gamma, variance] = [0, 1, 2].map(|i| slots.float(i));
    let channels = p.columns.channels();
    let slope = slopes(gamma, variance, p.epsilon);
    slots.out().par_chunks_mut(channels).zip(dy.par_chunks(channels)).for_each(|(dx, dy)| {
        for ((dx, &dy), &slope) in dx.iter_mut().zip(dy).zip(&slope) {
            *dx = slope * dy;
        }
    });
}

fn parameter_sums<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let [x, dy, mean, variance] = [0, 1, 2, 3].map(|i| slots.float(i));
    let channels = p.columns.channels();
    let inverse: Vec<T> = variance.iter().map(|&v| inverse_deviation(v, p.epsilon)).collect();
    let [gamma_sums, beta_sums] = slots.outs();
    p.columns.sum(gamma_sums, |row, sums| {
        let at = row * channels;
        let terms = x[at..].iter().zip(&dy[at..]).zip(mean).zip(&inverse);
        for (sum, (((&x, &dy), &mean), &inverse)) in sums.iter_mut().zip(terms) {
            *sum += dy * (x - mean) * inverse;
        }
    });
    p.columns.sum(beta_sums, |row, sums| {
        sums.iter_mut().zip(&dy[row * channels..]).for_each(|(sum, &dy)| *sum += dy);
    });
}

/// `Params` of `batch_norm_inference.wgsl` and `batch_norm.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Params {
    pub columns: Columns,
    pub epsilon: f32,
}

impl Params {
    pub fn new(x: &TensorType, epsilon: f32) -> Params {
        Params { columns: Columns::first_stage_of(x), epsilon }
    }
}
