//! Writing results: folders and whole files.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

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

/// A path in `folder` for the copy of each photo: its own name, JPEG for JPEG, else PNG; numbered where two photos
/// have one name, and never that of a photo itself.
pub fn copy_names(photos: &[PathBuf], folder: &Path) -> Vec<PathBuf> {
    let originals: HashSet<PathBuf> =
        photos.iter().filter_map(|photo| fs::canonicalize(photo).ok()).collect();
    let mut taken = HashSet::new();
    let mut free = |name: &str| {
        let path = folder.join(name);
        let is_original = fs::canonicalize(&path).is_ok_and(|path| originals.contains(&path));
        // Some file systems take capitals for small letters.
        (!is_original && taken.insert(name.to_lowercase())).then_some(path)
    };
    let mut name_of = |photo: &PathBuf| {
        let stem = photo.file_stem().unwrap_or_default().to_string_lossy();
        let ending = photo.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let ending = if matches!(ending.as_str(), "jpg" | "jpeg") { "jpg" } else { "png" };
        let numbered = (2..).map(|number| format!("{stem}-{number}.{ending}"));
        let mut names = std::iter::once(format!("{stem}.{ending}")).chain(numbered);
        names.find_map(|name| free(&name)).expect("numbers do not end")
    };
    photos.iter().map(&mut name_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_names_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("c.jpg");
        fs::write(&here, "").unwrap();
        let photos = ["a/x.jpg", "b/x.JPEG", "b/x.webp", "b/X.png"].map(PathBuf::from);
        let names = copy_names(&[&photos[..], &[here]].concat(), folder.path());
        let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["x.jpg", "x-2.jpg", "x.png", "X-2.png", "c-2.jpg"]);
    }
}
