//! An exponential moving average, kept in a state.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::cpu::{Float, Slots, elements, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!("moving_average", "common/linear.wgsl", "moving_average.wgsl");
const UPDATE: Kernel =
    SHADER.kernel("update").params::<Params>().reads(1).writes(1).twin(update::<f32>, update::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[UPDATE];

impl Graph {
    /// Each run: state ← momentum · state + (1 − momentum) · value, after every other reader of the old state.
    /// Both have the same shape; momentum lies in 0..=1 (Keras's batch normalisation: 0.99).
    ///
    /// # Errors
    /// [`Error::Shape`] if shapes differ, `state` is no state, or momentum lies outside; [`Error::Type`] if one
    /// does not hold floats.
    pub fn moving_average(&mut self, state: Var, value: Var, momentum: f32) -> Result<()> {
        self.apply_many(MovingAverage { momentum }, &[state, value])?;
        Ok(())
    }
}

#[derive(Debug)]
struct MovingAverage {
    momentum: f32,
}

impl Operator for MovingAverage {
    fn name(&self) -> &'static str {
        "moving_average"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        let (state, value) = (&inputs[0].shape, &inputs[1].shape);
        if state != value {
            let problem = format!("state and value have different shapes (state: {state}, value: {value})");
            return Err(Error::shape(self.name(), problem));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            let problem = format!("momentum lies between 0 and 1, given {}", self.momentum);
            return Err(Error::shape(self.name(), problem));
        }
        Ok(vec![])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (state, value) = (io.input(0), io.input(1));
        let params = Params { len: state.len() as u32, momentum: self.momentum };
        plan.dispatch(&UPDATE, params, &[value], &[state], Grid::linear(state.len()))
    }

    fn updates(&self) -> &[usize] {
        &[0]
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        3 * inputs[0].len() as u64
    }
}

fn update<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (value, momentum) = (slots.float(0), T::of(p.momentum.into()));
    elements(slots.out()).zip(value).for_each(move |(state, &value)| {
        *state = momentum * *state + (T::one() - momentum) * value;
    });
}

/// `Params` of `moving_average.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    momentum: f32,
}
