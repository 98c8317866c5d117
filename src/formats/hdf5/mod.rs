//! HDF5, the format of Keras's `.h5` files. Only this folder names the crate `hdf5-pure`.
//!
//! Files come from strangers: whatever a file declares is compared with what is asked for before anything is
//! allocated, what is read of it is counted, and a panic of the crate becomes an [`Error`](crate::Error).

mod read;
mod source;
mod write;

pub use read::{Hdf5Dataset, Hdf5File};
pub use write::Hdf5Group;
