//! What an interrupted run need not do again: a file per finished photo, found by the photo's content.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::crop_options::CropOptions;
use super::cut::{Cut, FaceCrop, MOST_FACES, Outcome};
use super::duplicates::Fingerprint;
use crate::detect::{Detector, Face};
use crate::formats::atomic::TEMPORARY;
use crate::formats::checksum::hex;
use crate::formats::safetensors::{self, TensorFile};
use crate::tensor::{Data, HostTensor};
use crate::vision::Rect;
use crate::{Error, Result};

/// What a finished photo's file is called after its keys.
const ENDING: &str = ".face.safetensors";

/// Finished photos of runs with the same settings.
#[derive(Debug)]
pub(super) struct Journal<'a> {
    folder: &'a Path,
    settings: &'a str,
    size: usize,
    /// Names of the files that this run has read or written.
    current: Mutex<HashSet<String>>,
}

/// A number for all that decides what becomes of a photo besides its content: the detector, the options, and this
/// version of the program. Equal settings, equal crops.
pub(super) fn settings(detector: &dyn Detector, options: &CropOptions) -> String {
    let options = CropOptions { least_people: 0, ..options.clone() };
    let version = env!("CARGO_PKG_VERSION");
    let all = format!("{version}\n{MOST_FACES}\n{options:?}\n{}\n{}", detector.name(), detector.settings());
    hash(all.as_bytes())[..16].to_owned()
}

/// SHA-256 of the bytes, in hexadecimal.
pub(super) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl<'a> Journal<'a> {
    /// The journal in this folder, which is made with the first photo. `size` is that of a crop.
    pub fn new(folder: &'a Path, settings: &'a str, size: usize) -> Journal<'a> {
        Journal { folder, settings, size, current: Mutex::default() }
    }

    /// What became of the photo with this [hash], if an earlier run has finished it. A file that is damaged or
    /// something else counts as none: the photo is done again, and its file written anew.
    pub fn read(&self, content: &str) -> Option<Outcome> {
        let file = safetensors::read(self.path(content)).ok()?;
        from_file(file, self.size)
    }

    /// Notes what became of the photo with this [hash].
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write(&self, content: &str, outcome: &Outcome) -> Result<()> {
        let advice = "choose another place for the result";
        fs::create_dir_all(self.folder).map_err(|source| Error::io(self.folder, source, advice))?;
        safetensors::write(self.path(content), &to_file(outcome, self.size))
    }

    fn path(&self, content: &str) -> PathBuf {
        let name = format!("{content}-{}{ENDING}", self.settings);
        let path = self.folder.join(&name);
        self.current.lock().expect("no thread panics while it notes a name").insert(name);
        path
    }

    /// Removes what this run did not need: photos that are gone, other settings.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be removed.
    pub fn remove_others(&self) -> Result<()> {
        let current = self.current.lock().expect("no thread panics while it notes a name");
        remove_files(self.folder, |name| !current.contains(name))
    }
}

/// Removes the journal in this folder, and the folder if nothing else lies in it.
///
/// # Errors
/// [`Error::Io`] if a file cannot be removed.
pub fn remove_journal(folder: &Path) -> Result<()> {
    remove_files(folder, |_| true)?;
    match fs::remove_dir(folder) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
            Err(unremovable(folder, error))
        }
        _ => Ok(()),
    }
}

/// Removes the journal's files with these names, and what a run that was killed while it wrote one left.
fn remove_files(folder: &Path, these: impl Fn(&str) -> bool) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| unremovable(folder, error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| unremovable(folder, error))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(TEMPORARY) || name.ends_with(ENDING) && these(&name) {
            fs::remove_file(entry.path()).map_err(|error| unremovable(&entry.path(), error))?;
        }
    }
    Ok(())
}

fn unremovable(path: &Path, error: std::io::Error) -> Error {
    Error::io(path, error, "remove it yourself; it holds finished photos of a run that is over")
}

fn to_file(outcome: &Outcome, size: usize) -> TensorFile {
    let cut = match outcome {
        Ok(cut) => cut,
        Err(reason) => return TensorFile { tensors: [].into(), metadata: json!({"reason": reason}) },
    };
    let face = |FaceCrop { face: Face { rect, score, landmarks }, .. }: &FaceCrop| {
        let Rect { x, y, width, height } = rect;
        json!({"box": [x, y, width, height], "score": score, "landmarks": landmarks})
    };
    let faces: Vec<Value> = cut.faces.iter().map(face).collect();
    let count = faces.len();
    let pixels: Vec<u8> = cut.faces.iter().flat_map(|face| &face.pixels).copied().collect();
    let views = || std::iter::once(&cut.fingerprint).chain(cut.faces.iter().map(|face| &face.fingerprint));
    let fingerprints: Vec<f32> = views().flat_map(Fingerprint::values).copied().collect();
    let width = fingerprints.len() / (count + 1);
    let tensors = [
        ("crops", HostTensor::new([count, size, size, 3], pixels)),
        ("fingerprints", HostTensor::new([count + 1, width], fingerprints)),
    ];
    TensorFile {
        tensors: tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into(),
        metadata: json!({"faces": faces, "found": cut.found, "whole": cut.whole}),
    }
}

