//! Pooling layers.

use serde_json::{Map, Value, json};

use super::{config, padding_name};
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Layer};
use crate::ops::{Padding, Pool2d};

/// Keras's `MaxPooling2D`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPooling2d {
    /// Name in the model.
    pub name: String,
    /// Height and width of the window.
    pub pool_size: [usize; 2],
    /// Vertical and horizontal stride.
    pub strides: [usize; 2],
    /// `Valid` or `Same`.
    pub padding: Padding,
}

/// Keras's `AveragePooling2D`; padding does not count in the average.
#[derive(Clone, Debug, PartialEq)]
pub struct AveragePooling2d {
    /// Name in the model.
    pub name: String,
    /// Height and width of the window.
    pub pool_size: [usize; 2],
    /// Vertical and horizontal stride.
    pub strides: [usize; 2],
    /// `Valid` or `Same`.
    pub padding: Padding,
}

/// Keras's `GlobalAveragePooling2D`: the mean over height and width.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalAveragePooling2d {
    /// Name in the model.
    pub name: String,
}

impl MaxPooling2d {
    /// Square windows that do not overlap.
    pub fn square(name: &str, size: usize) -> MaxPooling2d {
        MaxPooling2d { name: name.into(), pool_size: [size; 2], strides: [size; 2], padding: Padding::Valid }
    }
}

fn pool_config(pool_size: [usize; 2], strides: [usize; 2], padding: Padding) -> Map<String, Value> {
    config([
        ("pool_size", json!(pool_size)),
        ("strides", json!(strides)),
        ("padding", json!(padding_name(padding))),
        ("data_format", json!("channels_last")),
    ])
}

impl Layer for MaxPooling2d {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "MaxPooling2D"
    }

    fn config(&self) -> Map<String, Value> {
        pool_config(self.pool_size, self.strides, self.padding)
    }

    fn takes_halves(&self) -> bool {
        true
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let pool =
            Pool2d { window: self.pool_size, stride: self.strides, padding: self.padding, ceil: false };
        build.graph.max_pool2d(x, pool)
    }
}

impl Layer for AveragePooling2d {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "AveragePooling2D"
    }

    fn config(&self) -> Map<String, Value> {
        pool_config(self.pool_size, self.strides, self.padding)
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let pool =
            Pool2d { window: self.pool_size, stride: self.strides, padding: self.padding, ceil: false };
        build.graph.avg_pool2d(x, pool)
    }
}

impl Layer for GlobalAveragePooling2d {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        "GlobalAveragePooling2D"
    }

    fn config(&self) -> Map<String, Value> {
        config([("data_format", json!("channels_last")), ("keepdims", json!(false))])
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        build.graph.global_avg_pool2d(x)
    }
}
