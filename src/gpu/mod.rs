//! The GPU: adapters, buffers, kernels, submission. The only room that names `wgpu`; it knows no shape.

mod adapter;
mod buffers;
mod kernel;
mod pipelines;
mod queue;
mod sequence;

pub use adapter::{AdapterInfo, AdapterKind, Gpu, GpuOptions};
pub(crate) use buffers::Buffer;
pub(crate) use kernel::{Kernel, Shader, shader};
pub(crate) use queue::{ReadBack, Upload};
pub(crate) use sequence::{Launch, Sequence};
