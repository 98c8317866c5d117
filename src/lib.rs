//! Lookalike learns to tell people apart from their photos, on any GPU.

mod error;
pub mod formats;
pub mod tensor;

pub use error::{Error, Result};
