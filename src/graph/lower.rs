//! A graph as the dispatches of a program: which operators are needed, which run as one, which buffers they share.

use std::collections::HashMap;
use std::sync::Arc;

use super::arena::Source;
use super::constants::constant;
use super::fused::{Both, Fused};
use super::memory::{self, Lifetime};
use super::program::{Choice, Dispatch, Io, Origin, PlanBuilder, Tensor};
use super::schedule::schedule;
use super::{Graph, Operator, Var};
use crate::Result;
use crate::device::Device;
use crate::profile::Work;
use crate::tensor::{DType, TensorType};

/// What a plan needs to be built on a device.
#[derive(Debug)]
pub(super) struct Program {
    pub tensors: Vec<(TensorType, Origin)>,
    pub dispatches: Vec<Dispatch>,
    /// How many of them, at the front, need to run only after a state has changed.
    pub constants: usize,
    /// For each intermediate tensor, its buffer.
    pub assigned: HashMap<usize, usize>,
    /// Sizes of the buffers of intermediate tensors.
    pub buffers: Vec<(u64, DType)>,
    pub choices: Vec<Choice>,
}

/// A node as it is dispatched: with an operator that may do the work of the node before it too, on that one's inputs.
struct Step<'a> {
    index: usize,
    operator: &'a Arc<dyn Operator>,
    inputs: &'a [Var],
    label: &'a Arc<str>,
}

/// Gives a node's outputs their tensors and adds its dispatches.
fn lower(
    graph: &Graph,
    step: &Step<'_>,
    tensors: &mut HashMap<Var, Tensor>,
    builder: &mut PlanBuilder<'_>,
) -> Result<()> {
    let Step { index, operator, inputs, label } = *step;
    let data = &graph.nodes[index];
    let node = graph.node(index);
    let inputs: Vec<Tensor> = inputs.iter().map(|input| tensors[input].clone()).collect();
    if operator.is_view() {
        let view = Tensor { id: inputs[0].id, ty: data.outputs[0].clone() };
        tensors.insert(node.output(0), view);
        return Ok(());
    }
    let outputs: Vec<Tensor> =
        data.outputs.iter().map(|ty| builder.tensor(ty.clone(), Origin::Intermediate)).collect();
    tensors.extend(node.outputs.iter().copied().zip(outputs.iter().cloned()));
    let types: Vec<TensorType> = inputs.iter().map(|input| input.ty.clone()).collect();
    let before = builder.dispatches.len();
    builder.differentiated = data.differentiated;
    builder.operator = Work {
        layer: label.clone(),
        operator: operator.name(),
        inputs: types.iter().map(TensorType::to_string).collect::<Vec<_>>().join(", ").into(),
        node: index,
        ..Work::default()
    };
    operator.dispatch(&Io { inputs, outputs }, builder)?;
    let added = &mut builder.dispatches[before..];
    let share = operator.flops(&types, &data.outputs) / added.len().max(1) as u64;
    added.iter_mut().for_each(|dispatch| dispatch.work.flops = share);
    Ok(())
}

/// Gives the operations of an operator to those of its dispatches that every run does.
fn attributed(mut dispatches: Vec<Dispatch>, constants: usize) -> Vec<Dispatch> {
    let (once, always) = dispatches.split_at_mut(constants);
    for dispatch in once {
        let node = dispatch.work.node;
        let count = always.iter().filter(|other| other.work.node == node).count() as u64;
        if let Some(share) = dispatch.work.flops.checked_div(count) {
            always
                .iter_mut()
                .filter(|other| other.work.node == node)
                .for_each(|other| other.work.flops += share);
            dispatch.work.flops = 0;
        }
    }
    dispatches
}

