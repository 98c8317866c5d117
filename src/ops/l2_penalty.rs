//! The L2 penalty on a weight: a factor times the sum of its squares.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::Result;
use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};

const SHADER: Shader = shader!("l2_penalty", "common/linear.wgsl", "common/reduce.wgsl", "l2_penalty.wgsl");
const PARTIAL: Kernel =
    SHADER.kernel("partial").params::<Params>().reads(1).writes(1).twin(partial::<f32>, partial::<f64>);
const TOTAL: Kernel =
    SHADER.kernel("total").params::<Params>().reads(1).writes(1).twin(total::<f32>, total::<f64>);
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Params>().reads(2).writes(1).twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[PARTIAL, TOTAL, BACKWARD];

/// Elements that one workgroup of `partial` adds up: `WORKGROUP * ELEMENTS` of the shader.
const PIECE: usize = 256 * 16;

impl Graph {
    /// factor · Σ x², to be added to a loss, as `keras.regularizers.L2(factor)`.
    ///
    /// `x` is f32 of any shape; the result is a scalar, `[]`.
    ///
    /// # Errors
    /// [`Error::Type`](crate::Error::Type) if `x` does not hold floats.
    pub fn l2_penalty(&mut self, x: Var, factor: f32) -> Result<Var> {
        self.apply(L2Penalty { factor }, &[x])
    }
}

#[derive(Debug)]
struct L2Penalty {
    factor: f32,
}

impl Operator for L2Penalty {
    fn name(&self) -> &'static str {
        "l2 penalty"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        Ok(vec![TensorType::f32([])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let x = io.input(0);
        let params = Params::new(x.len(), self.factor);
        let pieces = params.pieces as usize;
        let sums = plan.scratch(TensorType::f32([pieces]));
        plan.dispatch(&PARTIAL, params, &[x], &[&sums], Grid::groups(pieces))?;
        plan.dispatch(&TOTAL, params, &[&sums], &[io.output(0)], Grid::groups(1))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = dy[0].expect("one output");
        let operator = L2PenaltyGradient { factor: self.factor };
        Ok(vec![Some(graph.apply(operator, &[node.input(0), dy])?)])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        2 * inputs[0].len() as u64
    }
}

/// dx, from x and dy.
#[derive(Debug)]
struct L2PenaltyGradient {
    factor: f32,
}

impl Operator for L2PenaltyGradient {
    fn name(&self) -> &'static str {
        "l2 penalty gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let dx = io.output(0);
        let params = Params::new(dx.len(), self.factor);
        plan.dispatch(&BACKWARD, params, &[io.input(0), io.input(1)], &[dx], Grid::linear(dx.len()))
    }
}

fn partial<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let x = slots.float(0);
    slots.out().par_iter_mut().zip(x.par_chunks(PIECE)).for_each(|(sum, piece)| {
        *sum = piece.iter().map(|&x| x * x).sum();
    });
}

fn total<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let sum: T = slots.float(0).iter().copied().sum();
    slots.out()[0] = T::of(p.factor.into()) * sum;
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, dy, factor) = (slots.float(0), slots.float(1)[0], T::of(2.0 * f64::from(p.factor)));
    elements(slots.out()).zip(x).for_each(move |(dx, &x)| *dx = factor * x * dy);
}

/// `Params` of `l2_penalty.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    pieces: u32,
    factor: f32,
}

impl Params {
    fn new(len: usize, factor: f32) -> Params {
        Params { len: len as u32, pieces: len.div_ceil(PIECE) as u32, factor }
    }
}
