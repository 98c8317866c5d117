//! The GPU: adapters, buffers, kernels, submission. The only room that names `wgpu`; it knows no shape.

mod adapter;
mod buffers;
mod kernel;
mod pieces;
mod pipeline_cache;
mod pipelines;
mod queue;
mod sequence;
mod trouble;
mod tuned;
mod waiting;

pub use adapter::{AdapterInfo, AdapterKind, Gpu, GpuOptions};
pub(crate) use adapter::{Class, Matrices};
pub(crate) use buffers::Buffer;
pub(crate) use kernel::{Kernel, Piece, Shader, piece, shader};
pub(crate) use queue::{ReadBack, Upload};
pub(crate) use sequence::{Launch, Sequence};
pub use tuned::Tuning;
pub(crate) use waiting::block_on;
