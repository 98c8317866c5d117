//! A graph compiled for a device, to run many times.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::arena::Source;
use super::constants::Changes;
use super::engine::Engine;
use super::lower::Program;
use super::memory::Memory;
use super::program::{Choice, Origin, Tensor};
use super::state::PendingState;
use super::traffic::Traffic;
use super::trials::tune;
use super::workspace::Workspace;
use super::{Graph, Params, Var};
use crate::device::Device;
use crate::gpu::block_on;
use crate::profile::{KernelTime, Profiler, Work};
use crate::share::Share;
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
    choices: Vec<Choice>,
    /// Leading dispatches that depend on states alone.
    constants: usize,
    changes: Changes,
    traffic: Traffic,
    works: Vec<Work>,
    profiler: Option<Arc<Profiler>>,
    /// The part of the time that the device may work.
    share: Option<Share>,
    /// Whether other plans use its memory between its runs.
    shares: bool,
}

impl Plan {
    /// Compiles what `outputs` and the graph's updates need, for the device of `params`. The states that the
    /// graph names are found in `params`.
    ///
    /// # Errors
    /// [`Error::State`] if a state is missing or of another type, [`Error::TooLarge`] if a tensor exceeds the
    /// device's limits, [`Error::Kernel`] if the driver refuses a kernel, or one needs what the device
    /// lacks.
    pub fn new(graph: &Graph, params: &Params, outputs: &[Var]) -> Result<Plan> {
        let plan = Plan::sharing(graph, params, outputs, &Workspace::default())?;
        Ok(Plan { shares: false, ..plan })
    }

    /// As [`Plan::new`], with intermediate tensors and outputs in `workspace`: for plans that never run at the same time. An
    /// output is there until another of them runs.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn sharing(graph: &Graph, params: &Params, outputs: &[Var], workspace: &Workspace) -> Result<Plan> {
        if params.device().tunes() {
            tune(graph, params.device(), outputs)?;
        }
        let (program, outputs) = Program::of(graph, params.device(), outputs)?;
        let (engine, memory) = Engine::new(&program, params, workspace)?;
        let changes = Changes::new(&program, params)?;
        let inputs = program.tensors.iter().enumerate().filter_map(|(id, (ty, origin))| match origin {
            Origin::Input(name) => Some((name.clone(), (ty.clone(), id))),
            _ => None,
        });
        let most_groups = program.dispatches.iter().map(|dispatch| dispatch.groups).max().unwrap_or(0);
        let (inputs, traffic) = (inputs.collect(), program.traffic(&outputs));
        let works = program.dispatches.iter().map(|dispatch| dispatch.work.clone()).collect();
        let profiler = params.device().profiler().cloned();
        Ok(Plan {
            engine,
            inputs,
            outputs,
            memory,
            most_groups,
            choices: program.choices,
            constants: program.constants,
            changes,
            traffic,
            works,
            profiler,
            share: params.device().share(),
            shares: true,
        })
    }

    /// Sets an input for the runs that follow. An input that was never written holds zeros.
    ///
    /// # Errors
    /// [`Error::HostData`] if there is no such input, or the number or type of elements is not its own.
    pub fn write(&mut self, name: &str, data: &Data) -> Result<()> {
        block_on(self.write_async(name, data))
    }

    /// As [`Plan::write`], without blocking.
    ///
    /// # Errors
    /// As [`Plan::write`].
    pub async fn write_async(&mut self, name: &str, data: &Data) -> Result<()> {
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
        self.engine.write(*id, ty.dtype, data).await
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
    /// [`Error::DeviceLost`] if the device was lost.
    pub fn run(&mut self) -> Result<()> {
        block_on(self.run_async())
    }

    /// As [`Plan::run`], without blocking, but on the CPU: there the polling thread does the work.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub async fn run_async(&mut self) -> Result<()> {
        if let Some(profiler) = self.profiler.clone() {
            profiler.record(&self.profile_async().await?);
            return Ok(());
        }
        let versions = self.changes.begin();
        let first = self.first(&versions);
        self.engine.run(first, self.share).await?;
        self.changes.ran(versions);
        Ok(())
    }

    /// The value of an output after the last run.
    ///
    /// # Errors
    /// [`Error::HostData`] if the plan was not made with this output, [`Error::DeviceLost`] if the device was lost.
    pub fn read(&self, output: Var) -> Result<HostTensor> {
        self.start_read(output)?.wait()
    }

    /// As [`Plan::read`], without blocking.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub async fn read_async(&self, output: Var) -> Result<HostTensor> {
        self.start_read(output)?.arrive().await
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

    /// How many of its dispatches depend on states alone that it does not update, such as the transform of a frozen
    /// weight: a run does them again only after such a state has changed.
    pub fn constant_dispatches(&self) -> usize {
        self.constants
    }

    /// Workgroups of its largest dispatch.
    pub fn most_groups(&self) -> u64 {
        self.most_groups
    }

    /// Where operators had a choice between kernel variants, and what they took; nothing without a GPU.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// Bytes that a run moves.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Its dispatches, in their order.
    pub fn works(&self) -> &[Work] {
        &self.works
    }

    /// Runs once and measures each dispatch, by the [clock](Device::clock) of its device. Those that depend on states
    /// alone are there only if such a state has changed since the last run.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device was lost.
    pub fn profile(&mut self) -> Result<Vec<KernelTime>> {
        block_on(self.profile_async())
    }

    async fn profile_async(&mut self) -> Result<Vec<KernelTime>> {
        let versions = self.changes.begin();
        let first = self.first(&versions);
        let seconds = self.engine.profile(first).await?;
        self.changes.ran(versions);
        let works = self.works[first..].iter().cloned();
        Ok(works.zip(seconds).map(|(work, seconds)| KernelTime { work, seconds }).collect())
    }

    /// The dispatch that a run begins with which finds states of these versions.
    fn first(&self, versions: &[u64]) -> usize {
        if self.changes.hold(versions) && !self.shares { self.constants } else { 0 }
    }

    /// Like [`Plan::run`], with everything that a dispatch writes filled with NaN before it, and an error if a
    /// kernel writes behind the end of its output.
    ///
    /// # Errors
    /// [`Error::Kernel`] that names the kernel.
    #[cfg(feature = "check")]
    #[doc(hidden)]
    pub fn run_poisoned(&mut self) -> Result<()> {
        let versions = self.changes.begin();
        self.engine.run_poisoned()?;
        self.changes.ran(versions);
        Ok(())
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
