//! Convolution of each channel by itself.

use serde_json::{Map, Value, json};

use super::{config, padding_name};
use crate::graph::Var;
use crate::nn::{Build, Initializer, Layer, LayerActivation, Parameter};
use crate::ops;
use crate::tensor::Shape;
use crate::{Error, Result};

/// Keras's `DepthwiseConv2D` on `[batch, height, width, channels]`, with a `depth_multiplier` of 1; kernel
/// `[height, width, channels, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthwiseConv2d {
    /// Name in the model.
    pub name: String,
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// Vertical and horizontal stride.
    pub strides: [usize; 2],
    /// `Valid` or `Same`.
    pub padding: ops::Padding,
    /// What follows the bias.
    pub activation: LayerActivation,
    /// Whether there is a bias.
    pub use_bias: bool,
}

impl DepthwiseConv2d {
    fn channels(&self, input: &Shape) -> Result<usize> {
        let Some([_, _, _, channels]) = input.dims() else {
            let problem = format!("{} takes [batch, height, width, channels], given {input}", self.name);
            return Err(Error::shape("DepthwiseConv2D", problem));
        };
        Ok(channels)
    }

    fn kernel_shape(&self, channels: usize) -> Shape {
        let [height, width] = self.kernel_size;
        Shape::from([height, width, channels, 1])
    }
}

impl Layer for DepthwiseConv2d {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "DepthwiseConv2D"
    }

    fn config(&self) -> Map<String, Value> {
        config([
            ("kernel_size", json!(self.kernel_size)),
            ("strides", json!(self.strides)),
            ("padding", json!(padding_name(self.padding))),
            ("depth_multiplier", json!(1)),
            ("activation", self.activation.to_keras()),
            ("use_bias", json!(self.use_bias)),
            ("data_format", json!("channels_last")),
        ])
    }

    fn parameters(&self, input: &Shape) -> Result<Vec<Parameter>> {
        let channels = self.channels(input)?;
        let kernel = Parameter {
            name: format!("{}/kernel", self.name),
            shape: self.kernel_shape(channels),
            initializer: Initializer::GlorotUniform,
            trainable: true,
        };
        let bias = Parameter {
            name: format!("{}/bias", self.name),
            shape: Shape::from([channels]),
            initializer: Initializer::Zeros,
            trainable: true,
        };
        Ok(std::iter::once(kernel).chain(self.use_bias.then_some(bias)).collect())
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let channels = self.channels(build.graph.shape(x))?;
        let kernel = build.parameter(&self.name, "kernel", self.kernel_shape(channels))?;
        let bias = match self.use_bias {
            true => Some(build.parameter(&self.name, "bias", [channels])?),
            false => None,
        };
        let conv = ops::DepthwiseConv2d { stride: self.strides, padding: self.padding };
        let y = build.graph.depthwise_conv2d(x, kernel, bias, conv)?;
        let y = build.graph.activation(y, self.activation.epilogue())?;
        self.activation.behind(build.graph, y)
    }
}
