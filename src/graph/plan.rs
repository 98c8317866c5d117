//! A graph compiled for a device, to run many times.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::arena::Source;
use super::engine::Engine;
use super::memory::{self, Lifetime, Memory};
use super::program::{Dispatch, Io, Origin, PlanBuilder, Tensor};
use super::schedule::schedule;
use super::state::PendingState;
use super::traffic::Traffic;
use super::{Graph, Params, Var};
use crate::device::Device;
use crate::profile::{KernelTime, Profiler, Work};
use crate::tensor::{Data, HostTensor, TensorType};
use crate::{Error, Result};

/// A list of dispatches with pipelines, bind groups and buffers made. [`Plan::run`] writes the inputs and
/// submits; it allocates nothing and compiles nothing.
#[derive(Debug)]
pub struct Plan {
    engine: Engine,
    inputs: HashMap<String, (TensorType, usize)>,
    outputs: HashMap<Var, Tensor>,
    memory: Memory,
    most_groups: u64,
    traffic: Traffic,
    works: Vec<Work>,
    profiler: Option<Arc<Profiler>>,
}

/// What a plan needs to be built on a device.
#[derive(Debug)]
pub(super) struct Program {
    pub tensors: Vec<(TensorType, Origin)>,
    pub dispatches: Vec<Dispatch>,
    /// For each intermediate tensor, its buffer.
    pub assigned: HashMap<usize, usize>,
    /// Sizes of the buffers of intermediate tensors.
    pub buffers: Vec<(u64, crate::tensor::DType)>,
}

impl Plan {
    /// Compiles what `outputs` and the graph's updates need, for the device of `params`. The states that the
    /// graph names are found in `params`.
    ///
    /// # Errors
    /// [`Error::State`] if a state is missing or of another type, [`Error::TooLarge`] if a tensor exceeds the
    /// device's limits, [`Error::Kernel`] if the driver refuses a kernel.
    pub fn new(graph: &Graph, params: &Params, outputs: &[Var]) -> Result<Plan> {
        let (program, outputs) = Program::of(graph, params.device(), outputs)?;
        let (engine, memory) = Engine::new(&program, params)?;
        let inputs = program.tensors.iter().enumerate().filter_map(|(id, (ty, origin))| match origin {
            Origin::Input(name) => Some((name.clone(), (ty.clone(), id))),
            _ => None,
        });
        let most_groups = program.dispatches.iter().map(|dispatch| dispatch.groups).max().unwrap_or(0);
        let (inputs, traffic) = (inputs.collect(), program.traffic(&outputs));
        let works = program.dispatches.iter().map(|dispatch| dispatch.work.clone()).collect();
        let profiler = params.device().profiler().cloned();
        Ok(Plan { engine, inputs, outputs, memory, most_groups, traffic, works, profiler })
    }

    /// Sets an input for the runs that follow. An input that was never written holds zeros.
    ///
    /// # Errors
    /// [`Error::HostData`] if there is no such input, or the number or type of elements is not its own.
    pub fn write(&mut self, name: &str, data: &Data) -> Result<()> {
        let found = || format!("{} elements of {}", data.len(), data.type_name());
        let Some((ty, id)) = self.inputs.get(name) else {
            let expected = format!("one of {:?}", self.inputs.keys());
            return Err(Error::HostData { tensor: format!("input '{name}'"), found: found(), expected });
        };
        if data.len() != ty.len() || !data.fits(ty.dtype) {
            return Err(Error::HostData {
                tensor: format!("input '{name}'"),
                found: found(),
                expected: ty.to_string(),
            });
        }
        self.engine.write(*id, data)
    }

    /// Whether it has an input of that name: an input that no output needs is not part of a plan.
    pub fn has_input(&self, name: &str) -> bool {
        self.inputs.contains_key(name)
    }

    /// Names and types of its inputs, in the order of the names.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &TensorType)> {
        let sorted: BTreeMap<&str, &TensorType> =
            self.inputs.iter().map(|(name, (ty, _))| (name.as_str(), ty)).collect();
        sorted.into_iter()
    }

    /// Runs all dispatches once. On a GPU it returns when they are submitted; where the device has a profiler, when they
    /// have been timed.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn run(&mut self) -> Result<()> {
        let Some(profiler) = self.profiler.clone() else { return self.engine.run() };
        profiler.record(&self.profile()?);
        Ok(())
    }

    /// The value of an output after the last run.
    ///
    /// # Errors
    /// [`Error::HostData`] if the plan was not made with this output, [`Error::Gpu`] if the device was lost.
    pub fn read(&self, output: Var) -> Result<HostTensor> {
        self.start_read(output)?.wait()
    }

    /// Starts reading an output back; later runs do not change what arrives.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn start_read(&self, output: Var) -> Result<PendingState> {
        let Some(tensor) = self.outputs.get(&output) else {
            let expected = format!("one of the {} outputs it was made with", self.outputs.len());
            return Err(Error::HostData { tensor: "plan".into(), found: format!("{output:?}"), expected });
        };
        self.engine.start_read(tensor)
    }

    /// Exact bytes of the buffers it holds.
    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// Workgroups of its largest dispatch.
    pub fn most_groups(&self) -> u64 {
        self.most_groups
    }

    /// Bytes that a run moves.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Its dispatches, in their order.
    pub fn works(&self) -> &[Work] {
        &self.works
    }

    /// Runs once and measures each dispatch, by the [clock](Device::clock) of its device.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn profile(&mut self) -> Result<Vec<KernelTime>> {
        let seconds = self.engine.profile()?;
        Ok(self
            .works
            .iter()
            .cloned()
            .zip(seconds)
            .map(|(work, seconds)| KernelTime { work, seconds })
            .collect())
    }

    /// Like [`Plan::run`], with everything that a dispatch writes filled with NaN before it, and an error if a
    /// kernel writes behind the end of its output.
    ///
    /// # Errors
    /// [`Error::Kernel`] that names the kernel.
    #[cfg(feature = "check")]
    #[doc(hidden)]
    pub fn run_poisoned(&mut self) -> Result<()> {
        self.engine.run_poisoned()
    }
}

