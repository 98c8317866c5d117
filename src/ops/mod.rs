//! The operators: each is one file here, one shader of the same name, one test file of the same name.

mod activation;
mod column_sum;
mod conv2d;
mod conv2d_input_gradient;
mod conv2d_weight_gradient;
mod dense;
mod gemm;
mod matmul;
mod patches;
mod window;

pub use activation::Activation;
pub use conv2d::Conv2d;
pub use matmul::Transpose;
pub use window::Padding;

use crate::gpu::Kernel;
use crate::tensor::{DType, Shape, TensorType};
use crate::{Error, Result};

/// The kernels of every operator: validation, warm-up and profiles follow from this list.
pub(crate) const KERNELS: &[&[Kernel]] =
    &[crate::graph::BUILTIN_KERNELS, activation::KERNELS, column_sum::KERNELS, matmul::KERNELS];

/// Checks that all inputs of an operator hold floats.
fn expect_floats(op: &'static str, inputs: &[TensorType]) -> Result<()> {
    match inputs.iter().position(|input| input.dtype != DType::F32) {
        None => Ok(()),
        Some(input) => Err(Error::Type { op, input, found: inputs[input].dtype, expected: DType::F32 }),
    }
}

/// Checks that a bias has one element for each of `out` channels.
fn expect_bias(op: &'static str, bias: &Shape, out: usize) -> Result<()> {
    match bias[..] {
        [len] if len == out => Ok(()),
        _ => Err(Error::shape(
            op,
            format!("bias has shape {bias}, expected [{out}] as weight has {out} outputs"),
        )),
    }
}