fn from_file(mut file: TensorFile, size: usize) -> Option<Outcome> {
    if let Some(reason) = file.metadata["reason"].as_str() {
        return Some(Err(reason.to_owned()));
    }
    let faces = file.metadata["faces"].as_array()?.iter().map(face).collect::<Option<Vec<Face>>>()?;
    let (crops, fingerprints) = (file.tensors.remove("crops")?, file.tensors.remove("fingerprints")?);
    let Data::U8(pixels) = crops.data() else { return None };
    let fingerprints = fingerprints.to_f32();
    let mut fingerprints =
        Fingerprint::many(&fingerprints).filter(|all| all.len() == faces.len() + 1)?.into_iter();
    if faces.is_empty() || pixels.len() != faces.len() * size * size * 3 {
        return None;
    }
    let fingerprint = fingerprints.next()?;
    let crops = pixels.chunks_exact(size * size * 3).map(<[u8]>::to_vec);
    let faces = faces.into_iter().zip(crops).zip(fingerprints);
    Some(Ok(Cut {
        faces: faces.map(|((face, pixels), fingerprint)| FaceCrop { face, pixels, fingerprint }).collect(),
        found: usize::try_from(file.metadata["found"].as_u64()?).ok()?,
        whole: file.metadata["whole"].as_bool()?,
        fingerprint,
    }))
}

fn face(value: &Value) -> Option<Face> {
    let [x, y, width, height] = serde_json::from_value(value["box"].clone()).ok()?;
    Some(Face {
        rect: Rect { x, y, width, height },
        score: serde_json::from_value(value["score"].clone()).ok()?,
        landmarks: serde_json::from_value(value["landmarks"].clone()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{OPTIONS, Told};

    fn example() -> Cut {
        let fingerprint = |seed: u8| Fingerprint::new(&[seed, 7, 9, 1, 2, 3], 2, 1);
        let face = |x: f32, landmarks| FaceCrop {
            face: Face { rect: Rect { x, y: 0.1, width: 1e-7, height: 3e9 }, score: 0.123_456_79, landmarks },
            pixels: (0..4 * 4 * 3).map(|i| i + x as u8).collect(),
            fingerprint: fingerprint(x as u8),
        };
        let landmarks = [[1.0, 2.5], [0.3, 4.0], [-1.0, 1e-9], [7.0, 8.0], [9.0, 0.1]];
        let faces = vec![face(1.3, Some(landmarks)), face(-2.7, None)];
        Cut { faces, found: 9, whole: false, fingerprint: fingerprint(200) }
    }

    #[test]
    fn what_is_noted_is_read_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder");
        let journal = Journal::new(&path, "settings", 4);
        for (content, outcome) in [("a", Ok(example())), ("b", Err("no face \"found\"".to_owned()))] {
            assert_eq!(journal.read(content), None);
            journal.write(content, &outcome).unwrap();
            assert_eq!(journal.read(content), Some(outcome));
        }
        assert_eq!(Journal::new(&path, "other", 4).read("a"), None, "other settings");
        assert_eq!(Journal::new(&path, "settings", 5).read("a"), None, "no crops of this size");
    }

    #[test]
    fn a_file_that_is_something_else_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path(), "settings", 4);
        let good = to_file(&Ok(example()), 4);
        let broken: [fn(&mut TensorFile); 6] = [
            |file| file.metadata = Value::Null,
            |file| file.metadata["faces"] = json!([]),
            |file| file.metadata["faces"][0]["box"] = json!([1, 2, 3]),
            |file| file.metadata["whole"] = Value::Null,
            |file| drop(file.tensors.remove("crops")),
            |file| drop(file.tensors.insert("fingerprints".into(), HostTensor::new([2], vec![0.5_f32, 1.0]))),
        ];
        for (index, break_it) in broken.into_iter().enumerate() {
            let mut file = good.clone();
            break_it(&mut file);
            safetensors::write(journal.path("a"), &file).unwrap();
            assert_eq!(journal.read("a"), None, "case {index}");
        }
        fs::write(journal.path("a"), "something").unwrap();
        assert_eq!(journal.read("a"), None);
    }

    #[test]
    fn settings_are_all_that_changes_the_crops() {
        let told = Told::default();
        let base = settings(&told, &OPTIONS);
        assert_eq!(base, settings(&told, &CropOptions { least_people: 1, ..OPTIONS }));
        for other in [
            CropOptions { size: 33, ..OPTIONS },
            CropOptions { margin: 0.1, ..OPTIONS },
            CropOptions { whole: true, ..OPTIONS },
            CropOptions { max_pixels: 1, ..OPTIONS },
        ] {
            assert_ne!(base, settings(&told, &other), "{other:?}");
        }
        let cascade = crate::detect::Cascade::frontal();
        let options = crate::detect::CascadeOptions { scale_factor: 1.3, ..Default::default() };
        let other = cascade.clone().with_options(options).unwrap();
        assert_ne!(settings(&cascade, &OPTIONS), settings(&other, &OPTIONS));
    }

    #[test]
    fn the_hash_is_sha_256() {
        // printf abc | sha256sum
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
