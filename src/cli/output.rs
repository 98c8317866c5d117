//! Writing results: folders and whole files.

use std::fs;
use std::path::Path;

use lookalike::formats::atomic::write_atomically;
use lookalike::vision::{RgbImage, encode_png};
use lookalike::{Error, Result};

/// Makes the folder and those it lies in.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| Error::io(path, source, "choose a folder that can be made"))
}

/// Writes the bytes of a file, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically(path, |file| file.write_all(bytes))
}

/// Writes a picture as PNG.
pub fn write_png(path: &Path, image: &RgbImage) -> Result<()> {
    write(path, &encode_png(image)?)
}
