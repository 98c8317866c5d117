//! Flattening.

use serde_json::{Map, Value, json};

use super::config;
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Layer};

/// Keras's `Flatten`: `[batch, …]` to `[batch, rest]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Flatten {
    /// Name in the model.
    pub name: String,
}

impl Layer for Flatten {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "Flatten"
    }

    fn config(&self) -> Map<String, Value> {
        config([("data_format", json!("channels_last"))])
    }

    fn takes_halves(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        build.graph.flatten(x)
    }
}
