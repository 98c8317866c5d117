//! Optimizers: which update each parameter gets, and the states it needs.

use crate::Result;
use crate::graph::{Graph, Var};
use crate::ops::{Adam, Sgd, moments_of};

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Gradient descent with momentum.
    Sgd(Sgd),
    /// Adam or AdamW.
    Adam(Adam),
}

impl Default for Optimizer {
    fn default() -> Optimizer {
        Optimizer::Adam(Adam::default())
    }
}

impl Optimizer {
    /// Appends the update of each parameter state that is named with its gradient. `rate` and `step` are states of one
    /// element.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if a gradient's shape is not the parameter's.
    pub fn build(&self, graph: &mut Graph, gradients: &[(&str, Var)], rate: Var, step: Var) -> Result<()> {
        graph.labelled("optimizer", |graph| match self {
            Optimizer::Sgd(sgd) => {
                gradients.iter().try_for_each(|(name, gradient)| descend(graph, sgd, name, *gradient, rate))
            }
            Optimizer::Adam(adam) => {
                let tensors = |(name, gradient): &(&str, Var)| {
                    let ty = graph.ty(*gradient).clone();
                    let moments = format!("optimizer/{name}/moments");
                    let moments = graph.state_filled(&moments, moments_of(&ty), 0.0)?;
                    Ok([graph.state(name, ty)?, *gradient, moments])
                };
                let tensors = gradients.iter().map(tensors).collect::<Result<Vec<_>>>()?;
                graph.adam(&tensors, step, rate, *adam)
            }
        })
    }
}

/// One step of gradient descent of the parameter `name`.
fn descend(graph: &mut Graph, sgd: &Sgd, name: &str, gradient: Var, rate: Var) -> Result<()> {
    let ty = graph.ty(gradient).clone();
    let velocity = match sgd.momentum > 0.0 {
        true => Some(graph.state_filled(&format!("optimizer/{name}/velocity"), ty.clone(), 0.0)?),
        false => None,
    };
    let param = graph.state(name, ty)?;
    graph.sgd(param, gradient, velocity, rate, *sgd)
}
