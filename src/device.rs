//! Where plans run: a GPU, or the CPU.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::gpu::{AdapterInfo, AdapterKind, Gpu, GpuOptions, block_on};
use crate::profile::{Clock, Profiler};
use crate::share::Share;
use crate::tensor::Precision;
use crate::{Error, Result};

/// Environment variable that names the adapter, like `--adapter`.
pub const ADAPTER_VARIABLE: &str = "LOOKALIKE_ADAPTER";

/// A GPU, the CPU path, or the reference. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Device {
    kind: Kind,
    preferred: Option<Arc<str>>,
    allowed: Vec<Arc<str>>,
    tunes: bool,
    profiler: Option<Arc<Profiler>>,
    share: Option<Share>,
}

#[derive(Clone, Debug)]
enum Kind {
    Gpu(Arc<Opened>),
    Cpu,
    Reference,
}

/// A GPU, and behind it the one that was opened after it was lost. So `Device::gpu` can lend the latest one without a lock.
#[derive(Debug)]
struct Opened {
    gpu: Arc<Gpu>,
    next: OnceLock<Box<Opened>>,
}

impl Opened {
    fn new(gpu: Arc<Gpu>) -> Opened {
        Opened { gpu, next: OnceLock::new() }
    }

    fn last(&self) -> &Opened {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        last
    }

    fn latest(&self) -> &Arc<Gpu> {
        &self.last().gpu
    }

    fn reopen(&self) -> Result<()> {
        let last = self.last();
        if !last.gpu.is_lost() {
            return Ok(());
        }
        let again = Opened::new(last.gpu.reopen()?);
        // If another thread was faster, its device is as good.
        let _ = last.next.set(Box::new(again));
        Ok(())
    }
}

impl Device {
    /// The best hardware adapter: discrete, then integrated. Where there is none, the CPU. The environment
    /// variable `LOOKALIKE_ADAPTER` picks another, as [`Device::named`].
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if the variable names none, [`Error::Gpu`] if the driver does not open it.
    pub fn open() -> Result<Device> {
        Device::open_with(&GpuOptions::default())
    }

