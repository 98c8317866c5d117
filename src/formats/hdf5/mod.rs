//! HDF5, the container of Keras's files: groups that hold groups, arrays and attributes.
//!
//! Only the files here name the crate that knows the format. It is young, so its panics are caught at the door.

mod read;
mod write;

pub use read::{Hdf5Dataset, Hdf5File};
pub use write::Group;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` gives; its error, or its panic, as text.
fn guarded<T>(work: impl FnOnce() -> Result<T, hdf5_pure::Error>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("its structure makes no sense".into()),
    }
}
