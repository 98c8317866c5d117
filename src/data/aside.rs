//! Photos that show several faces: which was taken, and the contact sheet on which all are seen.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::choose::Why;
use super::cut::FaceCrop;
use crate::Result;
use crate::formats::atomic::write_atomically;
use crate::vision::sheet::{Row, Tile, contact_sheet};
use crate::vision::{RgbImage, encode_png};

/// Photos on one sheet: a page of about 3,200 pixels, which viewers still show at once.
const PHOTOS_PER_SHEET: usize = 16;

/// A photo that shows several faces, of which one or none was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Aside {
    /// The photo.
    pub photo: PathBuf,
    /// Its name in the dataset.
    pub source: String,
    /// Whose photo it is.
    pub person: String,
    /// SHA-256 of its file, in hexadecimal.
    pub content: String,
    /// Its faces, the largest first, at most [`MOST_FACES`](super::crops::MOST_FACES).
    pub faces: Vec<FaceCrop>,
    /// How many faces it shows.
    pub found: usize,
    /// Index of the face that was taken; none if the photo is left out.
    pub used: Option<usize>,
    /// Why.
    pub why: Why,
}

impl Aside {
    /// Indices of the faces that were not taken, the largest first.
    pub fn set_aside(&self) -> impl Iterator<Item = usize> {
        (0..self.faces.len()).filter(|&face| self.used != Some(face))
    }

    /// What the contact sheet shows: the face taken, framed, then the others.
    fn row(&self, size: usize) -> Result<Row> {
        let tile = |face: usize| {
            let picture = RgbImage::new(size, size, self.faces[face].pixels.clone())?;
            let marked = self.used == Some(face);
            let caption =
                if marked { format!("used: face {}", face + 1) } else { format!("face {}", face + 1) };
            Ok(Tile { picture, caption, marked })
        };
        let (taken, found) = (if self.used.is_some() { "used" } else { "left out" }, self.found);
        let shown = match self.faces.len() {
            shown if shown < found => format!(" (the {shown} largest are here)"),
            _ => String::new(),
        };
        Ok(Row {
            title: self.source.clone(),
            note: format!("{found} faces{shown}, {taken}: {}", self.why),
            tiles: self.used.into_iter().chain(self.set_aside()).map(tile).collect::<Result<_>>()?,
        })
    }
}

/// Draws the faces of these photos, crops of `size` pixels, with a row for each photo and the face taken in red, and
/// writes them to `first` as PNG, then to files that are called the same with `-2`, `-3` before the ending. Returns the
/// files' names; none if there is no photo.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if a file cannot be written.
pub fn write_sheets(aside: &[Aside], size: usize, first: &Path) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for (index, photos) in aside.chunks(PHOTOS_PER_SHEET).enumerate() {
        let rows = photos.iter().map(|photo| photo.row(size)).collect::<Result<Vec<_>>>()?;
        let png = encode_png(&contact_sheet(&rows))?;
        let path = sheet_name(first, index);
        write_atomically(&path, |file| file.write_all(&png))?;
        written.push(path);
    }
    Ok(written)
}

/// How many sheets show these photos.
pub(super) fn sheets_of(aside: &[Aside]) -> usize {
    aside.len().div_ceil(PHOTOS_PER_SHEET)
}

/// The name of the sheet with this index, from that of the first.
pub(super) fn sheet_name(first: &Path, index: usize) -> PathBuf {
    if index == 0 {
        return first.to_owned();
    }
    let mut name = OsString::from(first.file_stem().unwrap_or_default());
    name.push(format!("-{}.png", index + 1));
    first.with_file_name(name)
}
