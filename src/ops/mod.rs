//! The operators: each is one file here, one shader of the same name, one test file of the same name.

mod activation;
mod adam;
mod area_resize;
mod augment;
mod avg_pool2d;
mod batch_norm;
mod batch_norm_inference;
mod cast;
mod changes;
mod clip;
mod colours;
mod column_sum;
mod concat;
mod conv2d;
mod conv2d_input_gradient;
mod conv2d_max_pool2d;
mod conv2d_weight_gradient;
mod correct;
mod dense;
mod depthwise_conv2d;
mod draws;
mod dropout;
mod expect;
mod floats;
mod gemm;
mod global_avg_pool2d;
mod l2_normalize;
mod l2_penalty;
mod matmul;
mod max_pool2d;
mod max_pool2d_winners;
mod mixup;
mod moving_average;
mod multiply;
mod normalize;
mod patches;
mod pool2d;
mod prelu;
pub mod random;
mod record;
mod reshape;
mod residual_add;
mod rows;
mod sgd;
mod softmax;
mod softmax_cross_entropy;
mod swap;
mod update;
mod ways;
mod window;
mod winograd;
mod winograd_cpu;
mod worn;

pub use activation::Activation;
pub(crate) use adam::moments_of;
pub use adam::{Adam, AdamForm};
pub use area_resize::AreaWindow;
pub use batch_norm::BatchNorm;
pub use changes::{AUGMENT_VERSION, Augment, Fill, picture_hash};
pub use conv2d::Conv2d;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub use matmul::Transpose;
pub use normalize::Normalize;
pub use pool2d::Pool2d;
pub use sgd::Sgd;
pub use ways::tensor_core_variants;
pub use window::Padding;
#[cfg(feature = "train")]
pub(crate) use window::{Slide, slide};
pub use worn::{FACE_WORDS, face_words};

use crate::gpu::Kernel;
use crate::tensor::{DType, Shape, TensorType};
use crate::{Error, Result};

/// The kernels of every operator: validation and the checks of variants follow from this list.
#[cfg_attr(not(feature = "check"), allow(dead_code))] // plans find their kernels by themselves
pub(crate) const KERNELS: &[&[Kernel]] = &[
    crate::graph::BUILTIN_KERNELS,
    activation::KERNELS,
    adam::KERNELS,
    area_resize::KERNELS,
    augment::KERNELS,
    avg_pool2d::KERNELS,
    batch_norm::KERNELS,
    batch_norm_inference::KERNELS,
    cast::KERNELS,
    clip::KERNELS,
    column_sum::KERNELS,
    concat::KERNELS,
    conv2d::KERNELS,
    conv2d::WINNERS_KERNELS,
    conv2d::HALF_KERNELS,
    conv2d::HALF_IN_KERNELS,
    conv2d_input_gradient::KERNELS,
    conv2d_input_gradient::ROUTED_KERNELS,
    conv2d_weight_gradient::KERNELS,
    conv2d_weight_gradient::ROUTED_KERNELS,
    correct::KERNELS,
    depthwise_conv2d::KERNELS,
    dropout::KERNELS,
    global_avg_pool2d::KERNELS,
    l2_normalize::KERNELS,
    l2_penalty::KERNELS,
    matmul::KERNELS,
    matmul::HALF_IN_KERNELS,
    matmul::TURNED_KERNELS,
    max_pool2d::KERNELS,
    max_pool2d_winners::KERNELS,
    mixup::KERNELS,
    moving_average::KERNELS,
    multiply::KERNELS,
    normalize::KERNELS,
    prelu::KERNELS,
    random::KERNELS,
    record::KERNELS,
    residual_add::KERNELS,
    sgd::KERNELS,
    softmax::KERNELS,
    softmax_cross_entropy::KERNELS,
    swap::KERNELS,
    update::KERNELS,
    winograd::KERNELS,
];

/// Checks that all inputs of an operator hold floats.
fn expect_floats(op: &'static str, inputs: &[TensorType]) -> Result<()> {
    match inputs.iter().position(|input| input.dtype != DType::F32) {
        None => Ok(()),
        Some(input) => Err(Error::Type { op, input, found: inputs[input].dtype, expected: DType::F32 }),
    }
}

/// Checks that a bias has one element for each of a weight's outputs.
fn expect_bias(op: &'static str, bias: &Shape, out: usize) -> Result<()> {
    match bias[..] {
        [len] if len == out => Ok(()),
        _ => Err(Error::shape(
            op,
            format!("bias has shape {bias}, expected [{out}] as weight has {out} outputs"),
        )),
    }
}