impl Program {
    /// The dispatches that `outputs` and the graph's updates need on `device`, and the outputs' tensors.
    pub(super) fn of(
        graph: &Graph,
        device: &Device,
        outputs: &[Var],
    ) -> Result<(Program, HashMap<Var, Tensor>)> {
        let mut builder = PlanBuilder::new(device);
        let mut tensors: HashMap<Var, Tensor> = HashMap::new();
        let order = schedule(graph, outputs)?;
        let fused = Fused::of(graph, &order, outputs, device);
        for index in order.into_iter().filter(|index| !fused.absorbed.contains(index)) {
            let data = &graph.nodes[index];
            let mut leaf = |origin| {
                let tensor = builder.tensor(data.outputs[0].clone(), origin);
                tensors.insert(Var { node: index, output: 0 }, tensor);
            };
            match &data.source {
                Source::Input(name) => leaf(Origin::Input(name.clone())),
                Source::State { name, initial } => {
                    leaf(Origin::State { name: name.clone(), initial: *initial })
                }
                Source::Operator(operator) => {
                    let step = match fused.later.get(&index) {
                        Some(Both { operator, inputs, label }) => Step { index, operator, inputs, label },
                        None => Step { index, operator, inputs: &data.inputs, label: &data.label },
                    };
                    lower(graph, &step, &mut tensors, &mut builder)?;
                }
            }
        }
        let outputs: HashMap<Var, Tensor> = outputs.iter().map(|var| (*var, tensors[var].clone())).collect();
        let kept: Vec<usize> = outputs.values().map(|tensor| tensor.id).collect();
        Ok((Program::new(builder, &kept), outputs))
    }

    /// Plans the memory of the intermediate tensors; those in `kept` live to the end.
    fn new(builder: PlanBuilder<'_>, kept: &[usize]) -> Program {
        let PlanBuilder { tensors, dispatches, choices, .. } = builder;
        let constant = constant(&tensors, &dispatches);
        let constants = constant.iter().filter(|&&constant| constant).count();
        let mut marked: Vec<(bool, Dispatch)> = constant.into_iter().zip(dispatches).collect();
        marked.sort_by_key(|(constant, _)| !constant);
        let dispatches: Vec<Dispatch> = marked.into_iter().map(|(_, dispatch)| dispatch).collect();
        let dispatches = attributed(dispatches, constants);
        let mut lifetimes: HashMap<usize, Lifetime> = HashMap::new();
        for (step, dispatch) in dispatches.iter().enumerate() {
            for &(id, _) in dispatch.reads.iter().chain(&dispatch.writes) {
                let (ty, origin) = &tensors[id];
                if *origin == Origin::Intermediate {
                    let born = Lifetime { bytes: ty.bytes(), dtype: ty.dtype, first: step, last: step };
                    lifetimes.entry(id).or_insert(born).last = step;
                }
            }
        }
        // What is computed once lives from the first run on.
        for (id, _) in dispatches[..constants].iter().flat_map(|dispatch| &dispatch.writes) {
            if let Some(lifetime) = lifetimes.get_mut(id) {
                (lifetime.first, lifetime.last) = (0, usize::MAX);
            }
        }
        for id in kept {
            if let Some(lifetime) = lifetimes.get_mut(id) {
                lifetime.last = usize::MAX;
            }
        }
        let mut ids: Vec<usize> = lifetimes.keys().copied().collect();
        ids.sort_unstable();
        let in_order: Vec<Lifetime> = ids.iter().map(|id| lifetimes[id]).collect();
        let (assigned, buffers) = memory::assign(&in_order);
        let assigned = ids.into_iter().zip(assigned).collect();
        Program { tensors, dispatches, constants, assigned, buffers, choices }
    }

    /// Which of a dispatch's writes are to tensors of 16-bit floats.
    pub(super) fn halves(&self, dispatch: &Dispatch) -> Vec<usize> {
        let is_half = |&at: &usize| self.tensors[dispatch.writes[at].0].0.dtype == DType::F16;
        (0..dispatch.writes.len()).filter(is_half).collect()
    }

    /// For each dispatch, the bytes of each tensor it is the first to write; `None` for what it updates.
    #[cfg(feature = "check")]
    pub(super) fn first_writes(&self) -> Vec<Vec<Option<u64>>> {
        let mut written = std::collections::HashSet::new();
        let first = |id: usize, written: &mut std::collections::HashSet<usize>| {
            let (ty, origin) = &self.tensors[id];
            (*origin == Origin::Intermediate && written.insert(id)).then(|| ty.bytes())
        };
        self.dispatches
            .iter()
            .map(|dispatch| dispatch.writes.iter().map(|&(id, _)| first(id, &mut written)).collect())
            .collect()
    }
}
