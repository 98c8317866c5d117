//! Activations as layers of their own.

use serde_json::{Map, Value, json};

use super::config;
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Layer, LayerActivation};
use crate::ops;

/// Keras's `Activation`.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Name in the model.
    pub name: String,
    /// What it applies.
    pub activation: LayerActivation,
}

/// Keras's `LeakyReLU`.
#[derive(Clone, Debug, PartialEq)]
pub struct LeakyRelu {
    /// Name in the model.
    pub name: String,
    /// The slope below 0 (Keras: 0.3).
    pub negative_slope: f32,
}

impl Layer for Activation {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "Activation"
    }

    fn config(&self) -> Map<String, Value> {
        config([("activation", self.activation.to_keras())])
    }

    fn takes_halves(&self) -> bool {
        self.activation != LayerActivation::Softmax
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        match self.activation {
            LayerActivation::Softmax if build.logits => Ok(x),
            LayerActivation::Softmax => build.graph.softmax(x),
            LayerActivation::Elementwise(activation) => build.graph.activation(x, activation),
        }
    }
}

impl Layer for LeakyRelu {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "LeakyReLU"
    }

    fn config(&self) -> Map<String, Value> {
        config([("negative_slope", json!(self.negative_slope))])
    }

    fn takes_halves(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        build.graph.activation(x, ops::Activation::LeakyRelu(self.negative_slope))
    }
}
