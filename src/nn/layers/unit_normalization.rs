//! Features of length 1.

use serde_json::{Map, Value, json};

use super::config;
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Layer};

/// Keras's `UnitNormalization` over the last axis: features of length 1. It takes `[batch, features]` alone.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitNormalization {
    /// Name in the model.
    pub name: String,
}

impl UnitNormalization {
    /// Its class name in Keras.
    pub const CLASS: &str = "UnitNormalization";
}

impl Layer for UnitNormalization {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        UnitNormalization::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        config([("axis", json!(-1))])
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        build.graph.l2_normalize(x)
    }
}
