//! Reading HDF5: arrays and text attributes by their paths.

use std::fs;
use std::path::{Path, PathBuf};

use hdf5_pure::{DType, File};

use super::guarded;
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// An HDF5 file that is open for reading.
#[derive(Debug)]
pub struct Hdf5 {
    path: PathBuf,
    file: File,
}

impl Hdf5 {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is no HDF5 file.
    pub fn open(path: &Path) -> Result<Hdf5> {
        let bytes = fs::read(path).map_err(|source| Error::io(path, source, "check the name of the file"))?;
        Hdf5::from_bytes(path, bytes)
    }

    /// Opens a file that is in memory already; errors call it `path`.
    ///
    /// # Errors
    /// [`Error::Format`] if it is no HDF5 file.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Hdf5> {
        let file = guarded(|| File::from_bytes(bytes)).map_err(|error| {
            Error::format(path, format!("no HDF5 file, or damaged ({error}); copy it again"))
        })?;
        Ok(Hdf5 { path: path.to_path_buf(), file })
    }

    /// A text attribute of a group; `""` is the root.
    ///
    /// # Errors
    /// [`Error::Format`] if the group is missing or damaged.
    pub fn text(&self, group: &str, name: &str) -> Result<Option<String>> {
        let attributes = self.read(group, || self.group(group)?.attrs())?;
        Ok(attributes.get(name).and_then(|value| value.as_str()).map(str::to_owned))
    }

    /// An attribute that lists texts.
    ///
    /// # Errors
    /// As [`Hdf5::text`].
    pub fn texts(&self, group: &str, name: &str) -> Result<Option<Vec<String>>> {
        let attributes = self.read(group, || self.group(group)?.attrs())?;
        Ok(attributes.get(name).map(|value| value.as_strings().unwrap_or_default().to_vec()))
    }

    /// Names of the arrays in a group, sorted; none where there is no such group.
    pub fn arrays(&self, group: &str) -> Vec<String> {
        let mut names = guarded(|| self.group(group)?.datasets()).unwrap_or_default();
        names.sort();
        names
    }

    /// The array of floats at `path`. Halves and doubles come as 32-bit floats.
    ///
    /// # Errors
    /// [`Error::Format`] if it is missing, damaged or no array of floats.
    pub fn floats(&self, path: &str) -> Result<HostTensor> {
        let (dtype, shape, values) = self.read(path, || {
            let dataset = self.file.dataset(path)?;
            let dtype = dataset.dtype()?;
            let values = match dtype {
                DType::F64 => dataset.read_f64()?.into_iter().map(|x| x as f32).collect(),
                DType::F32 => dataset.read_f32()?,
                _ => vec![],
            };
            Ok((dtype, dataset.shape()?, values))
        })?;
        let size = shape.iter().try_fold(1, |size: u64, &axis| size.checked_mul(axis));
        if size != Some(values.len() as u64) {
            let problem =
                format!("'{path}' is {dtype:?} {shape:?}, expected as many 32-bit or 64-bit floats");
            return Err(Error::format(&self.path, problem));
        }
        let shape: Vec<usize> = shape.into_iter().map(|axis| axis as usize).collect();
        Ok(HostTensor::new(Shape::from(shape), values))
    }

    /// The array of bytes at `path`.
    ///
    /// # Errors
    /// As [`Hdf5::floats`].
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        self.read(path, || self.file.dataset(path)?.read_u8())
    }

    fn group(&self, path: &str) -> std::result::Result<hdf5_pure::Group, hdf5_pure::Error> {
        if path.is_empty() { Ok(self.file.root()) } else { self.file.group(path) }
    }

    fn read<T>(
        &self,
        what: &str,
        work: impl FnOnce() -> std::result::Result<T, hdf5_pure::Error>,
    ) -> Result<T> {
        guarded(work).map_err(|error| {
            Error::format(&self.path, format!("'{what}' cannot be read ({error}); copy the file again"))
        })
    }
}
