//! How people are known in masks, from photos without: by their faces with the lower half painted over.

use crate::data::Dataset;
use crate::models::{FACE_MASKED_STRANGERS, ModelFile, Predictor, Strangers};
use crate::{Device, Result};

/// Pictures at a time.
const CHUNK: usize = 256;

/// The people of these pictures, of which the face network in `file` made `features`, by what is seen of them in a mask. As
/// strangers are to be `rate`, as for [`Strangers::new`].
///
/// # Errors
/// If the device fails.
pub fn masked_people(
    device: &Device,
    file: &ModelFile,
    dataset: &Dataset,
    pictures: &[usize],
    features: &[Vec<f32>],
    rate: f64,
) -> Result<Strangers> {
    let mut predictor = Predictor::new(device, file.clone())?;
    let mut masked = Vec::with_capacity(pictures.len());
    for (pictures, features) in pictures.chunks(CHUNK).zip(features.chunks(CHUNK)) {
        let pixels: Vec<u8> = pictures.iter().flat_map(|&picture| dataset.image(picture)).copied().collect();
        masked.extend(predictor.masked_features(&pixels, features)?);
    }
    let people: Vec<usize> = pictures.iter().map(|&picture| dataset.labels[picture]).collect();
    Ok(Strangers::new(&masked, &people, dataset.classes(), rate, FACE_MASKED_STRANGERS))
}
