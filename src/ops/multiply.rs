//! Products element by element: of two tensors, and of a tensor with a number.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!("multiply", "common/linear.wgsl", "multiply.wgsl");
const MULTIPLY: Kernel =
    SHADER.kernel("multiply").params::<Params>().reads(2).writes(1).twin(multiply::<f32>, multiply::<f64>);
const SCALE: Kernel =
    SHADER.kernel("scale").params::<Params>().reads(1).writes(1).twin(scale::<f32>, scale::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[MULTIPLY, SCALE];

impl Graph {
    /// a · b, element by element; both have the same shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if they have not, [`Error::Type`] if one does not hold floats.
    pub fn multiply(&mut self, a: Var, b: Var) -> Result<Var> {
        self.apply(Multiply, &[a, b])
    }

    /// factor · x, of any shape.
    ///
    /// # Errors
    /// [`Error::Type`] if `x` does not hold floats.
    pub fn scale(&mut self, x: Var, factor: f32) -> Result<Var> {
        self.apply(Scale(factor), &[x])
    }
}

#[derive(Debug)]
struct Multiply;

impl Operator for Multiply {
    fn name(&self) -> &'static str {
        "multiply"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        let (a, b) = (&inputs[0].shape, &inputs[1].shape);
        if a != b {
            return Err(Error::shape(self.name(), format!("a and b have different shapes (a: {a}, b: {b})")));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params { len: y.len() as u32, factor: 1.0 };
        plan.dispatch(&MULTIPLY, params, &[io.input(0), io.input(1)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (a, b, dy) = (node.input(0), node.input(1), dy[0].expect("one output"));
        Ok(vec![Some(graph.multiply(dy, b)?), Some(graph.multiply(dy, a)?)])
    }
}

#[derive(Debug)]
struct Scale(f32);

impl Operator for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params { len: y.len() as u32, factor: self.0 };
        plan.dispatch(&SCALE, params, &[io.input(0)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, _node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![Some(graph.scale(dy[0].expect("one output"), self.0)?)])
    }
}

fn multiply<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let (a, b) = (slots.float(0), slots.float(1));
    elements(slots.out()).zip(a).zip(b).for_each(move |((y, &a), &b)| *y = a * b);
}

fn scale<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, factor) = (slots.float(0), T::of(p.factor.into()));
    elements(slots.out()).zip(x).for_each(move |(y, &x)| *y = factor * x);
}

/// `Params` of `multiply.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    factor: f32,
}
