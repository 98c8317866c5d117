//! Softmax over the last axis. Training takes the fused loss instead; this is for predictions.

use rayon::prelude::*;

use super::rows::Rows;
use crate::Result;
use crate::cpu::{Float, Slots};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;

const SHADER: Shader =
    shader!("softmax", "common/linear.wgsl", "common/reduce.wgsl", "common/rows.wgsl", "softmax.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Rows>().reads(1).writes(1).twin(forward::<f32>, forward::<f64>);
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Rows>().reads(2).writes(1).twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, BACKWARD];

impl Graph {
    /// exp(x) / Σ exp(x) over each row of `x`, `[rows, classes]`. Large logits do not overflow.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` is not of rank 2.
    pub fn softmax(&mut self, x: Var) -> Result<Var> {
        self.apply(Softmax, &[x])
    }
}

#[derive(Debug)]
struct Softmax;

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        expect_rank(self.name(), "x", &inputs[0].shape, 2)?;
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        Rows::dispatch(&FORWARD, &[io.input(0)], io.output(0), plan)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = dy[0].expect("one output");
        Ok(vec![Some(graph.apply(SoftmaxGradient, &[node.output(0), dy])?)])
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        4 * outputs[0].len() as u64
    }
}

/// dx, from y and dy.
#[derive(Debug)]
struct SoftmaxGradient;

impl Operator for SoftmaxGradient {
    fn name(&self) -> &'static str {
        "softmax gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        Rows::dispatch(&BACKWARD, &[io.input(0), io.input(1)], io.output(0), plan)
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        4 * outputs[0].len() as u64
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let length = Rows::length(bytes);
    let x = slots.float(0).par_chunks(length);
    slots.out().par_chunks_mut(length).zip(x).for_each(|(y, x)| {
        let highest = x.iter().copied().fold(T::min_value(), T::max);
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - highest).exp());
        let sum: T = y.iter().copied().sum();
        y.iter_mut().for_each(|y| *y /= sum);
    });
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let length = Rows::length(bytes);
    let rows = slots.float(0).par_chunks(length).zip(slots.float(1).par_chunks(length));
    slots.out().par_chunks_mut(length).zip(rows).for_each(|(dx, (y, dy))| {
        let sum: T = y.iter().zip(dy).map(|(&y, &dy)| y * dy).sum();
        for (dx, (&y, &dy)) in dx.iter_mut().zip(y.iter().zip(dy)) {
            *dx = y * (dy - sum);
        }
    });
}
