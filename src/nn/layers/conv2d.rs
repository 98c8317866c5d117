//! Convolution.

use serde_json::{Map, Value, json};

use super::{config, padding_name};
use crate::graph::Var;
use crate::nn::{Build, Initializer, Layer, LayerActivation, Parameter};
use crate::ops;
use crate::tensor::{DType, Precision, Shape};
use crate::{Error, Result};

/// Keras's `Conv2D` on `[batch, height, width, channels]`; kernel `[height, width, in, out]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2d {
    /// Name in the model.
    pub name: String,
    /// Output channels.
    pub filters: usize,
    /// Height and width of the kernel.
    pub kernel_size: [usize; 2],
    /// Vertical and horizontal stride.
    pub strides: [usize; 2],
    /// Vertical and horizontal dilation.
    pub dilation_rate: [usize; 2],
    /// `Valid` or `Same`.
    pub padding: ops::Padding,
    /// What follows the bias.
    pub activation: LayerActivation,
    /// Whether there is a bias.
    pub use_bias: bool,
}

impl Conv2d {
    /// A convolution with stride 1, `same` padding and ReLU.
    pub fn same_relu(name: &str, filters: usize, kernel: usize) -> Conv2d {
        Conv2d {
            name: name.into(),
            filters,
            kernel_size: [kernel; 2],
            strides: [1; 2],
            dilation_rate: [1; 2],
            padding: ops::Padding::Same,
            activation: LayerActivation::RELU,
            use_bias: true,
        }
    }

    fn kernel_shape(&self, input: &Shape) -> Result<Shape> {
        let Some([_, _, _, channels]) = input.dims() else {
            let problem = format!("{} takes [batch, height, width, channels], given {input}", self.name);
            return Err(Error::shape("Conv2D", problem));
        };
        let [height, width] = self.kernel_size;
        Ok(Shape::from([height, width, channels, self.filters]))
    }
}

impl Layer for Conv2d {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "Conv2D"
    }

    fn config(&self) -> Map<String, Value> {
        config([
            ("filters", json!(self.filters)),
            ("kernel_size", json!(self.kernel_size)),
            ("strides", json!(self.strides)),
            ("dilation_rate", json!(self.dilation_rate)),
            ("padding", json!(padding_name(self.padding))),
            ("activation", self.activation.to_keras()),
            ("use_bias", json!(self.use_bias)),
            ("data_format", json!("channels_last")),
        ])
    }

    fn parameters(&self, input: &Shape) -> Result<Vec<Parameter>> {
        let kernel = Parameter {
            name: format!("{}/kernel", self.name),
            shape: self.kernel_shape(input)?,
            initializer: Initializer::GlorotUniform,
            trainable: true,
        };
        let bias = Parameter {
            name: format!("{}/bias", self.name),
            shape: Shape::from([self.filters]),
            initializer: Initializer::Zeros,
            trainable: true,
        };
        Ok(std::iter::once(kernel).chain(self.use_bias.then_some(bias)).collect())
    }

    fn takes_halves(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let kernel = self.kernel_shape(build.graph.shape(x))?;
        let kernel = build.parameter(&self.name, "kernel", kernel)?;
        let bias = match self.use_bias {
            true => Some(build.parameter(&self.name, "bias", [self.filters])?),
            false => None,
        };
        let conv = ops::Conv2d {
            stride: self.strides,
            dilation: self.dilation_rate,
            padding: self.padding,
            activation: self.activation.epilogue(),
        };
        let (x, kernel) = match build.precision {
            Precision::F16 => (build.graph.cast(x, DType::F16)?, build.graph.cast(kernel, DType::F16)?),
            Precision::F32 => (x, kernel),
        };
        let y = build.graph.conv2d(x, kernel, bias, conv)?;
        self.activation.behind(build.graph, y)
    }
}
