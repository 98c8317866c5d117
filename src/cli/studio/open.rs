//! The project that is open: what it holds, its small pictures, its model.

use std::collections::BTreeMap;

use lookalike::detect::{Detector, MtcnnOptions};
use lookalike::models::ModelFile;
use lookalike::recognize::Recognizer;
use lookalike::vision::{RgbImage, crop_resize, encode_jpeg};
use lookalike::{Device, Error, Result, workers};

use super::disk::Unsaved;
use super::project::Project;
use super::store::{Shelf, Store};
use super::training::DETECTOR;

/// Width and height of the small picture of a face.
const THUMBNAIL: usize = 96;
/// Width and height from which a face is looked for, in pixels of the frame: somebody two or three metres away. Smaller ones would take
/// most of the time, and tell little of who they show.
const LEAST_FACE: f64 = 40.0;

/// The project that is open.
pub struct Open {
    /// Where it lies.
    pub shelf: Shelf,
    /// People and faces.
    pub project: Project,
    /// Small pictures of its faces, as JPEG.
    pub thumbnails: BTreeMap<u32, Vec<u8>>,
    /// With its model, if it has one.
    pub recognizer: Option<Recognizer>,
    /// What the disk does not know of it.
    pub unsaved: Unsaved,
}

impl Open {
    /// A new project.
    ///
    /// # Errors
    /// If this can be no title, or the disk does not take it.
    pub fn new(store: &Store, title: &str) -> Result<Open> {
        let project = Project::new(title)?;
        let shelf = store.add(&project)?;
        Ok(Open {
            shelf,
            project,
            thumbnails: BTreeMap::new(),
            recognizer: None,
            unsaved: Unsaved::default(),
        })
    }

    /// Reads a project. `tell` is told of what in it cannot be used.
    ///
    /// # Errors
    /// If it cannot be read, or the device was lost.
    pub fn load(shelf: Shelf, device: &Device, tell: &mut dyn FnMut(&str)) -> Result<Open> {
        let mut project = shelf.project()?;
        let faces = project.pictures();
        let small = |at: usize| Ok(shelf.face(faces[at]).and_then(|picture| thumbnail(&picture)));
        let read = workers::in_order(faces.len(), workers::usual(), small)?;
        let mut thumbnails = BTreeMap::new();
        let (mut gone, mut unreadable) = (vec![], vec![]);
        for (&face, read) in faces.iter().zip(read) {
            match read {
                Ok(jpeg) => drop(thumbnails.insert(face, jpeg)),
                Err(problem) => {
                    tell(&format!("a face is left out: {}", words(&problem)));
                    // A disk that fails to read it now may read it the next time.
                    if shelf.has_face(face) { &mut unreadable } else { &mut gone }.push(face);
                }
            }
        }
        project.leave_out(&unreadable);
        gone.iter().try_for_each(|&face| project.remove_face(face))?;
        let model = project.model().map(|_| ModelFile::open(&shelf.model_path()));
        let opened = model.map(|file| file.and_then(|file| recognizer(device, file)));
        let recognizer = match opened.transpose() {
            Ok(opened) => opened,
            Err(problem @ Error::DeviceLost(_)) => return Err(problem),
            Err(problem) => {
                tell(&format!("{}; train again", words(&problem)));
                None
            }
        };
        Ok(Open { shelf, project, thumbnails, recognizer, unsaved: Unsaved::default() })
    }
}

/// What finds faces in frames and photos.
///
/// # Errors
/// If the device has no room for it.
pub fn detector(device: &Device) -> Result<Box<dyn Detector>> {
    DETECTOR.open(device, &MtcnnOptions { min_face: LEAST_FACE, ..MtcnnOptions::default() })
}

/// What names faces.
///
/// # Errors
/// If the device has no room for it.
pub fn recognizer(device: &Device, file: ModelFile) -> Result<Recognizer> {
    Ok(Recognizer::new(device, file)?.with_detector(detector(device)?))
}

/// The small picture of a face, as JPEG.
///
/// # Errors
/// If it cannot be encoded.
pub fn thumbnail(crop: &RgbImage) -> Result<Vec<u8>> {
    encode_jpeg(&crop_resize(crop, crop.bounds(), THUMBNAIL, THUMBNAIL))
}

/// An error on one line.
pub fn words(problem: &Error) -> String {
    problem.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::studio::project::Face;

    #[test]
    fn a_face_that_cannot_be_read_is_kept_until_it_can_be() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let mut open = Open::new(&store, "One").unwrap();
        let anna = open.project.add_person("Anna").unwrap();
        let picture = RgbImage::filled(8, 8, [9, 8, 7]);
        let faces = [(); 3].map(|()| {
            let id = open.project.number();
            open.shelf.add_face(id, &picture).unwrap();
            open.project.add_face(Face { id, person: anna, recording: 1, landmarks: None });
            id
        });
        open.change();
        open.save().unwrap();
        let file = |face: u32| root.path().join(&open.shelf.id).join(format!("faces/{face}.png"));
        let whole = std::fs::read(file(faces[1])).unwrap();
        std::fs::write(file(faces[1]), &whole[..20]).unwrap();
        std::fs::remove_file(file(faces[2])).unwrap();
        let load = || {
            let mut told = vec![];
            let tell = &mut |text: &str| told.push(text.to_owned());
            let mut loaded = Open::load(open.shelf.clone(), &Device::cpu(), tell).unwrap();
            loaded.change();
            loaded.save().unwrap();
            loaded.tidy();
            let faces: Vec<u32> = loaded.thumbnails.keys().copied().collect();
            assert_eq!(loaded.project.listed()[0].faces, faces);
            (faces, told)
        };
        let (shown, told) = load();
        assert_eq!(shown, faces[..1]);
        assert!(told.len() == 2 && told.iter().all(|text| text.contains("left out")), "{told:?}");
        let (_, told) = load();
        assert_eq!(told.len(), 1, "of one that is gone nothing is left: {told:?}");
        std::fs::write(file(faces[1]), &whole).unwrap();
        assert_eq!(load(), (faces[..2].to_vec(), vec![]));
    }
}
