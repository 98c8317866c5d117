//! Adam and AdamW, in place.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("adam", "common/linear.wgsl", "adam.wgsl");
const UPDATE: Kernel =
    SHADER.kernel("update").params::<Params>().reads(3).writes(3).twin(update::<f32>, update::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[UPDATE];

/// Elements that one workgroup updates: `WORKGROUP * ELEMENTS` of the shader.
const PIECE: usize = 256 * 16;

/// The constants of Adam. The default is Keras's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Share of the first moment that a step keeps, `0 ≤ beta1 < 1`. Keras: 0.9.
    pub beta1: f32,
    /// Share of the second moment that a step keeps, `0 ≤ beta2 < 1`. Keras: 0.999.
    pub beta2: f32,
    /// What keeps the divisor away from 0; positive. Keras: 1e-7, PyTorch: 1e-8.
    pub epsilon: f32,
    /// What epsilon is added to.
    pub form: AdamForm,
    /// Share of the parameter, times the rate, that a step takes away (AdamW). 0 is plain Adam.
    pub weight_decay: f32,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, form: AdamForm::Keras, weight_decay: 0.0 }
    }
}

/// What Adam adds epsilon to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdamForm {
    /// rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε): "epsilon hat" in the paper.
    #[default]
    Keras,
    /// rate · m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).
    PyTorch,
}

impl Graph {
    /// One step of Adam: changes `param` and its moments `m` and `v`.
    ///
    /// `param`, `m` and `v` are states of one shape, `grad` has that shape too; the moments start at 0. `step` is
    /// `u32 [1]` and counts finished steps, so t = step + 1; `rate` is f32 `[1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else or a constant is out of its range.
    #[expect(clippy::too_many_arguments, reason = "five tensors of different roles, named at each call")]
    pub fn adam(
        &mut self,
        param: Var,
        grad: Var,
        m: Var,
        v: Var,
        step: Var,
        rate: Var,
        adam: Adam,
    ) -> Result<()> {
        self.apply_many(adam, &[param, grad, m, v, step, rate]).map(drop)
    }
}

impl Operator for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let op = self.name();
        expect::dtype(op, inputs, 0, DType::F32)?;
        for (input, name) in [(1, "the gradient"), (2, "m"), (3, "v")] {
            expect::ty(op, name, inputs, input, &inputs[0])?;
        }
        expect::counter(op, "step", inputs, 4)?;
        expect::ty(op, "the rate", inputs, 5, &TensorType::f32([1]))?;
        for (name, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::shape(op, format!("{name} is at least 0 and less than 1, given {beta}")));
            }
        }
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(Error::shape(op, format!("epsilon is positive, given {}", self.epsilon)));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(Error::shape(op, format!("weight decay is at least 0, given {}", self.weight_decay)));
        }
        Ok(vec![])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let param = io.input(0);
        let params = Params {
            len: param.len() as u32,
            torch: (self.form == AdamForm::PyTorch).into(),
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            decay: self.weight_decay,
        };
        let reads = [io.input(1), io.input(4), io.input(5)];
        let writes = [param, io.input(2), io.input(3)];
        plan.dispatch(&UPDATE, params, &reads, &writes, Grid::groups(param.len().div_ceil(PIECE)))
    }

    fn updates(&self) -> &[usize] {
        &[0, 2, 3]
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        16 * inputs[0].len() as u64
    }
}

fn update<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (grad, rate) = (slots.float(0), slots.float(2)[0]);
    let t = f64::from(slots.u32(1)[0]) + 1.0;
    // 1 − βᵗ, in 64 bits also where the rest is in 32.
    let one_minus_power = |beta: f32| T::of(-(t * f64::from(beta).ln()).exp_m1());
    let (unbias1, unbias2) = (one_minus_power(p.beta1), one_minus_power(p.beta2));
    let [beta1, beta2, epsilon, decay] = [p.beta1, p.beta2, p.epsilon, p.decay].map(|x| T::of(x.into()));
    let rate_t = rate * unbias2.sqrt() / unbias1;
    // PyTorch's form, rate · (m / unbias1) / (√(v / unbias2) + ε), is Keras's with ε · √unbias2 for ε.
    let epsilon = if p.torch == 1 { epsilon * unbias2.sqrt() } else { epsilon };
    let [param, m, v] = slots.outs();
    elements(param).zip(m).zip(v).zip(grad).for_each(move |(((param, m), v), &g)| {
        *m = beta1 * *m + (T::one() - beta1) * g;
        *v = beta2 * *v + (T::one() - beta2) * g * g;
        *param = *param - rate * decay * *param - rate_t * *m / (v.sqrt() + epsilon);
    });
}

/// `Params` of `adam.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    torch: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    decay: f32,
}
