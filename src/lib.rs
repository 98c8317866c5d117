//! Lookalike learns to tell people apart from their photos, on any GPU.

#[cfg(feature = "check")]
#[doc(hidden)]
pub mod check;
mod cpu;
#[cfg(feature = "train")]
pub mod data;
#[cfg(feature = "vision")]
pub mod detect;
mod device;
mod error;
pub mod formats;
pub mod gpu;
pub mod graph;
pub mod ops;
pub mod tensor;
#[cfg(feature = "vision")]
pub mod vision;

pub use device::Device;
pub use error::{Error, Result};
