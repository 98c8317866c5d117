//! The parts of a `.keras` archive, as Keras 3 writes it: the architecture in JSON, the weights in HDF5.

use std::fs::File;
use std::path::Path;

use crate::Result;
use crate::formats::bundle;

/// The architecture.
pub(super) const CONFIG: &str = "config.json";
/// The weights.
pub(super) const WEIGHTS: &str = "model.weights.h5";
/// The longest text read.
const MAX_TEXT: u64 = 16 << 20;
/// What the weights may take, as a multiple of what is wanted of them: there are other layers, and the optimizer's
/// averages.
const MAX_SHARE: u64 = 64;
const MAX_MORE: u64 = 64 << 20;

/// A text of the archive, if it has it.
pub(super) fn text(path: &Path, name: &str) -> Result<Option<Vec<u8>>> {
    bundle::read(path, name, MAX_TEXT)
}

/// The weights of the archive, if it has some, of which `wanted` bytes are going to be read. HDF5 is read from anywhere,
/// which a compressed part does not allow: they are unpacked to a file without a name.
pub(super) fn weights(path: &Path, wanted: u64) -> Result<Option<File>> {
    bundle::unpack(path, WEIGHTS, wanted.saturating_mul(MAX_SHARE).saturating_add(MAX_MORE))
}
