//! Pictures of a folder as frames.

use std::path::{Path, PathBuf};

use lookalike::vision::decode;
use lookalike::{Error, Result};

use super::{Frame, Source};

/// Pictures of a folder, in the order of their names.
pub struct Folder {
    pictures: std::vec::IntoIter<PathBuf>,
    max_pixels: u64,
}

impl Folder {
    /// The pictures in a folder, by their endings.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Input`] if there is none in it.
    pub fn open(path: &Path, max_pixels: u64) -> Result<Folder> {
        let unreadable = |source| Error::io(path, source, "name a folder that you may read");
        let entries = std::fs::read_dir(path).map_err(unreadable)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
        let mut pictures = paths.map_err(unreadable)?;
        pictures.retain(|path| {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            matches!(&*ending, "jpg" | "jpeg" | "png" | "webp")
        });
        if pictures.is_empty() {
            return Err(Error::Input(format!(
                "{}: no jpg, png or webp picture in this folder",
                path.display()
            )));
        }
        pictures.sort();
        Ok(Folder { pictures: pictures.into_iter(), max_pixels })
    }
}

impl Source for Folder {
    fn next(&mut self) -> Result<Option<Frame>> {
        Ok(self.pictures.next().map(|path| Frame {
            name: Some(path.file_name().unwrap_or_default().to_string_lossy().into_owned()),
            picture: decode(&path, self.max_pixels),
        }))
    }
}
