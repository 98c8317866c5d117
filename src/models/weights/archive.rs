//! A file of named tensors, whatever its format.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::formats::hdf5::Hdf5File;
use crate::formats::npz::{NpzData, NpzFile};
use crate::formats::safetensors::SafetensorsFile;
use crate::models::keras_archive::{self, CONFIG};
use crate::{Error, Result};

const HDF5_MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// A file of named tensors that are read one by one.
pub(super) struct Archive {
    path: PathBuf,
    names: Vec<String>,
    format: Format,
}

enum Format {
    Hdf5 { file: Hdf5File, config: Option<Value> },
    Safetensors(SafetensorsFile),
    Npz(NpzFile),
}

impl Archive {
    /// Opens the file at `path`, of which `wanted` bytes of tensors are going to be read.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Format`] if it is of no known format, cut short or damaged.
    pub fn open(path: &Path, wanted: u64) -> Result<Archive> {
        let unreadable = |source| Error::io(path, source, "check the name of the file");
        let mut file = File::open(path).map_err(unreadable)?;
        let mut magic = Vec::new();
        file.by_ref().take(16).read_to_end(&mut magic).map_err(unreadable)?;
        let (names, format) = if magic.starts_with(HDF5_MAGIC) {
            hdf5(Hdf5File::open(path)?, None)?
        } else if magic.starts_with(ZIP_MAGIC) {
            zip(path, wanted)?
        } else if is_safetensors(&magic) {
            let file = SafetensorsFile::open(path)?;
            (file.names().map(str::to_owned).collect(), Format::Safetensors(file))
        } else {
            let problem =
                "is no file of weights, or cut short; give a Keras .h5 or .keras, a .safetensors or an .npz";
            return Err(Error::format(path, problem));
        };
        Ok(Archive { path: path.to_path_buf(), names, format })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, as the file has them. Folders are divided by `/`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The texts under a key of a group, which only HDF5 has.
    ///
    /// # Errors
    /// [`Error::Format`] if the group is damaged.
    pub fn texts(&self, group: &str, key: &str) -> Result<Option<Vec<String>>> {
        match &self.format {
            Format::Hdf5 { file, .. } => file.texts(group, key),
            Format::Safetensors(_) | Format::Npz(_) => Ok(None),
        }
    }

    /// Keras's configuration of the model, which only a `.keras` archive has beside the weights.
    pub fn config(&self) -> Option<&Value> {
        match &self.format {
            Format::Hdf5 { config, .. } => config.as_ref(),
            Format::Safetensors(_) | Format::Npz(_) => None,
        }
    }

    /// The elements of the tensor of this name, which has to have this shape.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Format`] if the tensor is missing, damaged, or of another shape
    /// or type.
    pub fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let no_floats =
            || Error::format(&self.path, format!("tensor '{name}': holds no floats; save it as float32"));
        match &mut self.format {
            Format::Hdf5 { file, .. } => file.read_f32(name, shape),
            Format::Safetensors(file) => match file.tensor(name, shape)?.into_data() {
                crate::tensor::Data::F32(values) => Ok(values),
                crate::tensor::Data::F64(values) => {
                    Ok(values.into_iter().map(|value| value as f32).collect())
                }
                _ => Err(no_floats()),
            },
            Format::Npz(file) => match file.array(name, Some(shape))?.into_data() {
                NpzData::F32(values) => Ok(values.into_owned()),
                NpzData::F64(values) => Ok(values.iter().map(|&value| value as f32).collect()),
                _ => Err(no_floats()),
            },
        }
    }
}

/// Whether a file begins with the length of a header and a header in JSON.
fn is_safetensors(magic: &[u8]) -> bool {
    magic.get(8) == Some(&b'{')
}

fn hdf5(file: Hdf5File, config: Option<Value>) -> Result<(Vec<String>, Format)> {
    let names = file.datasets()?.into_iter().map(|dataset| dataset.path).collect();
    Ok((names, Format::Hdf5 { file, config }))
}

/// A `.keras` archive, or else an `.npz`.
fn zip(path: &Path, wanted: u64) -> Result<(Vec<String>, Format)> {
    let Some(weights) = keras_archive::weights(path, wanted)? else {
        let file = NpzFile::open(path)?;
        return Ok((file.names().map(str::to_owned).collect(), Format::Npz(file)));
    };
    let config = keras_archive::text(path, CONFIG)?.and_then(|text| serde_json::from_slice(&text).ok());
    hdf5(Hdf5File::new(path, weights)?, config)
}
