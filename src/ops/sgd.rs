//! Stochastic gradient descent, in place.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("sgd", "common/linear.wgsl", "sgd.wgsl");
const PLAIN: Kernel =
    SHADER.kernel("plain").params::<Params>().reads(2).writes(1).twin(plain::<f32>, plain::<f64>);
const MOMENTUM: Kernel =
    SHADER.kernel("momentum").params::<Params>().reads(2).writes(2).twin(momentum::<f32>, momentum::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[PLAIN, MOMENTUM];

/// What gradient descent remembers of earlier steps. The default is nothing, as in Keras.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sgd {
    /// Share of the velocity that a step keeps, `0 ≤ momentum < 1`.
    pub momentum: f32,
    /// Whether the gradient is taken to be that of the point ahead (Nesterov).
    pub nesterov: bool,
}

impl Graph {
    /// One step of gradient descent: changes `param`, and `velocity` where there is one, as Keras's `SGD` does.
    ///
    /// `param` and `velocity` are states of one shape, `grad` has that shape too; `rate` is f32 `[1]`. A velocity
    /// starts at 0 and is given exactly where the momentum is not 0.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else, the velocity is missing or has no use,
    /// or the momentum is outside `[0, 1)`.
    pub fn sgd(&mut self, param: Var, grad: Var, velocity: Option<Var>, rate: Var, sgd: Sgd) -> Result<()> {
        let inputs: Vec<Var> = [param, grad, rate].into_iter().chain(velocity).collect();
        self.apply_many(SgdStep { sgd, with_velocity: velocity.is_some() }, &inputs).map(drop)
    }
}

#[derive(Debug)]
struct SgdStep {
    sgd: Sgd,
    with_velocity: bool,
}

impl Operator for SgdStep {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let op = self.name();
        expect::dtype(op, inputs, 0, DType::F32)?;
        expect::ty(op, "the gradient", inputs, 1, &inputs[0])?;
        expect::ty(op, "the rate", inputs, 2, &TensorType::f32([1]))?;
        let momentum = self.sgd.momentum;
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::shape(
                op,
                format!("momentum is at least 0 and less than 1, given {momentum}"),
            ));
        }
        match (self.with_velocity, momentum > 0.0) {
            (true, true) => expect::ty(op, "the velocity", inputs, 3, &inputs[0])?,
            (false, false) => {}
            (false, true) => {
                return Err(Error::shape(op, format!("momentum {momentum} needs a velocity, {}", inputs[0])));
            }
            (true, false) => return Err(Error::shape(op, "a velocity has no use without momentum")),
        }
        Ok(vec![])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let param = io.input(0);
        let params = Params {
            len: param.len() as u32,
            nesterov: self.sgd.nesterov.into(),
            momentum: self.sgd.momentum,
        };
        let (reads, grid) = ([io.input(1), io.input(2)], Grid::linear(param.len()));
        match self.with_velocity {
            true => plan.dispatch(&MOMENTUM, params, &reads, &[param, io.input(3)], grid),
            false => plan.dispatch(&PLAIN, params, &reads, &[param], grid),
        }
    }

    fn updates(&self) -> &[usize] {
        if self.with_velocity { &[0, 3] } else { &[0] }
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        4 * inputs[0].len() as u64
    }
}

fn plain<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let (grad, rate) = (slots.float(0), slots.float(1)[0]);
    elements(slots.out()).zip(grad).for_each(move |(param, &grad)| *param -= rate * grad);
}

fn momentum<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (grad, rate, momentum) = (slots.float(0), slots.float(1)[0], T::of(p.momentum.into()));
    let [param, velocity] = slots.outs();
    elements(param).zip(velocity).zip(grad).for_each(move |((param, velocity), &grad)| {
        *velocity = momentum * *velocity - rate * grad;
        *param += match p.nesterov {
            0 => *velocity,
            _ => momentum * *velocity - rate * grad,
        };
    });
}

/// `Params` of `sgd.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    nesterov: u32,
    momentum: f32,
}
