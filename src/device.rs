//! Where plans run: a GPU, or the CPU.

use std::fmt;
use std::sync::Arc;

use crate::gpu::{AdapterInfo, AdapterKind, Gpu, GpuOptions};
use crate::profile::{Clock, Profiler};
use crate::{Error, Result};

/// Environment variable that names the adapter, like `--adapter`.
pub const ADAPTER_VARIABLE: &str = "LOOKALIKE_ADAPTER";

/// A GPU, the CPU path, or the reference. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Device {
    kind: Kind,
    profiler: Option<Arc<Profiler>>,
}

#[derive(Clone, Debug)]
enum Kind {
    Gpu(Arc<Gpu>),
    Cpu,
    Reference,
}

impl Device {
    /// The best hardware adapter: discrete, then integrated. Where there is none, the CPU. The environment
    /// variable `LOOKALIKE_ADAPTER` picks another, as [`Device::named`].
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if the variable names none, [`Error::Gpu`] if the driver does not open it.
    pub fn open() -> Result<Device> {
        match std::env::var(ADAPTER_VARIABLE) {
            Ok(name) if !name.is_empty() => Device::named(&name),
            _ => match Gpu::adapters().first() {
                Some(best) if best.kind != AdapterKind::Software => {
                    Device::adapter(0, &GpuOptions::default())
                }
                _ => Ok(Device::cpu()),
            },
        }
    }

    /// The adapter of that name or index: `cpu`, a part of the driver's name in any case (`nvidia`,
    /// `llvmpipe`), or the number that [`Device::names`] gives it (`0` is the CPU).
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if there is none, [`Error::Gpu`] if the driver does not open it.
    pub fn named(wanted: &str) -> Result<Device> {
        Device::named_with(wanted, &GpuOptions::default())
    }

    /// As [`Device::named`], with options for the GPU.
    ///
    /// # Errors
    /// As [`Device::named`].
    pub fn named_with(wanted: &str, options: &GpuOptions) -> Result<Device> {
        let lower = wanted.to_lowercase();
        if lower == "cpu" || lower == "0" {
            return Ok(Device::cpu());
        }
        let adapters = Gpu::adapters();
        let by_index = lower.parse::<usize>().ok().map(|number| number - 1).filter(|&i| i < adapters.len());
        let matches = |adapter: &AdapterInfo| {
            adapter.name.to_lowercase().contains(&lower) || adapter.driver.to_lowercase().contains(&lower)
        };
        match by_index.or_else(|| adapters.iter().position(matches)) {
            Some(index) => Device::adapter(index, options),
            None => Err(Error::NoAdapter { wanted: wanted.into(), found: Device::names() }),
        }
    }

    /// The `index`-th adapter of [`Gpu::adapters`].
    fn adapter(index: usize, options: &GpuOptions) -> Result<Device> {
        Ok(Device::of(Kind::Gpu(Gpu::open(index, options)?)))
    }

    /// The CPU path: every kernel's twin in `f32`, convolution and dense layers on a fast matrix product.
    pub fn cpu() -> Device {
        Device::of(Kind::Cpu)
    }

    /// The specification: every kernel's plain twin in `f64`. For tests; it is slow.
    pub fn reference() -> Device {
        Device::of(Kind::Reference)
    }

    fn of(kind: Kind) -> Device {
        Device { kind, profiler: None }
    }

    /// The same device, whose plans made from now on report to `profiler` what each dispatch takes. A run then waits
    /// for the device.
    pub fn profiled(self, profiler: Arc<Profiler>) -> Device {
        Device { profiler: Some(profiler), ..self }
    }

    /// The profiler that its plans report to.
    pub(crate) fn profiler(&self) -> Option<&Arc<Profiler>> {
        self.profiler.as_ref()
    }

    /// What its dispatches are timed by.
    pub fn clock(&self) -> Clock {
        match self.gpu() {
            None => Clock::Host,
            Some(gpu) if gpu.has_timestamps() => Clock::Timestamps,
            Some(_) => Clock::QueueWaits,
        }
    }

    /// Names that [`Device::named`] knows on this machine; the place in the list counts as a name too.
    pub fn names() -> Vec<String> {
        std::iter::once("cpu".to_string()).chain(Gpu::adapters().into_iter().map(|a| a.name)).collect()
    }

    /// The GPU, if it is one.
    pub fn gpu(&self) -> Option<&Arc<Gpu>> {
        match &self.kind {
            Kind::Gpu(gpu) => Some(gpu),
            Kind::Cpu | Kind::Reference => None,
        }
    }

    /// Whether it computes in 64 bits.
    pub fn is_reference(&self) -> bool {
        matches!(self.kind, Kind::Reference)
    }

    /// Largest tensor in bytes.
    pub fn max_tensor(&self) -> u64 {
        self.gpu().map_or(u64::MAX, |gpu| gpu.max_binding())
    }

    /// Whether kernel variants for large GPUs suit it.
    pub(crate) fn is_large_gpu(&self) -> bool {
        self.gpu().is_some_and(|gpu| gpu.is_large())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Gpu(gpu) => {
                let info = gpu.info();
                write!(f, "{} ({}, {})", info.name, info.backend, info.driver)
            }
            Kind::Cpu => {
                let threads = rayon::current_num_threads();
                write!(f, "cpu, {threads} threads")
            }
            Kind::Reference => f.write_str("reference (f64 on the cpu)"),
        }
    }
}
