//! The same values as floats of another width.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::floats::Floats;
use crate::cpu::{Float, Slots, elements};
use crate::gpu::{Kernel, Shader, piece};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Tensor, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const TO_HALF: Kernel = kernel("cast to f16", Floats::HalfOut);
const TO_FLOAT: Kernel = kernel("cast to f32", Floats::HalfIn);
pub(crate) const KERNELS: &[Kernel] = &[TO_HALF, TO_FLOAT];

const fn kernel(name: &'static str, floats: Floats) -> Kernel {
    let shader =
        Shader::new(name).and(floats.piece()).and(piece!("common/linear.wgsl")).and(piece!("cast.wgsl"));
    floats
        .mark(shader.kernel("forward").params::<Params>().reads(1).writes(1))
        .twin(forward::<f32>, forward::<f64>)
}

impl Graph {
    /// `x` with elements of type `dtype`, [`DType::F16`] or [`DType::F32`]: rounded to the nearest, and what is too large
    /// for 16 bits becomes ±65504. It has no gradient.
    ///
    /// # Errors
    /// [`Error::Type`] if `x` does not hold floats, or `dtype` is none.
    pub fn cast(&mut self, x: Var, dtype: DType) -> Result<Var> {
        match self.ty(x).dtype == dtype {
            true => Ok(x),
            false => self.apply(Cast(dtype), &[x]),
        }
    }
}

#[derive(Debug)]
struct Cast(DType);

impl Operator for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let x = &inputs[0];
        match (x.dtype, self.0) {
            (DType::F32, DType::F16) | (DType::F16, DType::F32) => {
                Ok(vec![TensorType { shape: x.shape.clone(), dtype: self.0 }])
            }
            (found, expected) => Err(Error::Type { op: self.name(), input: 0, found, expected }),
        }
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        dispatch(plan, io.input(0), io.output(0))
    }
}

/// Adds the dispatch that casts `x` to the type of `y`, the other width.
pub(super) fn dispatch(plan: &mut PlanBuilder<'_>, x: &Tensor, y: &Tensor) -> Result<()> {
    let kernel = if y.ty().dtype == DType::F16 { &TO_HALF } else { &TO_FLOAT };
    plan.dispatch(kernel, Params { len: y.len() as u32 }, &[x], &[y], Grid::linear(y.len()))
}

/// Copies: what lies in a tensor of 16-bit floats is rounded when it is written.
fn forward<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let x = slots.float(0);
    elements(slots.out()).zip(x).for_each(move |(y, &x)| *y = x);
}

/// `Params` of `cast.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
}
