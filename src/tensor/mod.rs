//! Shapes, element types and arrays in host memory: no GPU, no maths.

mod dtype;
mod host;
mod precision;
mod shape;

pub use dtype::{DType, TensorType};
pub use host::{Data, HostTensor};
pub use precision::Precision;
pub use shape::Shape;
