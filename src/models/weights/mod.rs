//! Pretrained weights: from the files of Keras, PyTorch and NumPy to the parameters of an architecture.
//!
//! Whatever the format, only the tensors that the architecture asks for are read, and only after what the file declares
//! of them fits. All are there, have the right shapes and are finite, or there is an error: nothing goes on with a base
//! that is missing or random.

mod archive;
mod keras3;
mod known;
mod names;
mod place;
mod torchvision;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use self::archive::Archive;
use self::names::Wanted;
use super::Model;
use crate::formats::checksum::{Checksums, checksums};
use crate::ops::Normalize;
use crate::tensor::HostTensor;
use crate::{Error, Result};

pub use known::{KerasFile, VGG16};
pub use place::{downloaded, none_given};

/// Weights for an architecture, from one file.
#[derive(Clone, Debug)]
pub struct Pretrained {
    /// The parameters of the architecture by name, in its shapes: finite 32-bit floats.
    pub tensors: BTreeMap<String, HostTensor>,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// How pixels have to be prepared for these weights, where the file is a known one.
    pub normalize: Option<Normalize>,
}

impl Pretrained {
    /// How pixels have to be prepared: as given, else as known for the file at `path`.
    ///
    /// # Errors
    /// [`Error::Input`] if neither is there. The same shapes may want different pixels, so there is no default.
    pub fn preprocessing(&self, path: &Path, given: Option<Normalize>) -> Result<Normalize> {
        given.or(self.normalize).ok_or_else(|| {
            Error::Input(format!(
                "{}: is no file whose preprocessing is known; say with --preprocessing what its network was trained \
                 with: caffe (Keras's VGG16), torch (torchvision) or unit (0 to 1)",
                path.display()
            ))
        })
    }
}

/// Reads from the file at `path` the parameters of `architecture`: a Keras `.h5`, `.weights.h5` or `.keras` of any
/// version, a `.safetensors` or an `.npz`, told apart by their content.
///
/// Tensors are found by the names of the architecture's parameters, or by torchvision's; what else the file holds is
/// left alone.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is of another format, cut short or damaged, or if a
/// tensor is missing, has another shape or type, or is not finite.
pub fn read(path: &Path, architecture: &Model) -> Result<Pretrained> {
    let wanted = names::wanted(architecture)?;
    let bytes: u64 = wanted.iter().map(|wanted| 4 * wanted.shape.len() as u64).sum();
    let Checksums { sha256, md5 } = sums(path)?;
    let mut archive = Archive::open(path, bytes)?;
    let found = find(path, &archive, architecture, &wanted)?;

    let mut tensors = BTreeMap::new();
    for (wanted, name) in wanted.into_iter().zip(found) {
        let values = match wanted.oihw.filter(|_| name.torch) {
            None => archive.read(&name.path, &wanted.shape)?,
            Some(oihw) => torchvision::to_hwio(&archive.read(&name.path, &oihw)?, oihw),
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let problem = format!(
                "tensor '{}': {} at {:?} is not finite; use another file",
                name.path,
                values[at],
                wanted.shape.coordinates(at)
            );
            return Err(Error::format(path, problem));
        }
        tensors.insert(wanted.name, HostTensor::new(wanted.shape, values));
    }
    let normalize = known::normalize(&sha256, &md5);
    Ok(Pretrained { tensors, sha256, normalize })
}

/// Where a parameter's values are.
struct Found {
    path: String,
    /// Whether the file has it in PyTorch's layout.
    torch: bool,
}

/// The place of each wanted parameter in the file.
fn find(path: &Path, archive: &Archive, architecture: &Model, wanted: &[Wanted]) -> Result<Vec<Found>> {
    let stored = archive.names();
    let torch = torchvision::find(stored, architecture, wanted);
    let is_torch = torch.is_some();
    let places = match torch {
        Some(places) => places,
        None if keras3::applies(stored) => keras3::find(archive, architecture, wanted)?,
        None => names::find(archive, wanted)?,
    };
    let mut found = Vec::new();
    for (wanted, places) in wanted.iter().zip(places) {
        match <[String; 1]>::try_from(places) {
            Ok([path]) => found.push(Found { path, torch: is_torch }),
            Err(places) if places.is_empty() => return Err(missing(path, wanted, stored)),
            Err(places) => {
                let problem = format!(
                    "tensor '{}' is there {} times: {}; keep one of them",
                    wanted.name,
                    places.len(),
                    places.join(", ")
                );
                return Err(Error::format(path, problem));
            }
        }
    }
    Ok(found)
}

fn missing(path: &Path, wanted: &Wanted, stored: &[String]) -> Error {
    /// Names that show which network a file is of.
    const SHOWN: usize = 4;
    let shown: Vec<&str> = stored.iter().take(SHOWN).map(String::as_str).collect();
    let more = if stored.len() > SHOWN { ", …" } else { "" };
    Error::format(
        path,
        format!(
            "tensor '{}' of shape {} is missing; found {} tensors: {}{more}; use weights of the same network",
            wanted.name,
            wanted.shape,
            stored.len(),
            shown.join(", ")
        ),
    )
}

fn sums(path: &Path) -> Result<Checksums> {
    let unreadable = |source| Error::io(path, source, "check the name of the file");
    let mut file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Error::format(path, "is not a file; name a file of weights"));
    }
    checksums(&mut file).map_err(unreadable)
}

#[cfg(test)]
mod tests;
