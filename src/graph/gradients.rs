//! Autograd: a graph rewritten into a larger graph.

use std::collections::HashMap;
use std::iter::zip;

use super::arena::Source;
use super::{Graph, Var};
use crate::{Error, Result};

impl Graph {
    /// Appends the nodes that compute ∂loss/∂param for each of `params`, and returns them in that order.
    /// `loss` is a scalar.
    ///
    /// # Errors
    /// [`Error::NoGradient`] for a parameter that the loss does not depend on, [`Error::NotDifferentiable`] if
    /// an operator between the two has no gradient.
    pub fn gradients(&mut self, loss: Var, params: &[Var]) -> Result<Vec<Var>> {
        if self.ty(loss).len() != 1 {
            return Err(Error::shape("gradients", format!("the loss is no scalar: {}", self.ty(loss))));
        }
        let one = self.fill(self.shape(loss).clone(), 1.0)?;
        self.gradients_of(&[(loss, one)], params)
    }

    /// As [`Graph::gradients`], of Σ y·dy over the pairs (y, dy): the vector-Jacobian product.
    ///
    /// # Errors
    /// As [`Graph::gradients`].
    pub fn gradients_of(&mut self, seeds: &[(Var, Var)], params: &[Var]) -> Result<Vec<Var>> {
        let last = seeds.iter().map(|(y, _)| y.node).max().unwrap_or(0);
        let on_path = self.between(params, seeds);
        let mut absorbable = on_path.clone();
        // What is asked for stays a node.
        params.iter().for_each(|param| absorbable[param.node] = false);
        self.fuse_for_gradients(&on_path, &absorbable)?;
        let mut grads = HashMap::new();
        for &(y, dy) in seeds {
            self.add_gradient(&mut grads, y, dy)?;
        }
        for index in (0..=last).rev().filter(|&index| on_path[index]) {
            let Source::Operator(operator) = self.nodes[index].source.clone() else { continue };
            let node = self.node(index);
            let dy: Vec<Option<Var>> = node.outputs.iter().map(|y| grads.get(y).copied()).collect();
            if dy.iter().all(Option::is_none) {
                continue;
            }
            self.nodes[index].differentiated = true;
            let label = self.nodes[index].label.clone();
            self.labelled(&label, |graph| {
                for (&input, gradient) in zip(&node.inputs, operator.gradient(graph, &node, &dy)?) {
                    if let Some(gradient) = gradient.filter(|_| on_path[input.node]) {
                        graph.add_gradient(&mut grads, input, gradient)?;
                    }
                }
                Ok(())
            })?;
        }
        params
            .iter()
            .map(|&p| grads.get(&p).copied().ok_or_else(|| Error::NoGradient(self.describe(p))))
            .collect()
    }

    /// For each node, whether it lies on a path from one of `params` to a seed: the frozen base does not, and
    /// costs nothing.
    fn between(&self, params: &[Var], seeds: &[(Var, Var)]) -> Vec<bool> {
        let mut after = vec![false; self.nodes.len()];
        for param in params {
            after[param.node] = true;
        }
        for (index, node) in self.nodes.iter().enumerate() {
            after[index] |= node.inputs.iter().any(|input| after[input.node]);
        }
        let mut before = vec![false; self.nodes.len()];
        seeds.iter().for_each(|(y, _)| before[y.node] = true);
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if before[index] {
                node.inputs.iter().for_each(|input| before[input.node] = true);
            }
        }
        zip(after, before).map(|(after, before)| after && before).collect()
    }

    /// The first gradient of a tensor arrives as it is, others are added to it.
    fn add_gradient(&mut self, grads: &mut HashMap<Var, Var>, of: Var, gradient: Var) -> Result<()> {
        let sum = match grads.get(&of) {
            None => gradient,
            Some(&known) => self.add(known, gradient)?,
        };
        grads.insert(of, sum);
        Ok(())
    }

    fn describe(&self, var: Var) -> String {
        match &self.nodes[var.node].source {
            Source::Input(name) | Source::State { name, .. } => name.clone(),
            Source::Operator(operator) => format!("output {} of {}", var.output, operator.name()),
        }
    }
}
