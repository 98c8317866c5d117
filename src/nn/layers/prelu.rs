//! The parametric rectifier.

use serde_json::{Map, Value, json};

use super::config;
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Initializer, Layer, Parameter};
use crate::tensor::Shape;

/// Keras's `PReLU` with one slope per channel (`shared_axes` are all but the last).
#[derive(Clone, Debug, PartialEq)]
pub struct Prelu {
    /// Name in the model.
    pub name: String,
    /// Rank of its input: `shared_axes` depends on it.
    pub rank: usize,
}

impl Layer for Prelu {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "PReLU"
    }

    fn config(&self) -> Map<String, Value> {
        config([("shared_axes", json!((1..self.rank - 1).collect::<Vec<_>>()))])
    }

    fn parameters(&self, input: &Shape) -> Result<Vec<Parameter>> {
        let channels = input.last().copied().unwrap_or(1);
        Ok(vec![Parameter {
            name: format!("{}/alpha", self.name),
            shape: Shape::from([channels]),
            initializer: Initializer::Zeros,
            trainable: true,
        }])
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let channels = build.graph.shape(x).last().copied().unwrap_or(1);
        let alpha = build.parameter(&self.name, "alpha", [channels])?;
        build.graph.prelu(x, alpha)
    }
}
