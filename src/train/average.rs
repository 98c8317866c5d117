//! An exponential moving average of the weights, which validates and is kept in their place.

use crate::Result;
use crate::graph::{Graph, Params, Plan};
use crate::nn::Parameter;
use crate::tensor::TensorType;

/// The averages of trained parameters, as `use_ema` of Keras's optimizers keeps them: after each step
/// average ← momentum · average + (1 − momentum) · weight, from the weights at the start.
#[derive(Debug)]
pub(super) struct WeightAverage {
    plan: Plan,
    params: Params,
    names: Vec<String>,
}

impl WeightAverage {
    /// Averages of these parameters, which have their values.
    pub fn new(params: &Params, trained: &[Parameter], momentum: f32) -> Result<WeightAverage> {
        let mut graph = Graph::new();
        for parameter in trained {
            let ty = TensorType::f32(&parameter.shape);
            let weight = graph.state(&parameter.name, ty.clone())?;
            let average = graph.state(&state(&parameter.name), ty)?;
            graph.moving_average(average, weight, momentum)?;
            params.set(&state(&parameter.name), &params.get(&parameter.name)?)?;
        }
        let names = trained.iter().map(|parameter| parameter.name.clone()).collect();
        Ok(WeightAverage { plan: Plan::new(&graph, params, &[])?, params: params.clone(), names })
    }

    /// Takes the weights after a step in.
    pub fn update(&mut self) -> Result<()> {
        self.plan.run()
    }

    /// Puts the averages in the weights' place and the weights in theirs; a second time, everything back.
    pub fn swap(&self) -> Result<()> {
        for name in &self.names {
            let (weight, average) = (self.params.get(name)?, self.params.get(&state(name))?);
            self.params.set(name, &average)?;
            self.params.set(&state(name), &weight)?;
        }
        Ok(())
    }
}

fn state(name: &str) -> String {
    format!("average/{name}")
}
