//! The project that is open: what it holds, its small pictures, its model.

use std::collections::BTreeMap;
use std::time::Instant;

use lookalike::detect::{Detector, MtcnnOptions};
use lookalike::models::ModelFile;
use lookalike::recognize::Recognizer;
use lookalike::vision::{RgbImage, crop_resize, encode_jpeg};
use lookalike::{Device, Error, Result, workers};

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
    /// Since when the disk does not know all of it.
    pub changed: Option<Instant>,
}

impl Open {
    /// A new project.
    ///
    /// # Errors
    /// If this can be no title, or the disk does not take it.
    pub fn new(store: &Store, title: &str) -> Result<Open> {
        let project = Project::new(title)?;
        let shelf = store.add(&project)?;
        Ok(Open { shelf, project, thumbnails: BTreeMap::new(), recognizer: None, changed: None })
    }

    /// Reads a project. `tell` is told of what in it cannot be used.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn load(shelf: Shelf, device: &Device, tell: &mut dyn FnMut(&str)) -> Result<Open> {
        let mut project = shelf.project()?;
        let faces: Vec<u32> = project.faces.iter().map(|face| face.id).collect();
        let small = |at: usize| Ok(shelf.face(faces[at]).and_then(|picture| thumbnail(&picture)));
        let read = workers::in_order(faces.len(), workers::usual(), small)?;
        let mut thumbnails = BTreeMap::new();
        for (&face, read) in faces.iter().zip(read) {
            match read {
                Ok(jpeg) => drop(thumbnails.insert(face, jpeg)),
                Err(problem) => {
                    tell(&format!("a face is left out: {}", words(&problem)));
                    project.remove_face(face)?;
                }
            }
        }
        let model = project.model().map(|_| ModelFile::open(&shelf.model_path()));
        let opened = model.map(|file| file.and_then(|file| recognizer(device, file)));
        let recognizer = opened.and_then(|opened| {
            opened.map_err(|problem| tell(&format!("{}; train again", words(&problem)))).ok()
        });
        Ok(Open { shelf, project, thumbnails, recognizer, changed: None })
    }

    /// Notes that the disk does not know all of it any more.
    pub fn change(&mut self) {
        self.changed.get_or_insert_with(Instant::now);
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
