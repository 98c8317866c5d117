//! Operators that do the work of several nodes, so that what lies between these never meets memory.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::arena::Source;
use super::{Graph, Operator, Place, Reader, Var};
use crate::Result;
use crate::device::Device;
use crate::tensor::TensorType;

/// Operators that do the work of a node, and before it that of a node whose output only they read.
#[derive(Default)]
pub(super) struct Fused {
    /// By the later node.
    pub later: HashMap<usize, Both>,
    /// The earlier nodes.
    pub absorbed: HashSet<usize>,
}

/// What stands in the place of two nodes.
pub(super) struct Both {
    pub operator: Arc<dyn Operator>,
    pub inputs: Vec<Var>,
    /// Both layers, where they differ.
    pub label: Arc<str>,
}

impl Fused {
    /// Of the nodes that a plan runs in this order.
    pub fn of(graph: &Graph, order: &[usize], outputs: &[Var], device: &Device) -> Fused {
        let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
        for &index in order {
            graph.nodes[index]
                .inputs
                .iter()
                .for_each(|input| readers.entry(input.node).or_default().push(index));
        }
        let kept: HashSet<usize> = outputs.iter().map(|output| output.node).collect();
        let mut fused = Fused::default();
        for &index in order {
            let (node, readers) = (&graph.nodes[index], readers.get(&index).map_or(&[][..], Vec::as_slice));
            let Some(operator) = node.operator().filter(|operator| !operator.is_view()) else { continue };
            let apart = kept.contains(&index) || readers.is_empty() || fused.later.contains_key(&index);
            if apart || readers.iter().any(|reader| fused.later.contains_key(reader)) {
                continue;
            }
            let fuse = |&reader: &usize| {
                let operator = operator.fuse(&graph.reader(index, reader)?, device)?;
                Some((reader, graph.both(index, reader, operator)))
            };
            if let Some(all) = readers.iter().map(fuse).collect::<Option<Vec<_>>>() {
                fused.later.extend(all);
                fused.absorbed.insert(index);
            }
        }
        fused
    }
}

impl Graph {
    /// Puts an operator in the place of each node on the path of a gradient whose gradient together with that of the node
    /// before it is better than the two. What a node gives stays what it was; the node before it, an `absorbable` one, is no
    /// longer needed.
    pub(super) fn fuse_for_gradients(&mut self, on_path: &[bool], absorbable: &[bool]) -> Result<()> {
        let mut readers: Vec<Vec<usize>> = vec![vec![]; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| readers[input.node].push(index));
        }
        for index in (0..self.nodes.len()).filter(|&index| absorbable[index]) {
            let [reader] = readers[index][..] else { continue };
            let types: Vec<TensorType> =
                self.nodes[index].inputs.iter().map(|&input| self.ty(input).clone()).collect();
            let fused = self.nodes[index].operator().zip(self.reader(index, reader));
            let fused = fused.and_then(|(operator, reader)| operator.fuse_for_gradients(&reader, &types));
            if let Some(operator) = fused.filter(|_| on_path[reader]) {
                let outputs = operator.outputs(&types)?;
                let Both { operator, inputs, label } = self.both(index, reader, operator);
                let node = &mut self.nodes[reader];
                (node.source, node.inputs, node.outputs) = (Source::Operator(operator), inputs, outputs);
                node.label = label;
            }
        }
        Ok(())
    }

    /// A node that reads another one's output, as that one sees it; `None` if it is no operator.
    fn reader(&self, index: usize, reader: usize) -> Option<Reader<'_>> {
        let (first, reader) = (&self.nodes[index], &self.nodes[reader]);
        let place = |input: &Var| match first.inputs.iter().position(|known| known == input) {
            Some(at) => Place::Shared(at),
            None if input.node == index => Place::Output,
            None => Place::Other,
        };
        Some(Reader { operator: reader.operator()?, inputs: reader.inputs.iter().map(place).collect() })
    }

    /// An operator for a node and a reader of its output: on the inputs of the node, and what else the reader reads.
    fn both(&self, index: usize, reader: usize, operator: Arc<dyn Operator>) -> Both {
        let (first, reader) = (&self.nodes[index], &self.nodes[reader]);
        let others = reader.inputs.iter();
        let others = others.filter(|input| input.node != index && !first.inputs.contains(input));
        let inputs = first.inputs.iter().chain(others).copied().collect();
        let label = match first.label == reader.label || first.label.is_empty() {
            true => reader.label.clone(),
            false => format!("{} + {}", first.label, reader.label).into(),
        };
        Both { operator, inputs, label }
    }
}
