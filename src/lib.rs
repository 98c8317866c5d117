//! Lookalike learns to tell people apart from their photos, on any GPU.

#[cfg(feature = "train")]
pub mod data;
mod error;
pub mod formats;
pub mod tensor;

pub use error::{Error, Result};
