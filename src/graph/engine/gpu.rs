//! A plan on a GPU: buffers for its tensors, a sequence of launches, rings for its inputs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Result;
use crate::gpu::{Buffer, Gpu, Launch, Sequence, Upload};
use crate::graph::lower::Program;
use crate::graph::memory::Memory;
use crate::graph::program::{Origin, Tensor};
use crate::graph::state::{Params, PendingState, StateMemory, to_bytes};
use crate::graph::workspace::Workspace;
use crate::share::Share;
use crate::tensor::{DType, Data};

#[derive(Debug)]
pub(in crate::graph) struct GpuEngine {
    sequence: Sequence,
    uploads: Vec<Upload>,
    /// For each input tensor, its place in `uploads`.
    upload_of: HashMap<usize, usize>,
    buffers: HashMap<usize, Arc<Buffer>>,
    #[cfg(feature = "check")]
    first_writes: Vec<Vec<Option<u64>>>,
}

impl GpuEngine {
    pub fn new(
        gpu: &Arc<Gpu>,
        program: &Program,
        params: &Params,
        workspace: &Workspace,
    ) -> Result<(GpuEngine, Memory)> {
        let sizes: Vec<u64> = program.buffers.iter().map(|&(bytes, _)| bytes).collect();
        let pooled = workspace.buffers(gpu, &sizes)?;
        let intermediates = pooled.iter().map(|buffer| buffer.size()).sum();
        let mut memory = Memory { intermediates, ..Memory::default() };
        let mut buffers = HashMap::new();
        let mut uploads = Vec::new();
        let mut upload_of = HashMap::new();
        for (id, (ty, origin)) in program.tensors.iter().enumerate() {
            let buffer = match origin {
                Origin::Intermediate => match program.assigned.get(&id) {
                    Some(&at) => pooled[at].clone(),
                    None => continue,
                },
                Origin::State { name, initial } => {
                    let StateMemory::Gpu(buffer) = params.require(name, ty, *initial)?.memory else {
                        unreachable!("states of a store on a GPU lie in buffers");
                    };
                    memory.states += buffer.size();
                    buffer
                }
                Origin::Input(name) => {
                    let buffer = Arc::new(Buffer::storage(gpu, ty.bytes(), name)?);
                    buffer.write(&vec![0; ty.bytes() as usize])?;
                    let upload = Upload::new(gpu, buffer.clone(), ty.bytes())?;
                    memory.inputs += buffer.size() + upload.size();
                    upload_of.insert(id, uploads.len());
                    uploads.push(upload);
                    buffer
                }
            };
            buffers.insert(id, buffer);
        }
        let of = |slots: &[(usize, usize)]| slots.iter().map(|(id, _)| buffers[id].clone()).collect();
        let launches = program.dispatches.iter().map(|dispatch| Launch {
            kernel: dispatch.kernel,
            params: dispatch.params.clone(),
            reads: of(&dispatch.reads),
            writes: of(&dispatch.writes),
            groups: dispatch.groups,
            work: (dispatch.work.flops, dispatch.work.bytes),
        });
        let sequence = Sequence::new(gpu, launches.collect(), program.constants)?;
        let engine = GpuEngine {
            sequence,
            uploads,
            upload_of,
            buffers,
            #[cfg(feature = "check")]
            first_writes: program.first_writes(),
        };
        Ok((engine, memory))
    }

    pub async fn write(&mut self, tensor: usize, dtype: DType, data: &Data) -> Result<()> {
        self.uploads[self.upload_of[&tensor]].write(&to_bytes(dtype, data)).await
    }

    pub async fn run(&mut self, first: usize, share: Option<Share>) -> Result<()> {
        self.sequence.submit(first, share, &mut self.uploads).await
    }

    pub fn start_read(&self, tensor: &Tensor) -> Result<PendingState> {
        let bytes = self.buffers[&tensor.id].read(tensor.ty.bytes())?;
        Ok(PendingState::later(tensor.ty.clone(), bytes))
    }

    pub async fn profile(&mut self, first: usize) -> Result<Vec<f64>> {
        self.sequence.profile(first, &mut self.uploads).await
    }

    #[cfg(feature = "check")]
    pub fn run_poisoned(&mut self) -> Result<()> {
        self.sequence.submit_poisoned(&mut self.uploads, &self.first_writes)
    }
}
