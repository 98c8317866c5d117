//! Batch normalisation.

use serde_json::{Map, Value, json};

use super::config;
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Initializer, Layer, Mode, Parameter};
use crate::tensor::{Shape, TensorType};

/// Keras's `BatchNormalization` over the last axis. Training uses the batch's mean and biased variance and
/// moves the running averages; prediction uses these.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormalization {
    /// Name in the model.
    pub name: String,
    /// Share of the running averages that stays in each step (Keras: 0.99).
    pub momentum: f32,
    /// Added to the variance (Keras: 1e-3).
    pub epsilon: f32,
}

const VARIABLES: [(&str, Initializer, bool); 4] = [
    ("gamma", Initializer::Ones, true),
    ("beta", Initializer::Zeros, true),
    ("moving_mean", Initializer::Zeros, false),
    ("moving_variance", Initializer::Ones, false),
];

impl BatchNormalization {
    /// With Keras's defaults.
    pub fn new(name: &str) -> BatchNormalization {
        BatchNormalization { name: name.into(), momentum: 0.99, epsilon: 1e-3 }
    }
}

impl Layer for BatchNormalization {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "BatchNormalization"
    }

    fn config(&self) -> Map<String, Value> {
        config([
            ("axis", json!(-1)),
            ("momentum", json!(self.momentum)),
            ("epsilon", json!(self.epsilon)),
            ("center", json!(true)),
            ("scale", json!(true)),
        ])
    }

    fn parameters(&self, input: &Shape) -> Result<Vec<Parameter>> {
        let channels = input.last().copied().unwrap_or(1);
        let parameter = |(variable, initializer, trainable)| Parameter {
            name: format!("{}/{variable}", self.name),
            shape: Shape::from([channels]),
            initializer,
            trainable,
        };
        Ok(VARIABLES.map(parameter).to_vec())
    }

    fn needs_whole_batch(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let channels = build.graph.shape(x).last().copied().unwrap_or(1);
        let mut state = |variable: &str| {
            build.graph.state(&format!("{}/{variable}", self.name), TensorType::f32([channels]))
        };
        let (gamma, beta) = (state("gamma")?, state("beta")?);
        let (mean, variance) = (state("moving_mean")?, state("moving_variance")?);
        match build.mode {
            Mode::Predict => build.graph.batch_norm_inference(x, gamma, beta, mean, variance, self.epsilon),
            Mode::Train => {
                let batch = build.graph.batch_norm(x, gamma, beta, self.epsilon)?;
                build.graph.moving_average(mean, batch.mean, self.momentum)?;
                build.graph.moving_average(variance, batch.variance, self.momentum)?;
                Ok(batch.y)
            }
        }
    }
}
