//! The arena of nodes, and the handles into it.

use std::sync::Arc;

use super::{Node, Operator};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

/// One output of one node of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Var {
    pub(super) node: usize,
    pub(super) output: usize,
}

/// A small arena of nodes in topological order. Methods that append operators, from `conv2d` to `adam`, come
/// from the operators themselves; each checks its shapes at once.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(super) nodes: Vec<NodeData>,
    /// What nodes appended now are labelled with.
    label: Arc<str>,
}

#[derive(Clone, Debug)]
pub(super) struct NodeData {
    /// The layer it belongs to, for profiles.
    pub label: Arc<str>,
    pub source: Source,
    pub inputs: Vec<Var>,
    pub outputs: Vec<TensorType>,
    /// Whether gradients go through it.
    pub differentiated: bool,
}

/// Where a node's outputs come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The host writes it before a run.
    Input(String),
    /// A persistent buffer; `initial` fills it where the store has no value yet.
    State { name: String, initial: Option<f32> },
    /// An operator computes it.
    Operator(Arc<dyn Operator>),
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// A tensor that the host writes before a run, under this name.
    pub fn input(&mut self, name: &str, ty: TensorType) -> Var {
        self.push(Source::Input(name.into()), vec![], vec![ty])
    }

    /// A persistent tensor of the [`Params`](super::Params) that the plan is built on, which must hold it.
    ///
    /// # Errors
    /// [`Error::State`] if this graph has a state of that name and another type.
    pub fn state(&mut self, name: &str, ty: TensorType) -> Result<Var> {
        self.add_state(name, ty, None)
    }

    /// As [`Graph::state`], filled with `value` where the store does not hold it yet: optimizer moments,
    /// counters, running averages.
    ///
    /// # Errors
    /// As [`Graph::state`].
    pub fn state_filled(&mut self, name: &str, ty: TensorType, value: f32) -> Result<Var> {
        self.add_state(name, ty, Some(value))
    }

    /// Appends what `build` appends, labelled with the name of its layer, by which profiles know it. Gradients bear the
    /// label of what they are the gradient of.
    pub fn labelled<T>(&mut self, label: &str, build: impl FnOnce(&mut Graph) -> T) -> T {
        let outer = std::mem::replace(&mut self.label, label.into());
        let built = build(self);
        self.label = outer;
        built
    }

    /// The type of a tensor of this graph.
    pub fn ty(&self, var: Var) -> &TensorType {
        &self.nodes[var.node].outputs[var.output]
    }

    /// Whether one of its tensors has this element type.
    pub fn holds(&self, dtype: DType) -> bool {
        self.nodes.iter().any(|node| node.outputs.iter().any(|output| output.dtype == dtype))
    }

    /// The sizes of a tensor's axes.
    pub fn shape(&self, var: Var) -> &crate::tensor::Shape {
        &self.ty(var).shape
    }

    /// Appends an operator with one output.
    pub(crate) fn apply(&mut self, operator: impl Operator + 'static, inputs: &[Var]) -> Result<Var> {
        let [output] = self.apply_many(operator, inputs)?[..] else {
            panic!("apply is for operators with one output");
        };
        Ok(output)
    }

    /// Appends an operator; gives its outputs.
    pub(crate) fn apply_many(
        &mut self,
        operator: impl Operator + 'static,
        inputs: &[Var],
    ) -> Result<Vec<Var>> {
        let types: Vec<TensorType> = inputs.iter().map(|&input| self.ty(input).clone()).collect();
        let outputs = operator.outputs(&types)?;
        if let Some(empty) = outputs.iter().find(|output| output.is_empty()) {
            return Err(Error::shape(operator.name(), format!("its output {empty} would be empty")));
        }
        for &position in operator.updates() {
            let input = inputs[position];
            if !matches!(self.nodes[input.node].source, Source::State { .. }) {
                return Err(Error::shape(
                    operator.name(),
                    format!("input {position} is updated in place, so it must be a state"),
                ));
            }
        }
        let count = outputs.len();
        let node = self.push(Source::Operator(Arc::new(operator)), inputs.to_vec(), outputs).node;
        Ok((0..count).map(|output| Var { node, output }).collect())
    }

    pub(super) fn node(&self, index: usize) -> Node {
        let data = &self.nodes[index];
        let outputs = (0..data.outputs.len()).map(|output| Var { node: index, output }).collect();
        Node { inputs: data.inputs.clone(), outputs }
    }

    fn add_state(&mut self, name: &str, ty: TensorType, initial: Option<f32>) -> Result<Var> {
        let known = self
            .nodes
            .iter()
            .position(|node| matches!(&node.source, Source::State { name: n, .. } if n == name));
        match known {
            None => Ok(self.push(Source::State { name: name.into(), initial }, vec![], vec![ty])),
            Some(node) if self.nodes[node].outputs[0] == ty => Ok(Var { node, output: 0 }),
            Some(node) => Err(Error::State {
                name: name.into(),
                problem: format!(
                    "is {} in this graph already, asked for as {ty}",
                    self.nodes[node].outputs[0]
                ),
            }),
        }
    }

    pub(super) fn push(&mut self, source: Source, inputs: Vec<Var>, outputs: Vec<TensorType>) -> Var {
        let label = self.label.clone();
        self.nodes.push(NodeData { label, source, inputs, outputs, differentiated: false });
        Var { node: self.nodes.len() - 1, output: 0 }
    }
}
