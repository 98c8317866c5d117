//! One file per layer.

mod activation;
mod batch_normalization;
mod conv2d;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod flatten;
mod pooling;
mod prelu;
mod residual_block;
mod separable_block;
mod unit_normalization;

pub use activation::{Activation, LeakyRelu};
pub use batch_normalization::BatchNormalization;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use pooling::{AveragePooling2d, GlobalAveragePooling2d, MaxPooling2d};
pub use prelu::Prelu;
pub use residual_block::ResidualBlock;
pub use separable_block::SeparableBlock;
pub use unit_normalization::UnitNormalization;

use serde_json::{Map, Value};

/// A configuration from pairs.
fn config<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// Keras's name of a padding rule that it has.
fn padding_name(padding: crate::ops::Padding) -> &'static str {
    match padding {
        crate::ops::Padding::Valid => "valid",
        crate::ops::Padding::Same => "same",
        crate::ops::Padding::Explicit(_) => unreachable!("layers have Keras's two rules only"),
    }
}
