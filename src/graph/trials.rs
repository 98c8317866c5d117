//! Kernel variants, measured on the device that is to run them.

use std::collections::{BTreeMap, HashSet};

use super::arena::Source;
use super::lower::Program;
use super::schedule::schedule;
use super::{Choice, Graph, Params, Plan, Var};
use crate::device::Device;
use crate::tensor::{DType, Data, HostTensor, TensorType};
use crate::{Error, Result};

/// What each variant took for one operator of a graph.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The choice that the operator's plan would make, and between what.
    pub choice: Choice,
    /// The operator.
    pub operator: &'static str,
    /// Types of its inputs.
    pub inputs: Vec<TensorType>,
    /// Floating-point operations of a run.
    pub flops: u64,
    /// Seconds of each measured run of each candidate, in the order of the candidates.
    pub seconds: Vec<(&'static str, Vec<f64>)>,
}

impl Trial {
    /// The candidate with the least median time.
    pub fn fastest(&self) -> &'static str {
        let median = |seconds: &[f64]| {
            let mut sorted = seconds.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted[sorted.len() / 2]
        };
        let times = self.seconds.iter().map(|(name, seconds)| (median(seconds), *name));
        times.min_by(|a, b| a.0.total_cmp(&b.0)).expect("a choice has candidates").1
    }
}

impl Graph {
    /// Measures every candidate for each problem that a plan for `outputs` on `device` meets, `runs` times after one that
    /// does not count, on made-up values. Problems for which `skip` holds are left out. A weight that the plan does not
    /// update is prepared once, as there.
    ///
    /// # Errors
    /// As [`Plan::new`] and [`Plan::profile`].
    pub fn trials(
        &self,
        device: &Device,
        outputs: &[Var],
        runs: usize,
        skip: impl Fn(&Choice) -> bool,
    ) -> Result<Vec<Trial>> {
        let updated: HashSet<usize> =
            self.nodes.iter().flat_map(|node| node.updated().map(|var| self.root(var.node))).collect();
        let mut trials: BTreeMap<String, Trial> = BTreeMap::new();
        for index in schedule(self, outputs)? {
            let Source::Operator(operator) = &self.nodes[index].source else { continue };
            if operator.is_view() || !operator.updates().is_empty() {
                continue;
            }
            let (alone, y) = self.alone(index, &updated);
            let (program, _) = Program::of(&alone, device, &[y])?;
            let [choice] = &program.choices[..] else { continue };
            if trials.contains_key(&choice.problem) || skip(choice) {
                continue;
            }
            let time = |name: &&'static str| Ok((*name, alone.time(&device.preferring(name), y, runs)?));
            let seconds = choice.candidates.iter().map(time).collect::<Result<_>>()?;
            let inputs = self.nodes[index].inputs.iter().map(|&input| self.ty(input).clone()).collect();
            let trial = Trial {
                choice: choice.clone(),
                operator: operator.name(),
                inputs,
                flops: alone.flops(),
                seconds,
            };
            trials.insert(choice.problem.clone(), trial);
        }
        Ok(trials.into_values().collect())
    }

    /// A graph of one of this graph's operators, and its first output. States that are not updated stay states.
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
        (alone, y)
    }

    /// Seconds of each of `runs` runs on a device, after one that does not count.
    fn time(&self, device: &Device, y: Var, runs: usize) -> Result<Vec<f64>> {
        let params = Params::new(device);
        for node in &self.nodes {
            if let Source::State { name, .. } = &node.source {
                let ty = &node.outputs[0];
                params.set(name, &HostTensor::new(ty.shape.clone(), made_up(ty)))?;
            }
        }
        let mut plan = Plan::new(self, &params, &[y])?;
        for node in &self.nodes {
            if let Source::Input(name) = &node.source {
                plan.write(name, &made_up(&node.outputs[0]))?;
            }
        }
        plan.run()?;
        (0..runs).map(|_| Ok(plan.profile()?.iter().map(|time| time.seconds).sum())).collect()
    }
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
    /// Measured runs of each candidate.
    const RUNS: usize = 3;
    let Some(gpu) = device.gpu() else {
        return Err(Error::Gpu("the CPU path has no kernel variants to tune".into()));
    };
    let trials = graph.trials(device, outputs, RUNS, |choice| gpu.tuned().get(&choice.problem).is_some())?;
    for trial in &trials {
        gpu.tuned().remember(&trial.choice.problem, trial.fastest());
    }
    if !trials.is_empty() {
        gpu.tuned().save();
    }
    Ok(())
}
