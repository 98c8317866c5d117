//! Running kernels without a GPU: element storage and the slots that a twin reads and writes.

mod elements;
mod float;
mod product;
mod slots;
mod storage;

pub(crate) use elements::{PIECE, elements};
pub use float::Float;
pub(crate) use product::{Matrix, product};
pub(crate) use slots::{Slots, Twin, params};
pub(crate) use storage::{Storage, half};
