//! Some tensors of a file that need not fit into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorInfo;

use super::{ALL_METADATA, Header, array, header, infos, unreadable};
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// A file of which tensors are read one by one.
#[derive(Debug)]
pub struct SafetensorsFile {
    path: PathBuf,
    file: File,
    /// Where the tensors begin.
    start: u64,
    tensors: BTreeMap<String, TensorInfo>,
}

impl SafetensorsFile {
    /// Opens the file at `path` and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is cut short or no such file.
    pub fn open(path: &Path) -> Result<SafetensorsFile> {
        let (mut file, size) = super::open(path)?;
        let Header { mut entries, start, data_len } = header(path, &mut file, size)?;
        entries.remove(ALL_METADATA);
        let tensors = infos(entries, data_len).map_err(|problem| Error::format(path, problem))?;
        let tensors = tensors.into_iter().collect();
        Ok(SafetensorsFile { path: path.to_path_buf(), file, start, tensors })
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of this name, which has to have this shape: another one is refused before anything is read. Half
    /// floats (F16, BF16) come as 32-bit floats.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Format`] if there is no such tensor, or it has another shape
    /// or a type that is not read.
    pub fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<HostTensor> {
        let wrong = |problem: String| Error::format(&self.path, format!("tensor '{name}': {problem}"));
        let info = self.tensors.get(name).ok_or_else(|| wrong("is missing".into()))?;
        if info.shape != shape {
            return Err(wrong(format!("has shape {:?}, expected {shape:?}", info.shape)));
        }
        let start = SeekFrom::Start(self.start + info.data_offsets.0 as u64);
        self.file.seek(start).map_err(|error| unreadable(&self.path, error))?;
        array(&self.path, name, info, &mut self.file)
    }
}
