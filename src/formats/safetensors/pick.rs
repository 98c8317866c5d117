//! Some tensors of a file that need not fit into memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorInfo;

use super::{ALL_METADATA, LENGTH_BYTES, array, infos, split_header};
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// The longest header read: tens of thousands of tensors.
const MAX_HEADER_BYTES: u64 = 4 << 20;

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
        let read = |source| Error::io(path, source, "check the name of the file");
        let wrong = |problem| Error::format(path, problem);
        let mut file = File::open(path).map_err(read)?;
        let size = file.metadata().map_err(read)?.len();
        let mut beginning = Vec::new();
        file.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut beginning).map_err(read)?;
        let length = beginning.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if length > MAX_HEADER_BYTES && length <= size {
            return Err(wrong(format!(
                "has a header of {length} bytes, at most {MAX_HEADER_BYTES} are read; is it a safetensors file?"
            )));
        }
        file.by_ref().take(length.min(MAX_HEADER_BYTES)).read_to_end(&mut beginning).map_err(read)?;
        let (mut header, _) = split_header(&beginning).map_err(wrong)?;
        header.remove(ALL_METADATA);
        let start = beginning.len() as u64;
        let data_len = usize::try_from(size.saturating_sub(start)).unwrap_or(usize::MAX);
        let tensors = infos(header, data_len).map_err(wrong)?.into_iter().collect();
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
        let (start, end) = info.data_offsets;
        let mut bytes = vec![0; end - start];
        self.file
            .seek(SeekFrom::Start(self.start + start as u64))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|source| Error::io(&self.path, source, "copy or download the file again"))?;
        array(info, &bytes).map_err(wrong)
    }
}
