//! The loss of a classifier and what is measured beside it.

use crate::Result;
use crate::graph::{Graph, Var};

/// Categorical cross-entropy on logits. Default: no smoothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// Share of each target that is spread over all classes.
    pub label_smoothing: f32,
}

/// Scalars of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Metrics {
    /// Mean loss over the rows.
    pub loss: Var,
    /// Number of rows whose most probable class is the target's.
    pub correct: Var,
}

impl CrossEntropy {
    /// Appends loss and metrics; `logits` and `targets` are `[batch, classes]`, the targets one-hot.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if their shapes differ.
    pub fn build(&self, graph: &mut Graph, logits: Var, targets: Var) -> Result<Metrics> {
        self.build_weighted(graph, logits, targets, None)
    }

    /// The same, where a row of class c counts `weights[c]` times in the loss: Keras's `class_weight`. `weights` are f32
    /// `[classes]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if shapes do not fit together.
    pub fn build_weighted(
        &self,
        graph: &mut Graph,
        logits: Var,
        targets: Var,
        weights: Option<Var>,
    ) -> Result<Metrics> {
        graph.labelled("loss", |graph| {
            let loss = graph.softmax_cross_entropy(logits, targets, weights, self.label_smoothing)?;
            let correct = graph.correct(logits, targets)?;
            Ok(Metrics { loss, correct })
        })
    }
}
