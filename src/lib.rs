//! Lookalike learns to tell people apart from their photos, on any GPU.

#[cfg(feature = "check")]
#[doc(hidden)]
pub mod check;
mod cpu;
mod device;
mod error;
pub mod gpu;
pub mod graph;
pub mod ops;
pub mod tensor;

pub use device::Device;
pub use error::{Error, Result};
