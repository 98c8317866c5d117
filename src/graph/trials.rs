//! Kernel variants, each tried on the device that is to run them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::arena::Source;
use super::lower::Program;
use super::schedule::schedule;
use super::{Choice, Graph, Params, Plan, Var};
use crate::device::Device;
use crate::tensor::{DType, Data, HostTensor, TensorType};
use crate::{Error, Result};

/// An operator of a graph that a device can compute in several ways.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The layer, empty outside of layers.
    pub layer: Arc<str>,
    /// The operator.
    pub operator: &'static str,
    /// Types of its inputs.
    pub inputs: Vec<TensorType>,
    /// What a plan takes, and between what.
    pub choice: Choice,
    /// Nothing but the operator.
    graph: Graph,
    y: Var,
}

impl Graph {
    /// The operators that a plan for `outputs` has several kernel variants for on `device`, in the order in which they run.
    /// There are none without a GPU.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn trials(&self, device: &Device, outputs: &[Var]) -> Result<Vec<Trial>> {
        let updated: HashSet<usize> =
            self.nodes.iter().flat_map(|node| node.updated().map(|var| self.root(var.node))).collect();
        let mut trials = Vec::new();
        for index in schedule(self, outputs)? {
            let Source::Operator(operator) = &self.nodes[index].source else { continue };
            if operator.is_view() || !operator.updates().is_empty() {
                continue;
            }
            let (graph, y) = self.alone(index, &updated);
            let (program, _) = Program::of(&graph, device, &[y])?;
            let [choice] = &program.choices[..] else { continue };
            trials.push(Trial {
                layer: self.nodes[index].label.clone(),
                operator: operator.name(),
                inputs: self.nodes[index].inputs.iter().map(|&input| self.ty(input).clone()).collect(),
                choice: choice.clone(),
                graph,
                y,
            });
        }
        Ok(trials)
    }

    /// A graph of one of this graph's operators, and its first output. States that are not updated stay states, so that a
    /// weight that a plan prepares once is prepared once here too.
    fn alone(&self, index: usize, updated: &HashSet<usize>) -> (Graph, Var) {
        let node = &self.nodes[index];
        let mut alone = Graph::new();
        let mut known: BTreeMap<Var, Var> = BTreeMap::new();
        for &input in &node.inputs {
            let root = self.root(input.node);
            let name = format!("{}", known.len());
            let is_state =
                matches!(self.nodes[root].source, Source::State { .. }) && !updated.contains(&root);
            let source = if is_state { Source::State { name, initial: None } } else { Source::Input(name) };
            known.entry(input).or_insert_with(|| alone.push(source, vec![], vec![self.ty(input).clone()]));
        }
        let inputs = node.inputs.iter().map(|input| known[input]).collect();
        let y = alone.push(node.source.clone(), inputs, node.outputs.clone());
        alone.nodes[y.node].differentiated = node.differentiated;
        (alone, y)
    }
}

impl Trial {
    /// A plan of the operator alone, computed by `variant`, one of the candidates, on made-up values.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn plan(&self, device: &Device, variant: &str) -> Result<Plan> {
        let params = Params::new(&device.preferring(variant));
        for node in &self.graph.nodes {
            if let Source::State { name, .. } = &node.source {
                let ty = &node.outputs[0];
                params.set(name, &HostTensor::new(ty.shape.clone(), made_up(ty)))?;
            }
        }
        let mut plan = Plan::new(&self.graph, &params, &[self.y])?;
        for node in &self.graph.nodes {
            if let Source::Input(name) = &node.source {
                plan.write(name, &made_up(&node.outputs[0]))?;
            }
        }
        Ok(plan)
    }

    /// The candidate that is the fastest on `device`, by the median of a few runs after one that does not count. One that
    /// cannot win is not run again, and one that the device does not run is left out.
    ///
    /// # Errors
    /// What keeps the last candidate from running, if none runs.
    pub fn fastest(&self, device: &Device) -> Result<&'static str> {
        let mut best: Option<(f64, &'static str)> = None;
        let mut problem = None;
        for &variant in &self.choice.candidates {
            let least = best.map_or(f64::INFINITY, |(seconds, _)| seconds);
            match self.plan(device, variant).and_then(|mut plan| median(&mut plan, least)) {
                Ok(seconds) if seconds < least => best = Some((seconds, variant)),
                Ok(_) => {}
                Err(error) => problem = Some(error),
            }
        }
        match best {
            Some((_, variant)) => Ok(variant),
            None => {
                Err(problem.unwrap_or_else(|| Error::Gpu("its clock does not move while it computes".into())))
            }
        }
    }
}

/// Median seconds of a few runs, or those of the first if they show that `least` stays out of reach.
fn median(plan: &mut Plan, least: f64) -> Result<f64> {
    const RUNS: usize = 3;
    /// How much slower than later ones a first run may be.
    const COLD: f64 = 2.0;
    let mut run = || Ok(plan.profile()?.iter().map(|time| time.seconds).sum::<f64>());
    let first = run()?;
    if first > COLD * least {
        return Ok(first);
    }
    let mut seconds = (0..RUNS).map(|_| run()).collect::<Result<Vec<f64>>>()?;
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[RUNS / 2])
}

/// Values without a pattern that a kernel could profit from: floats in [−1, 1).
fn made_up(ty: &TensorType) -> Data {
    let word = |i: usize| (i as u32).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    let words = (0..ty.len()).map(word);
    match ty.dtype {
        DType::F32 | DType::F16 => {
            Data::F32(words.map(|word| (word as i32) as f32 / 2f32.powi(31)).collect())
        }
        DType::U32 => Data::U32(words.collect()),
        DType::U8 => Data::U8(words.map(|word| (word >> 24) as u8).collect()),
    }
}

/// Measures what the device does not know yet, and has it remember the fastest.
pub(super) fn tune(graph: &Graph, device: &Device, outputs: &[Var]) -> Result<()> {
    let Some(gpu) = device.gpu() else {
        return Err(Error::Gpu("the CPU path has no kernel variants to tune".into()));
    };
    for trial in graph.trials(device, outputs)? {
        let problem = &trial.choice.problem;
        if gpu.tuned().get(problem).is_none() {
            gpu.tuned().remember(problem, trial.fastest(device)?);
        }
    }
    Ok(())
}
