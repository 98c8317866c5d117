//! The two operators that autograd itself needs: `fill` and `add`.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::tensor::{Shape, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("builtin", "common/linear.wgsl", "builtin.wgsl");
const FILL: Kernel = SHADER.kernel("fill").params::<Params>().writes(1).twin(fill::<f32>, fill::<f64>);
const ADD: Kernel = SHADER.kernel("add").params::<Params>().reads(2).writes(1).twin(add::<f32>, add::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FILL, ADD];

impl Graph {
    /// A tensor of shape `shape` whose elements are all `value`.
    ///
    /// # Errors
    /// [`Error::Shape`] if it would be empty.
    pub fn fill(&mut self, shape: impl Into<Shape>, value: f32) -> Result<Var> {
        self.apply(Fill { shape: shape.into(), value }, &[])
    }

    /// a + b, element by element; both have the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if they have not.
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var> {
        self.apply(Add, &[a, b])
    }
}

#[derive(Debug)]
struct Fill {
    shape: Shape,
    value: f32,
}

impl Operator for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(self.shape.clone())])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params { len: y.len() as u32, value: self.value };
        plan.dispatch(&FILL, params, &[], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![])
    }
}

#[derive(Debug)]
struct Add;

impl Operator for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        if inputs[0] != inputs[1] {
            let problem = format!("a and b have different types (a: {}, b: {})", inputs[0], inputs[1]);
            return Err(Error::shape("add", problem));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params { len: y.len() as u32, value: 0.0 };
        plan.dispatch(&ADD, params, &[io.input(0), io.input(1)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![dy[0], dy[0]])
    }
}

fn fill<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let value = T::of(p.value.into());
    elements(slots.out()).for_each(move |y| *y = value);
}

fn add<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let (a, b) = (slots.float(0), slots.float(1));
    elements(slots.out()).zip(a).zip(b).for_each(move |((y, &a), &b)| *y = a + b);
}

/// `Params` of `builtin.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    value: f32,
}
