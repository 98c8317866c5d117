//! Running a program: on a GPU, or on the CPU in 32 or 64 bits.

mod cpu;
mod gpu;

use super::lower::Program;
use super::memory::Memory;
use super::program::Tensor;
use super::state::{Params, PendingState};
use super::workspace::Workspace;
use crate::Result;
use crate::share::Share;
use crate::tensor::{DType, Data};
use cpu::CpuEngine;
use gpu::GpuEngine;

/// The device's side of a plan.
#[derive(Debug)]
pub(super) enum Engine {
    Gpu(Box<GpuEngine>),
    F32(CpuEngine<f32>),
    F64(CpuEngine<f64>),
}

impl Engine {
    pub fn new(program: &Program, params: &Params, workspace: &Workspace) -> Result<(Engine, Memory)> {
        Ok(match params.device().gpu() {
            Some(gpu) => {
                let (engine, memory) = GpuEngine::new(gpu, program, params, workspace)?;
                (Engine::Gpu(Box::new(engine)), memory)
            }
            None if params.device().is_reference() => {
                let (engine, memory) = CpuEngine::new(program, params)?;
                (Engine::F64(engine), memory)
            }
            None => {
                let (engine, memory) = CpuEngine::new(program, params)?;
                (Engine::F32(engine), memory)
            }
        })
    }

    pub async fn write(&mut self, tensor: usize, dtype: DType, data: &Data) -> Result<()> {
        match self {
            Engine::Gpu(engine) => engine.write(tensor, dtype, data).await,
            Engine::F32(engine) => engine.write(tensor, dtype, data),
            Engine::F64(engine) => engine.write(tensor, dtype, data),
        }
    }

    /// Runs the dispatches from the `first` on: all, or those behind the constant ones. With a `share` the device works for no more
    /// than that part of the time.
    pub async fn run(&mut self, first: usize, share: Option<Share>) -> Result<()> {
        match self {
            Engine::Gpu(engine) => engine.run(first, share).await,
            Engine::F32(engine) => engine.run(first, share),
            Engine::F64(engine) => engine.run(first, share),
        }
    }

    pub fn start_read(&self, tensor: &Tensor) -> Result<PendingState> {
        match self {
            Engine::Gpu(engine) => engine.start_read(tensor),
            Engine::F32(engine) => engine.start_read(tensor),
            Engine::F64(engine) => engine.start_read(tensor),
        }
    }

    /// As [`Engine::run`]; gives the seconds of each dispatch.
    pub async fn profile(&mut self, first: usize) -> Result<Vec<f64>> {
        match self {
            Engine::Gpu(engine) => engine.profile(first).await,
            Engine::F32(engine) => engine.profile(first),
            Engine::F64(engine) => engine.profile(first),
        }
    }

    #[cfg(feature = "check")]
    pub fn run_poisoned(&mut self) -> Result<()> {
        match self {
            Engine::Gpu(engine) => engine.run_poisoned(),
            Engine::F32(engine) => engine.run_poisoned(),
            Engine::F64(engine) => engine.run_poisoned(),
        }
    }
}
