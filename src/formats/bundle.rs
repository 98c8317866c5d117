//! A few named files in one zip archive, such as a `.keras` file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::atomic::write_atomically;
use crate::{Error, Result};

/// Reads those of the files called `names` that the archive at `path` holds, none of more than `limit` bytes.
///
/// # Errors
/// [`Error::Io`] if the archive cannot be opened, [`Error::Format`] if it is none, damaged, or a file in it is larger.
pub fn read(path: &Path, names: &[&str], limit: u64) -> Result<BTreeMap<String, Vec<u8>>> {
    let opened = |source| Error::io(path, source, "check the name of the file");
    let file = File::open(path).map_err(opened)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        Error::format(path, format!("no zip archive, or cut short ({error}); copy it again"))
    })?;
    let mut files = BTreeMap::new();
    for &name in names {
        let Some(index) = archive.index_for_name(name) else { continue };
        let damaged =
            |problem: String| Error::format(path, format!("'{name}': {problem}; copy the file again"));
        let entry = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        let mut bytes = Vec::new();
        entry.take(limit + 1).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
        if bytes.len() as u64 > limit {
            return Err(damaged(format!("is larger than {limit} bytes")));
        }
        files.insert(name.to_owned(), bytes);
    }
    Ok(files)
}

/// Writes an archive of these files, not compressed, whole or not at all. Equal files give equal bytes.
///
/// # Errors
/// [`Error::Io`] if it cannot be written.
pub fn write(path: &Path, files: &[(&str, &[u8])]) -> Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored) // weights do not shrink
        .last_modified_time(DateTime::default()) // the same every time
        .large_file(true);
    write_atomically(path, |out| {
        let mut archive = ZipWriter::new_stream(out);
        for (name, bytes) in files {
            archive.start_file(*name, options)?;
            archive.write_all(bytes)?;
        }
        archive.finish()?.flush()
    })
}
