//! Shapes, element types and arrays in host memory: no GPU, no maths.

mod dtype;
mod host;
mod shape;

pub use dtype::{DType, TensorType};
pub use host::{Data, HostTensor};
pub use shape::Shape;
