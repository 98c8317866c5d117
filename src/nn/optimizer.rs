//! Optimizers: which update each parameter gets, and the states it needs.

use crate::Result;
use crate::graph::{Graph, Var};
use crate::ops::{Adam, Sgd};

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
    /// Appends the update of the parameter state `name`. `rate` and `step` are states of one element.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the gradient's shape is not the parameter's.
    pub fn build(&self, graph: &mut Graph, name: &str, gradient: Var, rate: Var, step: Var) -> Result<()> {
        graph.labelled("optimizer", |graph| self.append(graph, name, gradient, rate, step))
    }

    fn append(&self, graph: &mut Graph, name: &str, gradient: Var, rate: Var, step: Var) -> Result<()> {
        let ty = graph.ty(gradient).clone();
        let param = graph.state(name, ty.clone())?;
        let moment = |graph: &mut Graph, which: &str| {
            graph.state_filled(&format!("optimizer/{name}/{which}"), ty.clone(), 0.0)
        };
        match self {
            Optimizer::Sgd(sgd) => {
                let velocity = if sgd.momentum > 0.0 { Some(moment(graph, "velocity")?) } else { None };
                graph.sgd(param, gradient, velocity, rate, *sgd)
            }
            Optimizer::Adam(adam) => {
                let (m, v) = (moment(graph, "m")?, moment(graph, "v")?);
                graph.adam(param, gradient, m, v, step, rate, *adam)
            }
        }
    }
}
