//! What an operator is to the graph.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::{Graph, Io, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Device, Error, Result};

/// The gradient with respect to each input of a node; `None` for inputs that have none.
pub(crate) type Gradients = Vec<Option<Var>>;

/// A tensor operation: its shape rule, its launch, its gradient.
pub(crate) trait Operator: Any + fmt::Debug + Send + Sync {
    /// Name in errors and profiles.
    fn name(&self) -> &'static str;

    /// Types of the outputs. Every check of shapes and attributes is made here, while the graph is built.
    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>>;

    /// Adds the operator's dispatches to a plan.
    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()>;

    /// Appends the nodes that compute the gradient of each input. `dy` holds the gradient of each output,
    /// `None` where the loss does not depend on it.
    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Err(Error::NotDifferentiable(self.name()))
    }

    /// Positions of the inputs that are updated in place. They must be states.
    fn updates(&self) -> &[usize] {
        &[]
    }

    /// Whether the only output is the first input's memory, in another shape. Then nothing is dispatched.
    fn is_view(&self) -> bool {
        false
    }

    /// An operator that does this one's work and then that of `reader`, a reader of its only output; `None` where that
    /// gains nothing on `device`. Its inputs are this one's, then what else the reader reads. All readers take it, or none.
    fn fuse(&self, _reader: &Reader<'_>, _device: &Device) -> Option<Arc<dyn Operator>> {
        None
    }

    /// As [`Operator::fuse`] for the only reader of its only output, before a graph gets gradients, with a gradient that is
    /// better than those of the two. Its first output is the reader's.
    fn fuse_for_gradients(&self, _reader: &Reader<'_>, _inputs: &[TensorType]) -> Option<Arc<dyn Operator>> {
        None
    }

    /// Floating-point operations of one run.
    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        outputs.iter().map(|output| output.len() as u64).sum()
    }
}

/// An operator that reads another one's output.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub operator: &'a dyn Operator,
    pub inputs: Vec<Place>,
}

/// What an input of a [`Reader`] is to the operator whose output it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// That output.
    Output,
    /// Its input at this position.
    Shared(usize),
    /// Neither.
    Other,
}

/// A node's inputs and outputs, for gradients.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub inputs: Vec<Var>,
    pub outputs: Vec<Var>,
}

impl Node {
    /// The `i`-th input.
    pub fn input(&self, i: usize) -> Var {
        self.inputs[i]
    }

    /// The `i`-th output.
    pub fn output(&self, i: usize) -> Var {
        self.outputs[i]
    }
}
