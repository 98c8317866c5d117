//! Rows of length 1.

use rayon::prelude::*;

use super::rows::Rows;
use crate::Result;
use crate::cpu::{Float, Slots};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;

const SHADER: Shader = shader!(
    "l2_normalize",
    "common/linear.wgsl",
    "common/reduce.wgsl",
    "common/rows.wgsl",
    "l2_normalize.wgsl"
);
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Rows>().reads(1).writes(1).twin(forward::<f32>, forward::<f64>);
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Rows>().reads(2).writes(1).twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, BACKWARD];

/// The least square of a length that a row is divided by, that of Keras's `UnitNormalization`.
const LEAST: f64 = 1e-12;

impl Graph {
    /// x / max(‖x‖, 10⁻⁶) for each row of `x`, `[rows, features]`: Keras's `UnitNormalization`, PyTorch's
    /// `functional.normalize` but for its smaller bound.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` is not of rank 2.
    pub fn l2_normalize(&mut self, x: Var) -> Result<Var> {
        self.apply(L2Normalize, &[x])
    }
}

#[derive(Debug)]
struct L2Normalize;

impl Operator for L2Normalize {
    fn name(&self) -> &'static str {
        "l2_normalize"
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
        Ok(vec![Some(graph.apply(L2NormalizeGradient, &[node.input(0), dy])?)])
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        3 * outputs[0].len() as u64
    }
}

/// dx, from x and dy.
#[derive(Debug)]
struct L2NormalizeGradient;

impl Operator for L2NormalizeGradient {
    fn name(&self) -> &'static str {
        "l2_normalize gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        Rows::dispatch(&BACKWARD, &[io.input(0), io.input(1)], io.output(0), plan)
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        7 * outputs[0].len() as u64
    }
}

fn dot<T: Float>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(&a, &b)| a * b).sum()
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let length = Rows::length(bytes);
    let x = slots.float(0).par_chunks(length);
    slots.out().par_chunks_mut(length).zip(x).for_each(|(y, x)| {
        let norm = dot(x, x).max(T::of(LEAST)).sqrt();
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = x / norm);
    });
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let length = Rows::length(bytes);
    let rows = slots.float(0).par_chunks(length).zip(slots.float(1).par_chunks(length));
    slots.out().par_chunks_mut(length).zip(rows).for_each(|(dx, (x, dy))| {
        let (squares, least) = (dot(x, x), T::of(LEAST));
        let norm = squares.max(least).sqrt();
        let along = if squares > least { dot(x, dy) / squares } else { T::zero() };
        for (dx, (&x, &dy)) in dx.iter_mut().zip(x.iter().zip(dy)) {
            *dx = (dy - x * along) / norm;
        }
    });
}
