//! Activations by their Keras names.

use serde_json::{Value, json};

use crate::graph::{Graph, Var};
use crate::ops::Activation;
use crate::{Error, Result};

/// A layer's activation: one that an operator applies in its epilogue, or a softmax behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LayerActivation {
    /// Element by element.
    Elementwise(Activation),
    /// Over the last axis.
    Softmax,
}

/// The slope below 0 that Keras's name `leaky_relu` stands for.
const NAMED_SLOPE: f32 = 0.2;

impl LayerActivation {
    /// No activation.
    pub const LINEAR: LayerActivation = LayerActivation::Elementwise(Activation::Linear);
    /// max(x, 0).
    pub const RELU: LayerActivation = LayerActivation::Elementwise(Activation::Relu);

    /// max(x, `slope` · x).
    pub const fn leaky_relu(slope: f32) -> LayerActivation {
        LayerActivation::Elementwise(Activation::LeakyRelu(slope))
    }

    /// The activation of this Keras name.
    ///
    /// # Errors
    /// [`Error::Input`] if it is none that is supported.
    pub fn named(name: &str) -> Result<LayerActivation> {
        Ok(match name {
            "linear" => LayerActivation::LINEAR,
            "relu" => LayerActivation::RELU,
            "leaky_relu" => LayerActivation::leaky_relu(NAMED_SLOPE),
            "sigmoid" => LayerActivation::Elementwise(Activation::Sigmoid),
            "tanh" => LayerActivation::Elementwise(Activation::Tanh),
            "softmax" => LayerActivation::Softmax,
            _ => {
                let known = "linear, relu, leaky_relu, sigmoid, tanh, softmax";
                return Err(Error::Input(format!("activation '{name}' is not supported; known are {known}")));
            }
        })
    }

    /// What a Keras config says of it: its name, or the layer that does the same where the name does not tell the slope.
    pub(crate) fn to_keras(self) -> Value {
        match self {
            LayerActivation::Elementwise(Activation::LeakyRelu(slope)) if slope != NAMED_SLOPE => json!({
                "module": "keras.layers",
                "class_name": "LeakyReLU",
                "config": {"name": "leaky_re_lu", "negative_slope": slope},
                "registered_name": null,
            }),
            _ => json!(self.name()),
        }
    }

    /// Its Keras name.
    pub fn name(self) -> &'static str {
        match self {
            LayerActivation::Softmax => "softmax",
            LayerActivation::Elementwise(activation) => match activation {
                Activation::Linear => "linear",
                Activation::Relu => "relu",
                Activation::LeakyRelu(_) => "leaky_relu",
                Activation::Sigmoid => "sigmoid",
                Activation::Tanh => "tanh",
            },
        }
    }

    /// The part that an operator applies itself.
    pub(crate) fn epilogue(self) -> Activation {
        match self {
            LayerActivation::Elementwise(activation) => activation,
            LayerActivation::Softmax => Activation::Linear,
        }
    }

    /// The part that follows the operator.
    pub(crate) fn behind(self, graph: &mut Graph, x: Var) -> Result<Var> {
        match self {
            LayerActivation::Elementwise(_) => Ok(x),
            LayerActivation::Softmax => graph.softmax(x),
        }
    }
}
