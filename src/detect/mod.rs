//! Finding faces in pictures, cutting them out. What a face's owner is called is none of its business.

mod align;
pub mod cascade;
mod choice;
pub mod crop;
pub mod mtcnn;

pub use align::{place_face, placed_landmarks, placed_points};
pub use cascade::{Cascade, CascadeOptions};
pub use choice::DetectorChoice;
pub use crop::{CropStyle, Oval, face_crop, is_head_shot, landmarks_in_crop, oval_in_crop, whole_crop};
pub use mtcnn::{Mtcnn, MtcnnOptions};

use std::future::Future;
use std::pin::Pin;

use crate::Result;
use crate::vision::{Rect, RgbImage};

/// Left eye, right eye, nose, left and right corner of the mouth as seen in the picture, as `[x, y]` in pixels.
pub type Landmarks = [[f32; 2]; 5];

/// What to tell somebody in whose photo no face was found.
pub const NO_FACE: &str = "no face found; use a photo that shows the face from the front, and larger";

/// A face in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// Where it is, in pixels of the picture.
    pub rect: Rect,
    /// How sure the detector is, in 0..=1. Scores of different detectors do not compare.
    pub score: f32,
    /// Where its parts are; `None` from a detector that finds boxes only.
    pub landmarks: Option<Landmarks>,
}

impl Face {
    /// The face in a picture whose pixels are `factor` times as many along each axis.
    fn scaled(&self, factor: f32) -> Face {
        let point = |[x, y]: [f32; 2]| [x * factor, y * factor];
        let landmarks = self.landmarks.map(|points| points.map(point));
        Face { rect: self.rect.scaled(factor), score: self.score, landmarks }
    }
}

/// Something that finds faces.
pub trait Detector: Send + Sync {
    /// Short name, as on the command line: `mtcnn`, `lbp`.
    fn name(&self) -> &'static str;

    /// All that decides what it finds: equal settings, equal faces. Results kept from an earlier run are good if it
    /// is still the same.
    fn settings(&self) -> String {
        self.name().to_owned()
    }

    /// The faces in `image`, the surest first.
    ///
    /// # Errors
    /// If the detector's own computation fails; a picture without a face is an empty list.
    fn detect(&self, image: &RgbImage) -> Result<Vec<Face>>;

    /// As [`Detector::detect`], without blocking where a GPU does the work. By default the polling thread does it.
    fn detect_async<'a>(&'a self, image: &'a RgbImage) -> Detection<'a> {
        Box::pin(async { self.detect(image) })
    }
}

/// The faces that a detector is about to find.
pub type Detection<'a> = Pin<Box<dyn Future<Output = Result<Vec<Face>>> + Send + 'a>>;
