//! The order in which a plan runs its nodes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::arena::{NodeData, Source};
use super::{Graph, Operator, Var};
use crate::{Error, Result};

impl NodeData {
    pub(super) fn operator(&self) -> Option<&dyn Operator> {
        match &self.source {
            Source::Operator(operator) => Some(operator.as_ref()),
            Source::Input(_) | Source::State { .. } => None,
        }
    }

    /// What it updates in place.
    pub(super) fn updated(&self) -> impl Iterator<Item = Var> {
        let positions = self.operator().map_or(&[][..], Operator::updates);
        positions.iter().map(|&position| self.inputs[position])
    }

    fn is_update(&self) -> bool {
        self.operator().is_some_and(|operator| !operator.updates().is_empty())
    }
}

/// Nodes that `outputs` and the graph's updates need, in the order to run them: as they were appended, but a
/// state is updated as soon as every reader of its old value has run, which frees gradients early.
pub(super) fn schedule(graph: &Graph, outputs: &[Var]) -> Result<Vec<usize>> {
    let needed = needed(graph, outputs);
    let before = predecessors(graph, &needed);
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut after = vec![Vec::new(); graph.nodes.len()];
    for (node, before) in before.iter().enumerate() {
        before.iter().for_each(|&earlier| after[earlier].push(node));
    }
    let priority = |node: usize| Reverse((!graph.nodes[node].is_update(), node));
    let mut ready: BinaryHeap<_> =
        (0..graph.nodes.len()).filter(|&node| needed[node] && waiting[node] == 0).map(priority).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, node))) = ready.pop() {
        order.push(node);
        for &later in &after[node] {
            waiting[later] -= 1;
            if waiting[later] == 0 {
                ready.push(priority(later));
            }
        }
    }
    if order.len() < needed.iter().filter(|&&needed| needed).count() {
        let problem = "two updates each read what the other changes; split them over two plans";
        return Err(Error::State { name: "plan".into(), problem: problem.into() });
    }
    Ok(order)
}

fn needed(graph: &Graph, outputs: &[Var]) -> Vec<bool> {
    let mut needed: Vec<bool> = graph.nodes.iter().map(NodeData::is_update).collect();
    outputs.iter().for_each(|output| needed[output.node] = true);
    for index in (0..graph.nodes.len()).rev() {
        if needed[index] {
            graph.nodes[index].inputs.iter().for_each(|input| needed[input.node] = true);
        }
    }
    needed
}

/// For each node, those that must run before it: the nodes of its inputs and, for an update, every other
/// reader of what it updates.
fn predecessors(graph: &Graph, needed: &[bool]) -> Vec<Vec<usize>> {
    let mut readers = vec![Vec::new(); graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| needed[*index]) {
        for input in &node.inputs {
            readers[graph.root(input.node)].push(index);
        }
    }
    let mut before = vec![Vec::new(); graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| needed[*index]) {
        before[index].extend(node.inputs.iter().map(|input| input.node));
        if let Some(operator) = node.operator() {
            for &position in operator.updates() {
                let state = graph.root(node.inputs[position].node);
                before[index].extend(readers[state].iter().copied().filter(|&reader| reader != index));
            }
        }
        before[index].sort_unstable();
        before[index].dedup();
    }
    before
}

impl Graph {
    /// The node whose memory a node's first output is: itself, unless it is a view.
    pub(super) fn root(&self, mut node: usize) -> usize {
        while self.nodes[node].operator().is_some_and(|operator| operator.is_view()) {
            node = self.nodes[node].inputs[0].node;
        }
        node
    }
}
