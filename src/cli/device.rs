//! The first line of every run: what it runs on.

use clap::Args;
use lookalike::folders::cache_folder;
use lookalike::gpu::GpuOptions;
use lookalike::{Device, Result};

use super::display::{note, say};

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
        let chosen =
            self.adapter.is_some() || std::env::var_os("LOOKALIKE_ADAPTER").is_some_and(|v| !v.is_empty());
        // Without a cache folder a run is slower to start, not less right.
        let pipeline_cache = cache_folder().ok().map(|folder| folder.join("pipelines"));
        let options = GpuOptions { pipeline_cache, ..GpuOptions::default() };
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

/// Says which device a run uses.
pub fn announce(device: impl std::fmt::Display, json: bool) {
    let line = format_args!("device: {device}");
    if json { note(line) } else { say(line) }
}
