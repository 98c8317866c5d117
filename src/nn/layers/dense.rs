//! The fully connected layer.

use serde_json::{Map, Value, json};

use super::config;
use crate::graph::Var;
use crate::nn::{Build, Initializer, Layer, LayerActivation, Parameter};
use crate::tensor::Shape;
use crate::{Error, Result};

/// Keras's `Dense` on `[batch, in]`; kernel `[in, out]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// Name in the model.
    pub name: String,
    /// Outputs.
    pub units: usize,
    /// What follows the bias.
    pub activation: LayerActivation,
    /// Whether there is a bias.
    pub use_bias: bool,
}

impl Dense {
    /// A dense layer with bias.
    pub fn new(name: &str, units: usize, activation: LayerActivation) -> Dense {
        Dense { name: name.into(), units, activation, use_bias: true }
    }

    fn kernel_shape(&self, input: &Shape) -> Result<Shape> {
        match input.dims() {
            Some([_, features]) => Ok(Shape::from([features, self.units])),
            None => {
                Err(Error::shape("Dense", format!("{} takes [batch, features], given {input}", self.name)))
            }
        }
    }
}

impl Layer for Dense {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "Dense"
    }

    fn config(&self) -> Map<String, Value> {
        config([
            ("units", json!(self.units)),
            ("activation", self.activation.to_keras()),
            ("use_bias", json!(self.use_bias)),
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
            shape: Shape::from([self.units]),
            initializer: Initializer::Zeros,
            trainable: true,
        };
        Ok(std::iter::once(kernel).chain(self.use_bias.then_some(bias)).collect())
    }

    fn takes_halves(&self) -> bool {
        true
    }

    /// Of 16-bit floats it makes 32-bit ones: they are few.
    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let kernel = self.kernel_shape(build.graph.shape(x))?;
        let kernel = build.parameter(&self.name, "kernel", kernel)?;
        let bias = match self.use_bias {
            true => Some(build.parameter(&self.name, "bias", [self.units])?),
            false => None,
        };
        let kernel = build.graph.cast(kernel, build.graph.ty(x).dtype)?;
        let y = build.graph.dense(x, kernel, bias, self.activation.epilogue())?;
        if build.logits && self.activation == LayerActivation::Softmax {
            return Ok(y);
        }
        self.activation.behind(build.graph, y)
    }
}