impl Graph {
    /// Floating-point operations of all nodes together.
    pub fn flops(&self) -> u64 {
        let types =
            |node: &super::Node| node.inputs.iter().map(|&input| self.ty(input).clone()).collect::<Vec<_>>();
        let flops = |index: usize| match &self.nodes[index].source {
            Source::Operator(operator) => {
                operator.flops(&types(&self.node(index)), &self.nodes[index].outputs)
            }
            Source::Input(_) | Source::State { .. } => 0,
        };
        (0..self.nodes.len()).map(flops).sum()
    }

    /// Bytes that a plan for `outputs` would hold on the CPU, without making it. A GPU rounds buffers up.
    ///
    /// # Errors
    /// [`Error::State`] if two updates wait for each other.
    pub fn memory(&self, outputs: &[Var]) -> Result<Memory> {
        let device = Device::cpu();
        let (program, _) = Program::of(self, &device, outputs)?;
        let mut memory = Memory {
            intermediates: program.buffers.iter().map(|(bytes, _)| bytes).sum(),
            ..Memory::default()
        };
        for (ty, origin) in &program.tensors {
            match origin {
                Origin::Input(_) => memory.inputs += ty.bytes(),
                Origin::State { .. } => memory.states += ty.bytes(),
                Origin::Intermediate => {}
            }
        }
        Ok(memory)
    }

    /// Bytes that a run of a plan for `outputs` would move on `device`, without making it.
    ///
    /// # Errors
    /// As [`Graph::memory`].
    pub fn traffic(&self, device: &Device, outputs: &[Var]) -> Result<Traffic> {
        let (program, outputs) = Program::of(self, device, outputs)?;
        Ok(program.traffic(&outputs))
    }
}

/// Gives a node's outputs their tensors and adds its dispatches.
fn lower(
    graph: &Graph,
    index: usize,
    tensors: &mut HashMap<Var, Tensor>,
    builder: &mut PlanBuilder<'_>,
) -> Result<()> {
    let data = &graph.nodes[index];
    let node = graph.node(index);
    let operator = match &data.source {
        Source::Operator(operator) => operator,
        Source::Input(name) => {
            let tensor = builder.tensor(data.outputs[0].clone(), Origin::Input(name.clone()));
            tensors.insert(node.output(0), tensor);
            return Ok(());
        }
        Source::State { name, initial } => {
            let origin = Origin::State { name: name.clone(), initial: *initial };
            tensors.insert(node.output(0), builder.tensor(data.outputs[0].clone(), origin));
            return Ok(());
        }
    };
    let inputs: Vec<Tensor> = node.inputs.iter().map(|input| tensors[input].clone()).collect();
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
    builder.operator = Work {
        layer: data.label.clone(),
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

impl Program {
    /// The dispatches that `outputs` and the graph's updates need on `device`, and the outputs' tensors.
    fn of(graph: &Graph, device: &Device, outputs: &[Var]) -> Result<(Program, HashMap<Var, Tensor>)> {
        let mut builder = PlanBuilder::new(device);
        let mut tensors: HashMap<Var, Tensor> = HashMap::new();
        for index in schedule(graph, outputs)? {
            lower(graph, index, &mut tensors, &mut builder)?;
        }
        let outputs: HashMap<Var, Tensor> = outputs.iter().map(|var| (*var, tensors[var].clone())).collect();
        let kept: Vec<usize> = outputs.values().map(|tensor| tensor.id).collect();
        Ok((Program::new(builder, &kept), outputs))
    }

    /// Plans the memory of the intermediate tensors; those in `kept` live to the end.
    fn new(builder: PlanBuilder<'_>, kept: &[usize]) -> Program {
        let PlanBuilder { tensors, dispatches, .. } = builder;
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
        for id in kept {
            if let Some(lifetime) = lifetimes.get_mut(id) {
                lifetime.last = usize::MAX;
            }
        }
        let mut ids: Vec<usize> = lifetimes.keys().copied().collect();
        ids.sort_unstable();
        let in_order: Vec<Lifetime> = ids.iter().map(|id| lifetimes[id]).collect();
        let (assigned, buffers) = memory::assign(&in_order);
        Program { tensors, dispatches, assigned: ids.into_iter().zip(assigned).collect(), buffers }
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
