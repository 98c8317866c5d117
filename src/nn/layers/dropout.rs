//! Dropout.

use serde_json::{Map, Value, json};

use super::config;
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Layer, Mode};
use crate::ops::{self, random};

/// Keras's `Dropout`: in training each element is 0 with probability `rate`, the others are divided by
/// 1 − `rate`. In prediction it does nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropout {
    /// Name in the model; the random numbers are keyed by it.
    pub name: String,
    /// Share of elements dropped, in 0..1.
    pub rate: f32,
}

impl Layer for Dropout {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "Dropout"
    }

    fn config(&self) -> Map<String, Value> {
        config([("rate", json!(self.rate))])
    }

    fn takes_halves(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let (Mode::Train, Some(step)) = (build.mode, build.step) else { return Ok(x) };
        let shape = build.graph.shape(x);
        let row = shape.len() / shape[0];
        let dropout = ops::Dropout {
            rate: self.rate,
            seed: build.seed,
            stream: random::stream(&self.name),
            offset: (build.first_row * row) as u32,
        };
        build.graph.dropout(x, dropout, step)
    }
}
