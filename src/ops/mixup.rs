//! Rows of a batch mixed in pairs.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!("mixup", "common/linear.wgsl", "mixup.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

impl Graph {
    /// share · x + (1 − share) · x with its rows in reverse: each row mixed with a partner (mixup, Zhang et al., ICLR
    /// 2018).
    ///
    /// `x` is f32 `[batch, …]`, `share` f32 `[1]`, without gradient. Inputs and one-hot targets of a batch are mixed by the
    /// same share.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else.
    pub fn mixup(&mut self, x: Var, share: Var) -> Result<Var> {
        self.apply(Mixup, &[x, share])
    }
}

#[derive(Debug)]
struct Mixup;

impl Operator for Mixup {
    fn name(&self) -> &'static str {
        "mixup"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        expect::ty(self.name(), "the share", inputs, 1, &TensorType::f32([1]))?;
        if inputs[0].shape.rank() == 0 {
            return Err(Error::shape(self.name(), "x has no rows, it is a single number"));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let params = Params { len: x.len() as u32, width: (x.len() / x.ty().shape[0]) as u32 };
        plan.dispatch(&FORWARD, params, &[x, io.input(1)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dx = graph.mixup(dy[0].expect("one output"), node.input(1))?;
        Ok(vec![Some(dx), None])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        3 * inputs[0].len() as u64
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, share) = (slots.float(0), slots.float(1)[0]);
    let rows = x.par_chunks(p.width as usize);
    let pairs = rows.clone().zip(rows.rev());
    slots.out().par_chunks_mut(p.width as usize).zip(pairs).for_each(|(y, (row, partner))| {
        for ((y, &own), &other) in y.iter_mut().zip(row).zip(partner) {
            *y = share * own + (T::one() - share) * other;
        }
    });
}

/// `Params` of `mixup.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    width: u32,
}
