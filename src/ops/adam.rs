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
    SHADER.kernel("update").params::<Params>().reads(3).writes(2).twin(update::<f32>, update::<f64>);
const UPDATE_TWO: Kernel = SHADER
    .kernel("update_two")
    .params::<Params>()
    .reads(4)
    .writes(4)
    .twin(update_two::<f32>, update_two::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[UPDATE, UPDATE_TWO];

/// Elements that one workgroup updates: `WORKGROUP * ELEMENTS` of the shader.
const PIECE: usize = 256 * 16;

/// Elements of a parameter that gets a dispatch of its own: moving so many bytes takes far longer than a dispatch, and the
/// kernel of two is slower where both sides of its branch run, as on lavapipe.
const ALONE: usize = 1 << 18;

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
    /// One step of Adam: changes each param and its moments, from its gradient.
    ///
    /// `tensors` are (param, gradient, moments): param and moments are states, the gradient has param's shape, and moments
    /// is `[2, …param]`, m and then v, which start at 0. `step` is `u32 [1]` and counts finished
    /// steps, so t = step + 1; `rate` is f32 `[1]`. Two parameters share a dispatch, unless they are large.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else or a constant is out of its range.
    pub fn adam(&mut self, tensors: &[[Var; 3]], step: Var, rate: Var, adam: Adam) -> Result<()> {
        let (large, small): (Vec<[Var; 3]>, Vec<[Var; 3]>) =
            tensors.iter().partition(|[param, ..]| self.ty(*param).len() >= ALONE);
        for some in large.chunks(1).chain(small.chunks(2)) {
            let operator = AdamStep { adam, two: some.len() == 2 };
            let inputs: Vec<Var> = some.iter().flatten().copied().chain([step, rate]).collect();
            self.apply_many(operator, &inputs)?;
        }
        Ok(())
    }
}

/// The shape of the moments of a parameter.
pub(crate) fn moments_of(param: &TensorType) -> TensorType {
    TensorType::f32([2].into_iter().chain(param.shape.iter().copied()).collect::<Vec<_>>())
}

/// A step of one parameter or two.
#[derive(Debug)]
struct AdamStep {
    adam: Adam,
    two: bool,
}

impl Operator for AdamStep {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let (op, Adam { beta1, beta2, epsilon, weight_decay, .. }) = (self.name(), self.adam);
        let end = inputs.len() - 2;
        expect::counter(op, "step", inputs, end)?;
        expect::ty(op, "the rate", inputs, end + 1, &TensorType::f32([1]))?;
        for param in (0..end).step_by(3) {
            expect::dtype(op, inputs, param, DType::F32)?;
            expect::ty(op, "the gradient", inputs, param + 1, &inputs[param])?;
            expect::ty(op, "the state of moments", inputs, param + 2, &moments_of(&inputs[param]))?;
        }
        for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::shape(op, format!("{name} is at least 0 and less than 1, given {beta}")));
            }
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(Error::shape(op, format!("epsilon is positive, given {epsilon}")));
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return Err(Error::shape(op, format!("weight decay is at least 0, given {weight_decay}")));
        }
        Ok(vec![])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let [param, grad, moments] = [0, 1, 2].map(|at| io.input(at));
        let [step, rate] = [2, 1].map(|before| io.input(io.input_count() - before));
        let groups = param.len().div_ceil(PIECE);
        let params = Params::new(&self.adam, param.len(), groups);
        if !self.two {
            return plan.dispatch(
                &UPDATE,
                params,
                &[step, rate, grad],
                &[param, moments],
                Grid::groups(groups),
            );
        }
        let [second, second_grad, second_moments] = [3, 4, 5].map(|at| io.input(at));
        let params = Params { second_len: second.len() as u32, ..params };
        let reads = [step, rate, grad, second_grad];
        let writes = [param, moments, second, second_moments];
        let all = Grid::groups(groups + second.len().div_ceil(PIECE));
        plan.dispatch(&UPDATE_TWO, params, &reads, &writes, all)
    }

    fn updates(&self) -> &[usize] {
        if self.two { &[0, 2, 3, 5] } else { &[0, 2] }
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[..inputs.len() - 2].iter().step_by(3).map(|param| 16 * param.len() as u64).sum()
    }
}

fn update<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let step = Step::new(params(bytes), slots);
    let grad = slots.float(2);
    let [param, moments] = slots.outs();
    step.take(param, grad, moments);
}

fn update_two<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let step = Step::new(params(bytes), slots);
    let (first, second) = (slots.float(2), slots.float(3));
    let [param, moments, second_param, second_moments] = slots.outs();
    step.take(param, first, moments);
    step.take(second_param, second, second_moments);
}

/// What is the same for all elements of a step.
#[derive(Clone, Copy)]
struct Step<T> {
    beta1: T,
    beta2: T,
    epsilon: T,
    decay: T,
    rate: T,
    rate_t: T,
}

impl<T: Float> Step<T> {
    /// From the counter and the rate, the first two that are read.
    fn new(p: Params, slots: &Slots<'_, T>) -> Step<T> {
        let rate = slots.float(1)[0];
        let t = f64::from(slots.u32(0)[0]) + 1.0;
        // 1 − βᵗ, in 64 bits also where the rest is in 32.
        let one_minus_power = |beta: f32| T::of(-(t * f64::from(beta).ln()).exp_m1());
        let (unbias1, unbias2) = (one_minus_power(p.beta1), one_minus_power(p.beta2));
        let [beta1, beta2, epsilon, decay] = [p.beta1, p.beta2, p.epsilon, p.decay].map(|x| T::of(x.into()));
        let rate_t = rate * unbias2.sqrt() / unbias1;
        // PyTorch's form, rate · (m / unbias1) / (√(v / unbias2) + ε), is Keras's with ε · √unbias2 for ε.
        let epsilon = if p.torch == 1 { epsilon * unbias2.sqrt() } else { epsilon };
        Step { beta1, beta2, epsilon, decay, rate, rate_t }
    }

    fn take(self, param: &mut [T], grad: &[T], moments: &mut [T]) {
        let Step { beta1, beta2, epsilon, decay, rate, rate_t } = self;
        let (m, v) = moments.split_at_mut(param.len());
        elements(param).zip(m).zip(v).zip(grad).for_each(move |(((param, m), v), &g)| {
            *m = beta1 * *m + (T::one() - beta1) * g;
            *v = beta2 * *v + (T::one() - beta2) * g * g;
            *param = *param - rate * decay * *param - rate_t * *m / (v.sqrt() + epsilon);
        });
    }
}

/// `Params` of `adam.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    second_len: u32,
    groups: u32,
    torch: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    decay: f32,
}

impl Params {
    /// Of one parameter of `len` elements, which take `groups` workgroups.
    fn new(adam: &Adam, len: usize, groups: usize) -> Params {
        Params {
            len: len as u32,
            second_len: 0,
            groups: groups as u32,
            torch: (adam.form == AdamForm::PyTorch).into(),
            beta1: adam.beta1,
            beta2: adam.beta2,
            epsilon: adam.epsilon,
            decay: adam.weight_decay,
        }
    }
}
