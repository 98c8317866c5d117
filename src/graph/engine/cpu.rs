//! A plan on the CPU: the twins, one after the other, on storage that is planned like a GPU's.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::Result;
use crate::cpu::{Float, Slots, Storage, Twin};
use crate::gpu::Kernel;
use crate::graph::lower::Program;
use crate::graph::memory::Memory;
use crate::graph::program::{Origin, Tensor};
use crate::graph::state::{Params, PendingState, StateMemory, lock};
use crate::share::Share;
use crate::tensor::{DType, Data};

/// A float type that an engine can compute in: which body a kernel has for it, and where states lie.
pub(in crate::graph) trait Engineable: Float {
    const WIDE: bool;
    fn body(kernel: &Kernel) -> Twin<Self>;
    fn state(memory: StateMemory) -> Arc<Mutex<Storage<Self>>>;
}

impl Engineable for f32 {
    const WIDE: bool = false;

    fn body(kernel: &Kernel) -> Twin<f32> {
        kernel.cpu_body()
    }

    fn state(memory: StateMemory) -> Arc<Mutex<Storage<f32>>> {
        let StateMemory::F32(storage) = memory else { unreachable!("states of the CPU path are f32") };
        storage
    }
}

impl Engineable for f64 {
    const WIDE: bool = true;

    fn body(kernel: &Kernel) -> Twin<f64> {
        kernel.reference_body()
    }

    fn state(memory: StateMemory) -> Arc<Mutex<Storage<f64>>> {
        let StateMemory::F64(storage) = memory else { unreachable!("states of the reference are f64") };
        storage
    }
}

#[derive(Debug)]
pub(in crate::graph) struct CpuEngine<T> {
    steps: Vec<Step<T>>,
    /// Storage by place; the places of states are empty between runs.
    table: Vec<Option<Storage<T>>>,
    /// For each tensor, its place in the table.
    place: Vec<Option<usize>>,
    states: Vec<(usize, Arc<Mutex<Storage<T>>>)>,
    #[cfg(feature = "check")]
    first_writes: Vec<Vec<Option<u64>>>,
}

/// A dispatch; slots are places in the table with the tensor's length.
#[derive(Debug)]
struct Step<T> {
    body: Twin<T>,
    params: Vec<u8>,
    reads: Vec<(usize, usize)>,
    writes: Vec<(usize, usize)>,
    /// Which of the writes are to tensors of 16-bit floats.
    halves: Vec<usize>,
}

impl<T: Engineable> CpuEngine<T> {
    pub fn new(program: &Program, params: &Params) -> Result<(CpuEngine<T>, Memory)> {
        let mut memory = Memory::default();
        let mut table: Vec<Option<Storage<T>>> = Vec::new();
        for &(bytes, dtype) in &program.buffers {
            memory.intermediates += bytes;
            table.push(Some(Storage::zeros(dtype, bytes as usize / dtype.size())));
        }
        let mut place = Vec::new();
        let mut states = Vec::new();
        for (id, (ty, origin)) in program.tensors.iter().enumerate() {
            place.push(match origin {
                Origin::Intermediate => program.assigned.get(&id).copied(),
                Origin::Input(_) => {
                    memory.inputs += ty.bytes();
                    table.push(Some(Storage::zeros(ty.dtype, ty.len())));
                    Some(table.len() - 1)
                }
                Origin::State { name, initial } => {
                    memory.states += ty.bytes();
                    let storage = T::state(params.require(name, ty, *initial)?.memory);
                    table.push(None);
                    states.push((table.len() - 1, storage));
                    Some(table.len() - 1)
                }
            });
        }
        let of = |slots: &[(usize, usize)]| {
            slots
                .iter()
                .map(|&(id, len)| (place[id].expect("a tensor in a dispatch has a place"), len))
                .collect()
        };
        let steps = program.dispatches.iter().map(|dispatch| Step {
            body: T::body(&dispatch.kernel),
            params: dispatch.params.clone(),
            reads: of(&dispatch.reads),
            writes: of(&dispatch.writes),
            halves: program.halves(dispatch),
        });
        let engine = CpuEngine {
            steps: steps.collect(),
            table,
            states,
            #[cfg(feature = "check")]
            first_writes: program.first_writes(),
            place,
        };
        Ok((engine, memory))
    }

    pub fn write(&mut self, tensor: usize, dtype: DType, data: &Data) -> Result<()> {
        let stored = self.stored_mut(tensor);
        stored.write(data);
        if dtype == DType::F16 {
            stored.round_to_half(data.len());
        }
        Ok(())
    }

    pub fn run(&mut self, first: usize, share: Option<Share>) -> Result<()> {
        let start = Instant::now();
        self.with_states(|engine| (first..engine.steps.len()).for_each(|step| engine.step(step)));
        if let Some(share) = share {
            std::thread::sleep(share.rest(start.elapsed()));
        }
        Ok(())
    }

    pub fn start_read(&self, tensor: &Tensor) -> Result<PendingState> {
        let place = self.place[tensor.id].expect("an output has a place");
        let len = tensor.ty.len();
        let data = match self.states.iter().find(|(at, _)| *at == place) {
            Some((_, state)) => lock(state).read(len, T::WIDE),
            None => self.table[place].as_ref().expect("storage rests in the table").read(len, T::WIDE),
        };
        Ok(PendingState::here(tensor.ty.shape.clone(), tensor.ty.dtype, data))
    }

    pub fn profile(&mut self, first: usize) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        self.with_states(|engine| {
            for step in first..engine.steps.len() {
                let start = Instant::now();
                engine.step(step);
                times.push(start.elapsed().as_secs_f64());
            }
        });
        Ok(times)
    }

    #[cfg(feature = "check")]
    pub fn run_poisoned(&mut self) -> Result<()> {
        self.with_states(|engine| {
            for step in 0..engine.steps.len() {
                for (slot, size) in engine.first_writes[step].iter().enumerate() {
                    if size.is_some() {
                        let (place, _) = engine.steps[step].writes[slot];
                        engine.table[place].as_mut().expect("storage rests in the table").poison();
                    }
                }
                engine.step(step);
            }
        });
        Ok(())
    }

    /// Takes the states into the table, calls `run`, and puts them back.
    fn with_states(&mut self, run: impl FnOnce(&mut CpuEngine<T>)) {
        let empty = || Storage::U8(vec![]);
        for (place, state) in &self.states {
            self.table[*place] = Some(std::mem::replace(&mut *lock(state), empty()));
        }
        run(self);
        for (place, state) in &self.states {
            *lock(state) = self.table[*place].take().expect("a state stays in the table during a run");
        }
    }

    fn step(&mut self, index: usize) {
        let Step { body, params, reads, writes, halves } = &self.steps[index];
        let mut written: Vec<(usize, Storage<T>, usize)> = writes
            .iter()
            .map(|&(place, len)| (place, self.table[place].take().expect("no slot is written twice"), len))
            .collect();
        let read = reads
            .iter()
            .map(|&(place, len)| (self.table[place].as_ref().expect("no slot is read and written"), len))
            .collect();
        let writable = written.iter_mut().map(|(_, storage, len)| (storage, *len)).collect();
        body(params, &mut Slots::new(read, writable));
        for &at in halves {
            let (_, storage, len) = &mut written[at];
            storage.round_to_half(*len);
        }
        for (place, storage, _) in written {
            self.table[place] = Some(storage);
        }
    }

    fn stored_mut(&mut self, tensor: usize) -> &mut Storage<T> {
        let place = self.place[tensor].expect("an input has a place");
        self.table[place].as_mut().expect("storage rests in the table")
    }
}
