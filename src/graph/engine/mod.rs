//! Running a program: on a GPU, or on the CPU in 32 or 64 bits.

mod cpu;
mod gpu;

use super::lower::Program;
use super::memory::Memory;
use super::program::Tensor;
use super::state::{Params, PendingState};
use super::workspace::Workspace;
use crate::Result;
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

/// Calls a method of whichever engine it is.
macro_rules! each {
    ($engine:expr, $each:ident => $call:expr) => {
        match $engine {
            Engine::Gpu($each) => $call,
            Engine::F32($each) => $call,
            Engine::F64($each) => $call,
        }
    };
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

    pub fn write(&mut self, tensor: usize, dtype: DType, data: &Data) -> Result<()> {
        each!(self, engine => engine.write(tensor, dtype, data))
    }

    /// Runs the dispatches from the `first` on: all, or those behind the constant ones. With a `share` the device works for no more
    /// than that part of the time.
    pub fn run(&mut self, first: usize, share: Option<f64>) -> Result<()> {
        each!(self, engine => engine.run(first, share))
    }

    pub fn start_read(&self, tensor: &Tensor) -> Result<PendingState> {
        each!(self, engine => engine.start_read(tensor))
    }

    /// As [`Engine::run`]; gives the seconds of each dispatch.
    pub fn profile(&mut self, first: usize) -> Result<Vec<f64>> {
        each!(self, engine => engine.profile(first))
    }

    #[cfg(feature = "check")]
    pub fn run_poisoned(&mut self) -> Result<()> {
        each!(self, engine => engine.run_poisoned())
    }
}
