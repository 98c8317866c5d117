//! A ReLU with a learnt slope below 0 for each channel.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::column_sum::{Columns, finish};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!("prelu", "common/linear.wgsl", "common/reduce.wgsl", "prelu.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
const BACKWARD_INPUT: Kernel = SHADER
    .kernel("backward_input")
    .params::<Params>()
    .reads(3)
    .writes(1)
    .twin(backward_input::<f32>, backward_input::<f64>);
const ALPHA_SUMS: Kernel = SHADER
    .kernel("alpha_sums")
    .params::<Params>()
    .reads(2)
    .writes(1)
    .twin(alpha_sums::<f32>, alpha_sums::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, BACKWARD_INPUT, ALPHA_SUMS];

impl Graph {
    /// max(x, 0) + alpha · min(x, 0). `x` is `[…, channels]`, `alpha` is `[channels]`. At 0 the gradient is
    /// that of the side below, as in PyTorch.
    ///
    /// # Errors
    /// [`Error::Shape`] if `alpha` does not have one value per channel, [`Error::Type`] if one does not hold
    /// floats.
    pub fn prelu(&mut self, x: Var, alpha: Var) -> Result<Var> {
        self.apply(Prelu, &[x, alpha])
    }
}

#[derive(Debug)]
struct Prelu;

impl Operator for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        let (x, alpha) = (&inputs[0].shape, &inputs[1].shape);
        if alpha.rank() != 1 || x.last() != alpha.last() {
            let problem = format!("alpha needs one value per channel of x (x: {x}, alpha: {alpha})");
            return Err(Error::shape(self.name(), problem));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let reads = [io.input(0), io.input(1)];
        plan.dispatch(&FORWARD, Params::new(y.ty()), &reads, &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (x, alpha, dy) = (node.input(0), node.input(1), dy[0].expect("one output"));
        Ok(vec![
            Some(graph.apply(InputGradient, &[x, alpha, dy])?),
            Some(graph.apply(AlphaGradient, &[x, dy])?),
        ])
    }
}

/// dx, from x, alpha and dy.
#[derive(Debug)]
struct InputGradient;

impl Operator for InputGradient {
    fn name(&self) -> &'static str {
        "prelu gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let dx = io.output(0);
        let reads = [io.input(0), io.input(1), io.input(2)];
        plan.dispatch(&BACKWARD_INPUT, Params::new(dx.ty()), &reads, &[dx], Grid::linear(dx.len()))
    }
}

/// dalpha, from x and dy.
#[derive(Debug)]
struct AlphaGradient;

impl Operator for AlphaGradient {
    fn name(&self) -> &'static str {
        "prelu gradient of alpha"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32([Columns::first_stage_of(&inputs[0]).channels()])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, dy, dalpha) = (io.input(0), io.input(1), io.output(0));
        let params = Params::new(x.ty());
        let sums = plan.scratch(params.columns.sums());
        plan.dispatch(&ALPHA_SUMS, params, &[x, dy], &[&sums], params.columns.grid())?;
        finish(plan, &sums, dalpha, 1.0)
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        2 * inputs[0].len() as u64
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let channels = params::<Params>(bytes).columns.channels();
    let (x, alpha) = (slots.float(0), slots.float(1));
    slots.out().par_chunks_mut(channels).zip(x.par_chunks(channels)).for_each(|(y, x)| {
        for ((y, &x), &alpha) in y.iter_mut().zip(x).zip(alpha) {
            *y = slope(x, alpha) * x;
        }
    });
}

fn backward_input<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let channels = params::<Params>(bytes).columns.channels();
    let (x, alpha, dy) = (slots.float(0), slots.float(1), slots.float(2));
    let rows = x.par_chunks(channels).zip(dy.par_chunks(channels));
    slots.out().par_chunks_mut(channels).zip(rows).for_each(|(dx, (x, dy))| {
        for (((dx, &x), &dy), &alpha) in dx.iter_mut().zip(x).zip(dy).zip(alpha) {
            *dx = slope(x, alpha) * dy;
        }
    });
}

/// dy/dx, which is also y/x.
fn slope<T: Float>(x: T, alpha: T) -> T {
    if x > T::zero() { T::one() } else { alpha }
}

fn alpha_sums<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let Params { columns } = params(bytes);
    let (x, dy, channels) = (slots.float(0), slots.float(1), columns.channels());
    columns.sum(slots.out(), |row, sums| {
        let row = row * channels..(row + 1) * channels;
        for (sum, (&x, &dy)) in sums.iter_mut().zip(x[row.clone()].iter().zip(&dy[row])) {
            *sum += if x > T::zero() { T::zero() } else { dy * x };
        }
    });
}

/// `Params` of `prelu.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    columns: Columns,
}

impl Params {
    fn new(x: &TensorType) -> Params {
        Params { columns: Columns::first_stage_of(x) }
    }
}
