//! Gradients clipped by their common norm.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!("clip", "common/linear.wgsl", "clip.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

impl Graph {
    /// All of `xs` times min(1, `most` / norm), where norm is the Euclidean norm of all their elements together: the
    /// `global_clipnorm` of Keras's optimizers. Where the norm is at most `most`, bit for bit what was given.
    ///
    /// `xs` are f32 of any shapes. There is no gradient.
    ///
    /// # Errors
    /// [`Error::Shape`] if `most` is not positive and finite, [`Error::Type`] if one does not hold floats.
    pub fn clip_by_global_norm(&mut self, xs: &[Var], most: f32) -> Result<Vec<Var>> {
        let mut total = None;
        for &x in xs {
            let squares = self.l2_penalty(x, 1.0)?;
            total = Some(match total {
                Some(total) => self.add(total, squares)?,
                None => squares,
            });
        }
        let Some(total) = total else { return Ok(vec![]) };
        xs.iter().map(|&x| self.apply(Clip { most }, &[x, total])).collect()
    }
}

#[derive(Debug)]
struct Clip {
    most: f32,
}

impl Operator for Clip {
    fn name(&self) -> &'static str {
        "clip"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        expect::ty(self.name(), "the squared norm", inputs, 1, &TensorType::f32([]))?;
        if !(self.most > 0.0 && self.most.is_finite()) {
            return Err(Error::shape(self.name(), format!("the norm is positive, given {}", self.most)));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params { len: y.len() as u32, most: self.most };
        plan.dispatch(&FORWARD, params, &[io.input(0), io.input(1)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![None, None])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].len() as u64
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, squares, most) = (slots.float(0), slots.float(1)[0], T::of(p.most.into()));
    let factor = most / squares.sqrt().max(most);
    elements(slots.out()).zip(x).for_each(move |(y, &x)| *y = x * factor);
}

/// `Params` of `clip.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    most: f32,
}
