//! Batch normalisation in training mode, by the statistics of the batch itself.

use rayon::prelude::*;

use super::batch_norm_inference::{Params, check, inverse_deviation, normalize, parameter_gradients};
use super::column_sum::{Ending, finish, sum_columns};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!("batch_norm", "common/linear.wgsl", "common/reduce.wgsl", "batch_norm.wgsl");
const SQUARE_SUMS: Kernel = SHADER
    .kernel("square_sums")
    .params::<Params>()
    .reads(2)
    .writes(1)
    .twin(square_sums::<f32>, square_sums::<f64>);
const BACKWARD_INPUT: Kernel = SHADER
    .kernel("backward_input")
    .params::<Params>()
    .reads(7)
    .writes(1)
    .twin(backward_input::<f32>, backward_input::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[SQUARE_SUMS, BACKWARD_INPUT];

/// What [`Graph::batch_norm`] gives.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// The normalised tensor, of the shape of x.
    pub y: Var,
    /// Mean of each channel over the batch, `[channels]`. For moving averages; it has no gradient.
    pub mean: Var,
    /// Biased variance of each channel over the batch, `[channels]`. Likewise.
    pub variance: Var,
}

impl Graph {
    /// gamma · (x − mean) / √(variance + epsilon) + beta, with mean and biased variance of each channel over
    /// the batch and, for images, over all pixels.
    ///
    /// `x` is `[batch, channels]` or `[batch, height, width, channels]`, gamma and beta are `[channels]`.
    /// Keras's epsilon: 1e-3. The gradient is the full one, through the statistics. The moving averages that
    /// prediction uses are [`Graph::moving_average`]'s.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is of another rank, gamma or beta do not have one value per channel, or epsilon
    /// is not positive; [`Error::Type`] if one does not hold floats.
    pub fn batch_norm(&mut self, x: Var, gamma: Var, beta: Var, epsilon: f32) -> Result<BatchNorm> {
        let outputs = self.apply_many(Normalize { epsilon }, &[x, gamma, beta])?;
        Ok(BatchNorm { y: outputs[0], mean: outputs[1], variance: outputs[2] })
    }
}

/// y, mean and variance, from x, gamma and beta.
#[derive(Debug)]
struct Normalize {
    epsilon: f32,
}

impl Operator for Normalize {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        check(self.name(), inputs, &["gamma", "beta"], self.epsilon)?;
        Ok(vec![inputs[0].clone(), inputs[1].clone(), inputs[1].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y, mean, variance) = (io.input(0), io.output(0), io.output(1), io.output(2));
        let params = Params::new(x.ty(), self.epsilon);
        let columns = params.columns;
        let share = 1.0 / columns.rows() as f32;
        sum_columns(plan, x, mean, share, Ending::default())?;
        let squares = plan.scratch(columns.sums());
        plan.dispatch(&SQUARE_SUMS, params, &[x, mean], &[&squares], columns.grid())?;
        finish(plan, &squares, variance, share)?;
        normalize(plan, x, [io.input(1), io.input(2)], [mean, variance], self.epsilon, y)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let &[Some(dy), None, None] = dy else {
            return Err(Error::NotDifferentiable("mean or variance of batch_norm"));
        };
        let (x, gamma, mean, variance) = (node.input(0), node.input(1), node.output(1), node.output(2));
        let epsilon = self.epsilon;
        let [dgamma, dbeta] = parameter_gradients(graph, x, dy, mean, variance, epsilon)?;
        let inputs = [x, mean, variance, gamma, dy, dgamma, dbeta];
        let dx = graph.apply(InputGradient { epsilon }, &inputs)?;
        Ok(vec![Some(dx), Some(dgamma), Some(dbeta)])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        7 * inputs[0].len() as u64
    }
}

/// dx, from x, mean, variance, gamma, dy, dgamma and dbeta.
#[derive(Debug)]
struct InputGradient {
    epsilon: f32,
}

impl Operator for InputGradient {
    fn name(&self) -> &'static str {
        "batch_norm gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (params, dx) = (Params::new(io.input(0).ty(), self.epsilon), io.output(0));
        let reads = [0, 1, 2, 3, 4, 5, 6].map(|i| io.input(i));
        plan.dispatch(&BACKWARD_INPUT, params, &reads, &[dx], Grid::linear(dx.len()))
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        6 * outputs[0].len() as u64
    }
}

fn square_sums<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let columns = params::<Params>(bytes).columns;
    let (x, mean, channels) = (slots.float(0), slots.float(1), columns.channels());
    columns.sum(slots.out(), |row, sums| {
        for ((sum, &x), &mean) in sums.iter_mut().zip(&x[row * channels..]).zip(mean) {
            *sum += (x - mean) * (x - mean);
        }
    });
}

fn backward_input<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let [x, mean, variance, gamma, dy, dgamma, dbeta] = [0, 1, 2, 3, 4, 5, 6].map(|i| slots.float(i));
    let (channels, rows) = (p.columns.channels(), T::count(p.columns.rows()));
    // dx = slope · (dy − level − tilt · (x − mean)): what depends on the channel alone comes first.
    let inverse: Vec<T> = variance.iter().map(|&v| inverse_deviation(v, p.epsilon)).collect();
    let slope: Vec<T> = gamma.iter().zip(&inverse).map(|(&gamma, &inverse)| gamma * inverse).collect();
    let level: Vec<T> = dbeta.iter().map(|&dbeta| dbeta / rows).collect();
    let tilt: Vec<T> =
        dgamma.iter().zip(&inverse).map(|(&dgamma, &inverse)| inverse * (dgamma / rows)).collect();
    let x_and_dy = x.par_chunks(channels).zip(dy.par_chunks(channels));
    slots.out().par_chunks_mut(channels).zip(x_and_dy).for_each(|(dx, (x, dy))| {
        let channel = slope.iter().zip(&level).zip(&tilt).zip(mean);
        for (((dx, &x), &dy), (((&slope, &level), &tilt), &mean)) in dx.iter_mut().zip(x).zip(dy).zip(channel)
        {
            *dx = slope * (dy - level - tilt * (x - mean));
        }
    });
}
