//! Reading HDF5: arrays and text attributes by their paths.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use hdf5_pure::{DType, File, Group};

use super::guarded;
use crate::{Error, Result};

/// A file that is open for reading.
#[derive(Debug)]
pub struct Hdf5File {
    name: PathBuf,
    file: File,
}

/// A dataset, before its elements are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Hdf5Dataset {
    /// Names of the groups it lies in and its own, with `/` between them.
    pub path: String,
    /// Sizes of its axes, as declared.
    pub shape: Vec<u64>,
}

impl Hdf5File {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Hdf5File> {
        let bytes = fs::read(path).map_err(|source| Error::io(path, source, "check the name of the file"))?;
        Hdf5File::new(path, Cursor::new(bytes))
    }

    /// Of bytes.
    pub fn new(name: &Path, mut bytes: impl Read) -> Result<Hdf5File> {
        let mut all = Vec::new();
        bytes.read_to_end(&mut all).map_err(|source| Error::io(name, source, "check the file"))?;
        let file = guarded(|| File::from_bytes(all)).map_err(|error| Error::format(name, error))?;
        Ok(Hdf5File { name: name.to_path_buf(), file })
    }

    /// All datasets.
    pub fn datasets(&self) -> Result<Vec<Hdf5Dataset>> {
        fn walk(
            group: &Group,
            path: &str,
            found: &mut Vec<Hdf5Dataset>,
        ) -> std::result::Result<(), hdf5_pure::Error> {
            let inside =
                |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
            for (name, dataset) in group.iter_datasets()? {
                found.push(Hdf5Dataset { path: inside(&name), shape: dataset.shape()? });
            }
            for (name, child) in group.iter_groups()? {
                walk(&child, &inside(&name), found)?;
            }
            Ok(())
        }
        let mut found = Vec::new();
        guarded(|| walk(&self.file.root(), "", &mut found))
            .map_err(|error| Error::format(&self.name, error))?;
        Ok(found)
    }

    /// Text attributes.
    pub fn texts(&self, path: &str, key: &str) -> Result<Option<Vec<String>>> {
        let group = || if path.is_empty() { Some(self.file.root()) } else { self.file.group(path).ok() };
        let attributes = guarded(|| group().map(|group| group.attrs()).transpose())
            .map_err(|error| Error::format(&self.name, error))?;
        Ok(attributes.and_then(|mut all| all.remove(key)?.as_strings().map(<[String]>::to_vec)))
    }

    /// Floats.
    pub fn read_f32(&self, path: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let values = guarded(|| {
            let dataset = self.file.dataset(path)?;
            Ok(match dataset.dtype()? {
                DType::F32 => dataset.read_f32()?,
                _ => vec![],
            })
        })
        .map_err(|error| Error::format(&self.name, error))?;
        match values.len() == shape.iter().product::<usize>() {
            true => Ok(values),
            false => Err(Error::format(&self.name, format!("tensor '{path}': has another size"))),
        }
    }
}
