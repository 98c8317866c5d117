//! The first line of every run: what it runs on.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use lookalike::check::verified_tensor_cores;
use lookalike::folders::cache_folder;
use lookalike::gpu::GpuOptions;
use lookalike::profile::Profiler;
use lookalike::{Device, Result};

use super::display::{note, profile_table, say};
use super::number::throttle;

/// Choice of the device.
#[derive(Args, Debug)]
pub struct AdapterArguments {
    /// Adapter to run on, by name or number: cpu, nvidia, 1 (`lookalike info` lists them)
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
}

impl AdapterArguments {
    /// Opens the device and says which it is: beside the result, where that is a JSON document.
    pub fn open(&self, json: bool) -> Result<Device> {
        self.open_with(GpuOptions::default(), json)
    }

    /// The same with options for the GPU.
    pub fn open_with(&self, options: GpuOptions, json: bool) -> Result<Device> {
        let chosen =
            self.adapter.is_some() || std::env::var_os("LOOKALIKE_ADAPTER").is_some_and(|v| !v.is_empty());
        // Without a cache folder a run is slower to start, not less right.
        let cache = cache_folder().ok().map(|folder| folder.join("gpu"));
        let options = GpuOptions { cache, ..options };
        let device = match &self.adapter {
            Some(name) => Device::named_with(name, &options)?,
            None => Device::open_with(&options)?,
        };
        let without = if device.gpu().is_none() && !chosen {
            " (no GPU found; a Vulkan, Metal or DirectX 12 driver would be used)"
        } else {
            ""
        };
        announce(format_args!("{device}{without}"), json);
        Ok(device)
    }
}

/// Choice of the device, for commands that compute much on it.
#[derive(Args, Debug)]
pub struct RunArguments {
    #[command(flatten)]
    adapter: AdapterArguments,
    /// In the end, print what each operator took: time, share, bytes, floating-point operations. The run waits for the
    /// device more often, so it is slower
    #[arg(long)]
    profile: bool,
    /// Share of the time that the device may work, such as 0.5: the machine stays quick for other work, and the run takes longer
    #[arg(long, value_name = "SHARE", value_parser = throttle)]
    throttle: Option<f64>,
    #[command(flatten)]
    kernels: KernelArguments,
}

/// Choice of the kernels.
#[derive(Args, Clone, Copy, Debug)]
pub struct KernelArguments {
    /// First measure which kernels are the fastest on this GPU, and remember it for later runs too. Results may differ in
    /// the last digits from those before
    #[arg(long)]
    tune: bool,
    /// Compute convolutions and dense layers on the GPU's units for small matrices (tensor cores), where it has them and
    /// they pass a check first: faster, with factors rounded to 16 bits
    #[arg(long)]
    tensor_cores: bool,
}

impl KernelArguments {
    /// As [`AdapterArguments::open`]: a device that takes these kernels.
    pub fn open(&self, adapter: &AdapterArguments, json: bool) -> Result<Device> {
        let options = GpuOptions { tensor_cores: self.tensor_cores, ..GpuOptions::default() };
        let device = adapter.open_with(options, json)?;
        let device = if self.tensor_cores { with_tensor_cores(&device) } else { device };
        if self.tune { device.tuning() } else { Ok(device) }
    }

    /// Says what was measured, if that was asked for.
    pub fn report(&self, device: &Device) {
        if let (true, Some(gpu)) = (self.tune, device.gpu()) {
            note(format_args!("tuned: {}", gpu.tuning()));
        }
    }
}

impl RunArguments {
    /// As [`AdapterArguments::open`]; prints the profile when the run is over.
    pub fn open(&self, json: bool) -> Result<RunDevice> {
        let kernels = self.kernels;
        let device = kernels.open(&self.adapter, json)?;
        let device = match self.throttle {
            Some(share) => device.throttled(share),
            None => device,
        };
        if !self.profile {
            return Ok(RunDevice { device, kernels, profile: None });
        }
        let profiler = Arc::new(Profiler::default());
        let device = device.profiled(profiler.clone());
        Ok(RunDevice { device, kernels, profile: Some(Profile { profiler, start: Instant::now(), json }) })
    }
}

/// The device with those variants for its tensor cores that pass their check. Says what came of it, beside the result.
fn with_tensor_cores(device: &Device) -> Device {
    let (device, verified) = verified_tensor_cores(device);
    if verified.is_empty() {
        note(format_args!(
            "warning: {device} offers no matrices that Lookalike has kernels for; --tensor-cores changes nothing"
        ));
    }
    for (variant, result) in verified {
        match result {
            Ok(()) => note(format_args!("tensor cores: {variant}, which passed its check here")),
            Err(failure) => {
                note(format_args!("warning: {variant} fails its check and is not used: {failure}"))
            }
        }
    }
    device
}

/// The device of a run. At its end, which is that of the run, it says what was measured to tune it, and the profile is
/// printed, if these were asked for: beside the result, where that is a JSON document.
pub struct RunDevice {
    device: Device,
    kernels: KernelArguments,
    profile: Option<Profile>,
}

struct Profile {
    profiler: Arc<Profiler>,
    start: Instant,
    json: bool,
}

impl Deref for RunDevice {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.device
    }
}

impl Drop for RunDevice {
    fn drop(&mut self) {
        self.kernels.report(&self.device);
        let Some(Profile { profiler, start, json }) = &self.profile else { return };
        let table = profile_table(&profiler.spent(), self.device.clock(), start.elapsed().as_secs_f64());
        if *json { note(table) } else { say(table) }
    }
}

/// Says which device a run uses.
pub fn announce(device: impl std::fmt::Display, json: bool) {
    let line = format_args!("device: {device}");
    if json { note(line) } else { say(line) }
}
