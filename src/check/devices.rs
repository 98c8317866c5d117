//! The GPUs that checks run on, opened once, with WebGPU's default limits.

use std::sync::{Arc, OnceLock};

use crate::device::{ADAPTER_VARIABLE, Device};
use crate::gpu::GpuOptions;
use crate::ops::tensor_core_variants;

/// The adapter that `LOOKALIKE_ADAPTER` names, `llvmpipe` without it, with WebGPU's default limits: a kernel
/// over them fails. It allows the variants that need leave, so that they are checked with the others.
///
/// # Panics
/// If there is no such adapter.
pub fn gpu() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| open(GpuOptions { default_limits: true, ..GpuOptions::default() }))
}

/// The same with at most 7 workgroups per grid axis, so that small tensors need folded grids.
///
/// # Panics
/// If there is no such adapter.
pub fn folded() -> &'static Device {
    FOLDED.get_or_init(|| {
        open(GpuOptions { default_limits: true, max_groups: Some(7), ..GpuOptions::default() })
    })
}

static FOLDED: OnceLock<Device> = OnceLock::new();

/// Whether `device` is the one of [`folded`].
pub(super) fn is_folded(device: &Device) -> bool {
    let folded = FOLDED.get().and_then(|folded| folded.gpu());
    device.gpu().zip(folded).is_some_and(|(gpu, folded)| Arc::ptr_eq(gpu, folded))
}

fn open(options: GpuOptions) -> Device {
    let name = std::env::var(ADAPTER_VARIABLE).unwrap_or_else(|_| "llvmpipe".into());
    let device = Device::named_with(&name, &GpuOptions { tensor_cores: true, ..options });
    let device =
        device.unwrap_or_else(|problem| panic!("{problem}; scripts/test installs a software driver"));
    tensor_core_variants(&device).into_iter().fold(device, |device, variant| device.allowing(variant))
}
