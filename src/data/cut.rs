//! One photo: decoded, searched, its faces cut out.

use std::path::Path;

use super::crop_options::CropOptions;
use super::duplicates::Fingerprint;
use crate::detect::{CropStyle, Detector, Face, NO_FACE, face_crop, is_head_shot, whole_crop};
use crate::vision::{RgbImage, decode_bytes};
use crate::{Error, Result};

/// Most faces of one photo that are kept, the largest first. It bounds what a photo of a crowd takes in memory; the
/// person a photo was filed under is hardly ever one of the small faces in it.
pub const MOST_FACES: usize = 8;

/// A face that was cut out of a photo.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceCrop {
    /// Where it is in the photo.
    pub face: Face,
    /// The crop, RGB, `[size, size, 3]`.
    pub pixels: Vec<u8>,
    pub(super) fingerprint: Fingerprint,
}

/// A photo's faces.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cut {
    /// The largest first; one or more, at most [`MOST_FACES`].
    pub faces: Vec<FaceCrop>,
    /// How many were found.
    pub found: usize,
    /// Whether none was found, and the one "face" is the whole photo.
    pub whole: bool,
    /// Of the whole photo.
    pub fingerprint: Fingerprint,
}

/// A photo's faces, or the reason why it has none.
pub(super) type Outcome = std::result::Result<Cut, String>;

/// Cuts the faces out of the photo whose file holds these bytes.
///
/// # Errors
/// If no other photo could be searched either: the device is lost or too small.
pub(super) fn cut(
    photo: &Path,
    bytes: &[u8],
    detector: &dyn Detector,
    options: &CropOptions,
) -> Result<Outcome> {
    let image = match decode_bytes(photo, bytes, options.max_pixels) {
        Ok(image) => image,
        Err(error) => return Ok(Err(reason(error))),
    };
    let faces = match detector.detect(&image) {
        Ok(faces) => faces,
        Err(error) if error.is_of_device() => return Err(error),
        Err(error) => return Ok(Err(reason(error))),
    };
    Ok(cut_out(&image, faces, options))
}

fn cut_out(image: &RgbImage, mut faces: Vec<Face>, options: &CropOptions) -> Outcome {
    let size = options.size;
    let found = faces.len();
    let whole = found == 0 && options.whole && is_head_shot(image, size);
    let faces = if whole {
        let face = Face { rect: image.bounds(), score: 0.0, landmarks: None };
        vec![face_of(face, whole_crop(image, size))]
    } else {
        // A stable sort: of equally large faces the detector's surest stays first.
        faces.sort_by(|a, b| b.rect.area().total_cmp(&a.rect.area()));
        faces.truncate(MOST_FACES);
        let cut = |face: Face| {
            let crop =
                face_crop(image, &face, CropStyle { size, margin: options.margin, align: options.align });
            face_of(face, crop)
        };
        faces.into_iter().map(cut).collect()
    };
    if faces.is_empty() {
        return Err(NO_FACE.to_owned());
    }
    Ok(Cut { faces, found, whole, fingerprint: fingerprint(image) })
}

fn face_of(face: Face, crop: RgbImage) -> FaceCrop {
    let fingerprint = fingerprint(&crop);
    FaceCrop { face, pixels: crop.into_pixels(), fingerprint }
}

fn fingerprint(image: &RgbImage) -> Fingerprint {
    Fingerprint::new(image.pixels(), image.width(), image.height())
}

/// The error's text, without the path that the list of photos names already.
pub(super) fn reason(error: Error) -> String {
    match error {
        Error::Format { problem, .. } => problem,
        Error::Io { source, advice, .. } => format!("{source}; {advice}"),
        other => other.to_string(),
    }
}
