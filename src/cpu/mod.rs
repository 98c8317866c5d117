//! Running kernels without a GPU: element storage and the slots that a twin reads and writes.

mod float;
mod product;
mod slots;
mod storage;

pub use float::Float;
pub(crate) use product::{Matrix, product};
pub(crate) use slots::{Slots, Twin, params};
pub(crate) use storage::Storage;
