//! Lookalike learns to tell people apart from their photos, on any GPU.

#[cfg(feature = "train")]
pub mod data;
#[cfg(feature = "vision")]
pub mod detect;
mod error;
pub mod formats;
pub mod tensor;
#[cfg(feature = "vision")]
pub mod vision;

pub use error::{Error, Result};