    /// As [`Device::open`], with options for the GPU.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open_with(options: &GpuOptions) -> Result<Device> {
        block_on(Device::open_async(options))
    }

    /// As [`Device::open_with`], without blocking: a browser takes its time. Elsewhere drivers answer before they return.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub async fn open_async(options: &GpuOptions) -> Result<Device> {
        let best = |adapters: &[AdapterInfo]| {
            adapters.first().filter(|best| best.kind != AdapterKind::Software).map(|_| 0)
        };
        match std::env::var(ADAPTER_VARIABLE) {
            Ok(name) if !name.is_empty() => Device::named_async(&name, options).await,
            _ => Ok(Gpu::open_where_async(options, best).await?.map_or_else(Device::cpu, Device::of_gpu)),
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
        block_on(Device::named_async(wanted, options))
    }

    /// As [`Device::named_with`], without blocking, as [`Device::open_async`].
    ///
    /// # Errors
    /// As [`Device::named`].
    pub async fn named_async(wanted: &str, options: &GpuOptions) -> Result<Device> {
        let lower = wanted.to_lowercase();
        if lower == "cpu" || lower == "0" {
            return Ok(Device::cpu());
        }
        let matches = |adapter: &AdapterInfo| {
            adapter.name.to_lowercase().contains(&lower) || adapter.driver.to_lowercase().contains(&lower)
        };
        let by_index = lower.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let mut found = Vec::new();
        let wanted_one = |adapters: &[AdapterInfo]| {
            found = adapters.iter().map(|adapter| adapter.name.clone()).collect();
            by_index.filter(|&index| index < adapters.len()).or_else(|| adapters.iter().position(matches))
        };
        let gpu = Gpu::open_where_async(options, wanted_one).await?;
        gpu.map(Device::of_gpu).ok_or_else(|| Error::NoAdapter { wanted: wanted.into(), found: names(found) })
    }

    fn of_gpu(gpu: Arc<Gpu>) -> Device {
        Device::of(Kind::Gpu(Arc::new(Opened::new(gpu))))
    }

    /// Opens the same adapter again after it was lost, for this device and its clones. Plans and stores that were made before
    /// stay lost; those made from now on are on the new one. Where another clone has opened it already, there is nothing to do.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the adapter does not come back, or there is none.
    pub fn reopen(&self) -> Result<()> {
        match &self.kind {
            Kind::Gpu(opened) => opened.reopen(),
            Kind::Cpu | Kind::Reference => Err(Error::DeviceLost(format!("{self} cannot be lost"))),
        }
    }

    /// The CPU path: every kernel's twin in `f32`, convolution and dense layers on a fast matrix product.
    pub fn cpu() -> Device {
        Device::of(Kind::Cpu)
    }

    /// The specification: every kernel's plain twin in `f64`. For tests; it is slow.
    pub fn reference() -> Device {
        Device::of(Kind::Reference)
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

    /// The same device, whose plans made from now on let it work for no more than `share` of the time, in `(0, 1]`, so that
    /// others get their turn: after each submission, or each run on the CPU, it rests. Results are the same.
    pub fn throttled(self, share: f64) -> Device {
        Device { share: Share::new(share), ..self }
    }

    /// The part of the time that its plans may work.
    pub(crate) fn share(&self) -> Option<Share> {
        self.share
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
        names(Gpu::adapters().into_iter().map(|adapter| adapter.name))
    }

    /// The GPU, if it is one.
    pub fn gpu(&self) -> Option<&Arc<Gpu>> {
        match &self.kind {
            Kind::Gpu(opened) => Some(opened.latest()),
            Kind::Cpu | Kind::Reference => None,
        }
    }

    /// Whether it computes in 64 bits.
    pub fn is_reference(&self) -> bool {
        matches!(self.kind, Kind::Reference)
    }

    /// Whether plans may hold tensors of 16-bit floats: GPUs that can read and write them, and the CPU, which rounds to
    /// them.
    pub fn has_f16(&self) -> bool {
        self.gpu().is_none_or(|gpu| gpu.has_f16())
    }

    /// In which floats plans on it should keep tensors where `wanted` are: a GPU without 16-bit floats has no choice, and
    /// the CPU, which would only round, gains nothing from them.
    pub fn keeps(&self, wanted: Precision) -> Precision {
        match self.gpu() {
            Some(gpu) if gpu.has_f16() => wanted,
            _ => Precision::F32,
        }
    }

    /// Largest tensor in bytes.
    pub fn max_tensor(&self) -> u64 {
        self.gpu().map_or(u64::MAX, |gpu| gpu.max_binding())
    }

    /// The same device, on which plans take the kernel variant of this name wherever it can do the work:
    /// `tile-64`, `winograd-4` ([`Plan::choices`](crate::graph::Plan::choices) lists the names). Without a GPU there
    /// are no variants.
    pub fn preferring(&self, variant: &str) -> Device {
        Device { preferred: Some(variant.into()), ..self.clone() }
    }

    /// The same GPU, on which making a plan first measures the kernel variants for problems that it has not met before,
    /// and remembers the fastest: for other plans, and for other runs where it was opened with a cache. Another choice
    /// rounds differently, so equal runs before and after it need not give equal bits.
    ///
    /// # Errors
    /// [`Error::Gpu`] on the CPU and on a software driver, where compiling a variant takes longer than it could save.
    pub fn tuning(&self) -> Result<Device> {
        match self.gpu() {
            Some(gpu) if gpu.info().kind != AdapterKind::Software => {
                Ok(Device { tunes: true, ..self.clone() })
            }
            _ => Err(Error::Gpu(format!("{self} is no GPU: there is nothing to tune; leave --tune out"))),
        }
    }

    /// Whether making a plan measures kernel variants.
    pub(crate) fn tunes(&self) -> bool {
        self.tunes && self.preferred.is_none()
    }

    /// The same device, on which plans may also take the kernel variant of this name, one of those that need leave:
    /// [`tensor_core_variants`](crate::ops::tensor_core_variants).
    pub fn allowing(&self, variant: &str) -> Device {
        let mut allowed = self.allowed.clone();
        allowed.push(variant.into());
        Device { allowed, ..self.clone() }
    }

    /// Whether plans may take a kernel variant that needs leave.
    pub(crate) fn allows(&self, variant: &str) -> bool {
        self.allowed.iter().any(|allowed| **allowed == *variant)
    }

    /// Whether plans leave out a kernel variant because it failed its check on this adapter
    /// ([`selftest`](crate::check::selftest)), and nobody asks for it by name.
    pub(crate) fn bars(&self, variant: &str) -> bool {
        self.preferred() != Some(variant) && self.gpu().is_some_and(|gpu| gpu.tuned().bars(variant))
    }

    /// The kernel variant that it prefers.
    pub(crate) fn preferred(&self) -> Option<&str> {
        self.preferred.as_deref()
    }

    /// The same device, but never one that is opened after it was lost: what lies on it can be used there only.
    pub(crate) fn as_it_is(&self) -> Device {
        let kind = match &self.kind {
            Kind::Gpu(opened) => Kind::Gpu(Arc::new(Opened::new(opened.latest().clone()))),
            other => other.clone(),
        };
        Device { kind, ..self.clone() }
    }

    fn of(kind: Kind) -> Device {
        Device { kind, preferred: None, allowed: vec![], tunes: false, profiler: None, share: None }
    }
}

/// The CPU's name before those of the adapters.
fn names(adapters: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once("cpu".to_owned()).chain(adapters).collect()
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Gpu(opened) => {
                let info = opened.latest().info();
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
