//! A few named files in one zip archive, such as a `.keras` file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::atomic::write_atomically;
use crate::{Error, Result};

/// The file called `name` in the archive at `path`, if it holds one, of at most `limit` bytes.
///
/// # Errors
/// [`Error::Io`] if the archive cannot be opened, [`Error::Format`] if it is none, damaged, or the file in it is larger.
pub fn read(path: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    Ok(extract(path, name, limit, &mut bytes)?.then_some(bytes))
}

/// [`read`] to a file without a name, which is rewound.
///
/// # Errors
/// As [`read`], and [`Error::Io`] if there is no room for the file.
pub fn unpack(path: &Path, name: &str, limit: u64) -> Result<Option<File>> {
    let failed =
        |source| Error::io(path, source, "it has to be unpacked; free some space for temporary files");
    let mut file = tempfile::tempfile().map_err(failed)?;
    let found = extract(path, name, limit, &mut file)?;
    file.rewind().map_err(failed)?;
    Ok(found.then_some(file))
}

/// Copies the file called `name`; false if there is none.
fn extract(path: &Path, name: &str, limit: u64, out: &mut dyn Write) -> Result<bool> {
    let file = File::open(path).map_err(|source| Error::io(path, source, "check the name of the file"))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        Error::format(path, format!("no zip archive, or cut short ({error}); copy it again"))
    })?;
    let Some(index) = archive.index_for_name(name) else { return Ok(false) };
    let damaged = |problem: String| Error::format(path, format!("'{name}': {problem}; copy the file again"));
    let entry = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
    let size = io::copy(&mut entry.take(limit + 1), out).map_err(|error| damaged(error.to_string()))?;
    if size > limit {
        return Err(damaged(format!("is larger than {limit} bytes")));
    }
    Ok(true)
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
