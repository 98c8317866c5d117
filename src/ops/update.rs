//! The plainest changes of a state in place: count, add up, start again.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::Result;
use crate::cpu::{Float, Slots, elements};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};

const SHADER: Shader = shader!("update", "common/linear.wgsl", "update.wgsl");
const INCREMENT: Kernel =
    SHADER.kernel("increment").params::<Params>().writes(1).twin(increment::<f32>, increment::<f64>);
const ACCUMULATE: Kernel = SHADER
    .kernel("accumulate")
    .params::<Params>()
    .reads(1)
    .writes(1)
    .twin(accumulate::<f32>, accumulate::<f64>);
const RESET: Kernel = SHADER.kernel("reset").params::<Params>().writes(1).twin(reset::<f32>, reset::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[INCREMENT, ACCUMULATE, RESET];

impl Graph {
    /// counter += 1, modulo 2³², after everything else in the plan that reads it. `counter` is a state,
    /// `u32 [1]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) or [`Error::Type`](crate::Error::Type) if it is something else.
    pub fn increment(&mut self, counter: Var) -> Result<()> {
        self.apply_many(Update::Increment, &[counter]).map(drop)
    }

    /// state += value, after everything else in the plan that reads the state. Both are f32 of one shape.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) or [`Error::Type`](crate::Error::Type) if they are something else.
    pub fn accumulate(&mut self, state: Var, value: Var) -> Result<()> {
        self.apply_many(Update::Accumulate, &[state, value]).map(drop)
    }

    /// state = 0, after everything else in the plan that reads it. `state` is f32 of any shape.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) or [`Error::Type`](crate::Error::Type) if it is something else.
    pub fn reset(&mut self, state: Var) -> Result<()> {
        self.apply_many(Update::Reset, &[state]).map(drop)
    }
}

#[derive(Debug)]
enum Update {
    Increment,
    Accumulate,
    Reset,
}

impl Operator for Update {
    fn name(&self) -> &'static str {
        match self {
            Update::Increment => "increment",
            Update::Accumulate => "accumulate",
            Update::Reset => "reset",
        }
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        match self {
            Update::Increment => expect::counter(self.name(), "the counter", inputs, 0)?,
            Update::Accumulate => {
                expect::dtype(self.name(), inputs, 0, DType::F32)?;
                expect::ty(self.name(), "the value", inputs, 1, &inputs[0])?;
            }
            Update::Reset => expect::dtype(self.name(), inputs, 0, DType::F32)?,
        }
        Ok(vec![])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let state = io.input(0);
        let params = Params { len: state.len() as u32 };
        let grid = Grid::linear(state.len());
        match self {
            Update::Increment => plan.dispatch(&INCREMENT, params, &[], &[state], grid),
            Update::Accumulate => plan.dispatch(&ACCUMULATE, params, &[io.input(1)], &[state], grid),
            Update::Reset => plan.dispatch(&RESET, params, &[], &[state], grid),
        }
    }

    fn updates(&self) -> &[usize] {
        &[0]
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].len() as u64
    }
}

fn increment<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let counter = slots.out_u32();
    counter[0] = counter[0].wrapping_add(1);
}

fn accumulate<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let value = slots.float(0);
    elements(slots.out()).zip(value).for_each(|(sum, &value)| *sum += value);
}

fn reset<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    elements(slots.out()).for_each(|sum| *sum = T::zero());
}

/// `Params` of `update.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
}
