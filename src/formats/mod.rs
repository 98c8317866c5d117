//! Bytes to named arrays and back. Every file is written whole or not at all.

pub mod atomic;
#[cfg(feature = "train")]
pub mod bundle;
#[cfg(feature = "train")]
pub mod checksum;
#[cfg(feature = "train")]
pub mod hdf5;
#[cfg(feature = "train")]
mod npy;
#[cfg(feature = "train")]
pub mod npz;
#[cfg(feature = "train")]
pub mod onnx;
pub mod safetensors;
