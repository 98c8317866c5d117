//! Activations whose gradient follows from their output alone: ReLU, leaky ReLU, sigmoid, tanh.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::floats::{self, Floats};
use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, piece};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const FORWARD: Kernel = forward_of(Floats::Float);
const FORWARD_HALF: Kernel = forward_of(Floats::Half);
const BACKWARD: Kernel = shader(Floats::Float)
    .kernel("backward")
    .params::<Params>()
    .reads(2)
    .writes(1)
    .twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, FORWARD_HALF, BACKWARD];

const fn shader(floats: Floats) -> Shader {
    Shader::new("activation")
        .and(floats.piece())
        .and(piece!("common/linear.wgsl"))
        .and(piece!("common/activation.wgsl"))
        .and(piece!("activation.wgsl"))
}

const fn forward_of(floats: Floats) -> Kernel {
    let kernel = shader(floats).kernel("forward").params::<Params>().reads(1).writes(1);
    floats.mark(kernel).twin(forward::<f32>, forward::<f64>)
}

/// An activation, also as the epilogue of a convolution or dense layer. Softmax is an operator of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// y = x.
    #[default]
    Linear,
    /// y = max(x, 0). At 0 the gradient is 0.
    Relu,
    /// y = x where x ≥ 0, else slope · x. The slope is positive; Keras: 0.3, PyTorch: 0.01.
    LeakyRelu(f32),
    /// y = 1 / (1 + exp(−x)).
    Sigmoid,
    /// y = tanh(x).
    Tanh,
}

impl Activation {
    /// Its number in `common/activation.wgsl`.
    pub(crate) fn kind(self) -> u32 {
        match self {
            Activation::Linear => 0,
            Activation::Relu => 1,
            Activation::LeakyRelu(_) => 2,
            Activation::Sigmoid => 3,
            Activation::Tanh => 4,
        }
    }

    /// The slope of a leaky ReLU below 0, which is 0 for the others.
    pub(crate) fn slope(self) -> f32 {
        match self {
            Activation::LeakyRelu(slope) => slope,
            _ => 0.0,
        }
    }

    pub(crate) fn check(self, op: &'static str) -> Result<()> {
        match self {
            Activation::LeakyRelu(slope) if !(slope > 0.0 && slope.is_finite()) => {
                Err(Error::shape(op, format!("the slope of a leaky ReLU is positive, given {slope}")))
            }
            _ => Ok(()),
        }
    }
}

impl Graph {
    /// Applies an activation to each element of `x`, of any shape. Of 16-bit floats it has no gradient.
    ///
    /// # Errors
    /// [`Error::Type`] if `x` does not hold floats, [`Error::Shape`] if a leaky ReLU's slope is not positive.
    pub fn activation(&mut self, x: Var, activation: Activation) -> Result<Var> {
        match activation {
            Activation::Linear => Ok(x),
            _ => self.apply(Activate(activation), &[x]),
        }
    }

    /// max(x, 0).
    ///
    /// # Errors
    /// As [`Graph::activation`].
    pub fn relu(&mut self, x: Var) -> Result<Var> {
        self.activation(x, Activation::Relu)
    }

    /// x where x ≥ 0, else slope · x.
    ///
    /// # Errors
    /// As [`Graph::activation`].
    pub fn leaky_relu(&mut self, x: Var, slope: f32) -> Result<Var> {
        self.activation(x, Activation::LeakyRelu(slope))
    }

    /// 1 / (1 + exp(−x)).
    ///
    /// # Errors
    /// As [`Graph::activation`].
    pub fn sigmoid(&mut self, x: Var) -> Result<Var> {
        self.activation(x, Activation::Sigmoid)
    }

    /// tanh(x).
    ///
    /// # Errors
    /// As [`Graph::activation`].
    pub fn tanh(&mut self, x: Var) -> Result<Var> {
        self.activation(x, Activation::Tanh)
    }

    /// The gradient before an activation that gave `y`, from the gradient `dy` behind it. For operators whose
    /// epilogue is an activation.
    pub(crate) fn activation_gradient(&mut self, y: Var, dy: Var, activation: Activation) -> Result<Var> {
        match activation {
            Activation::Linear => Ok(dy),
            _ => self.apply(ActivateGradient(activation), &[y, dy]),
        }
    }
}

#[derive(Debug)]
struct Activate(Activation);

impl Operator for Activate {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        floats::expect(self.name(), inputs, 1)?;
        self.0.check(self.name())?;
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let kernel = if y.ty().dtype == DType::F16 { &FORWARD_HALF } else { &FORWARD };
        plan.dispatch(kernel, Params::new(y.len(), self.0), &[io.input(0)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = dy[0].expect("one output");
        Ok(vec![Some(graph.activation_gradient(node.output(0), dy, self.0)?)])
    }
}

/// dx, from y and dy.
#[derive(Debug)]
pub(super) struct ActivateGradient(pub Activation);

impl Operator for ActivateGradient {
    fn name(&self) -> &'static str {
        "activation gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let dx = io.output(0);
        let params = Params::new(dx.len(), self.0);
        plan.dispatch(&BACKWARD, params, &[io.input(0), io.input(1)], &[dx], Grid::linear(dx.len()))
    }
}

/// Twin of `activate` in `common/activation.wgsl`.
pub(crate) fn activate<T: Float>(kind: u32, slope: f32, x: T) -> T {
    match kind {
        1 if x < T::zero() => T::zero(),
        2 if x < T::zero() => T::of(slope.into()) * x,
        3 => {
            let e = (-x.abs()).exp();
            let numerator = if x < T::zero() { e } else { T::one() };
            numerator / (T::one() + e)
        }
        4 => x.tanh(),
        _ => x,
    }
}

/// Twin of `activation_slope`.
pub(super) fn activation_slope<T: Float>(kind: u32, slope: f32, y: T) -> T {
    match kind {
        1 if y > T::zero() => T::one(),
        1 => T::zero(),
        2 if y < T::zero() => T::of(slope.into()),
        3 => y * (T::one() - y),
        4 => T::one() - y * y,
        _ => T::one(),
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let x = slots.float(0);
    elements(slots.out()).zip(x).for_each(move |(y, &x)| *y = activate(p.kind, p.slope, x));
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (y, dy) = (slots.float(0), slots.float(1));
    elements(slots.out()).zip(y).zip(dy).for_each(move |((dx, &y), &dy)| {
        *dx = dy * activation_slope(p.kind, p.slope, y);
    });
}

/// `Params` of `activation.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    kind: u32,
    slope: f32,
}

impl Params {
    fn new(len: usize, activation: Activation) -> Params {
        Params { len: len as u32, kind: activation.kind(), slope: activation.slope() }
    }
}
