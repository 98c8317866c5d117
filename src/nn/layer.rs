//! What a layer is: named parameters, and the operators it appends to a graph.

use std::any::Any;
use std::fmt;

use serde_json::{Map, Value};

use super::Initializer;
use crate::Result;
use crate::graph::{Graph, Var};
use crate::tensor::{DType, Precision, Shape, TensorType};

/// What a graph is built for. Dropout and batch normalisation differ between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, dropout active.
    Train,
    /// Running averages, nothing dropped.
    Predict,
}

/// A tensor that a layer owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// `layer/variable`, as in Keras: `conv2d/kernel`.
    pub name: String,
    /// Sizes of its axes.
    pub shape: Shape,
    /// Its values before training.
    pub initializer: Initializer,
    /// Whether gradients train it. Running averages are not trained.
    pub trainable: bool,
}

/// A layer of a network. Its names and defaults are Keras's, so that Keras configurations can describe it.
pub trait Layer: Any + fmt::Debug + Send + Sync {
    /// Its name, unique in a model.
    fn name(&self) -> &str;

    /// Keras's class name: `Conv2D`.
    fn class_name(&self) -> &'static str;

    /// Keras's `config`, without `name`.
    fn config(&self) -> Map<String, Value>;

    /// Its parameters for an input of shape `input`, whose first axis is the batch.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the layer does not take such an input.
    fn parameters(&self, _input: &Shape) -> Result<Vec<Parameter>> {
        Ok(vec![])
    }

    /// Whether training it on a part of a batch differs from training on the whole: batch statistics do.
    fn needs_whole_batch(&self) -> bool {
        false
    }

    /// Whether it takes 16-bit floats in prediction.
    fn takes_halves(&self) -> bool {
        false
    }

    /// Appends its operators to the graph.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the layer does not take such an input.
    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var>;
}

/// What a layer needs while it is built.
#[derive(Debug)]
pub struct Build<'a> {
    /// The graph that operators are appended to.
    pub graph: &'a mut Graph,
    /// Training or predicting.
    pub mode: Mode,
    /// Seed of everything random.
    pub seed: u32,
    /// The state `[1]` that counts training steps; only in training.
    pub step: Option<Var>,
    /// Index of the first picture in the whole batch, where a batch is split.
    pub first_row: usize,
    /// In which floats layers that can keep what they make of pictures, and their weights. Only in prediction.
    pub precision: Precision,
    /// Whether this is the last layer and its softmax is left out, because the loss takes logits.
    pub logits: bool,
}

impl Build<'_> {
    /// The state that holds a parameter.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) if the graph has a state of that name and another shape.
    pub fn parameter(&mut self, layer: &str, variable: &str, shape: impl Into<Shape>) -> Result<Var> {
        self.graph.state(&format!("{layer}/{variable}"), TensorType::f32(shape))
    }
}

/// `x`, as 32-bit floats if it holds 16-bit ones.
pub(crate) fn widened(graph: &mut Graph, x: Var) -> Result<Var> {
    match graph.ty(x).dtype {
        DType::F16 => graph.cast(x, DType::F32),
        _ => Ok(x),
    }
}
