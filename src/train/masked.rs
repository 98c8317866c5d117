//! How people are known in masks, from photos without: by their faces with the lower half painted over.

use std::sync::Arc;

use crate::data::Dataset;
use crate::models::{FACE_MASKED_STRANGERS, Gallery, ModelFile, Predictor, Strangers};
use crate::{Device, Result};

/// Pictures between two reports of progress.
const CHUNK: usize = 64;

/// Pictures of people, and what dlib's network made of them.
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// Pictures as the network sees them, and whom they show.
    pub dataset: &'a Dataset,
    /// Which of them.
    pub pictures: &'a [usize],
    /// The features of each.
    pub features: &'a [Vec<f32>],
}

/// The people of these examples of dlib's network in `file`, by what is seen of them in a mask. `rate` is the share of
/// strangers that may be taken for them, as for [`Strangers::new`]. `on_done` is told how many pictures are done, `on_note` of a
/// device that was lost and opened again.
///
/// # Errors
/// If the device fails.
pub fn masked_people(
    device: &Device,
    file: &ModelFile,
    examples: &Examples<'_>,
    rate: f64,
    on_done: &mut dyn FnMut(usize),
    on_note: &mut dyn FnMut(&str),
) -> Result<Strangers> {
    let Examples { dataset, pictures, features } = *examples;
    let file = Arc::new(file.clone());
    let mut masked = Vec::with_capacity(pictures.len());
    device.retrying(on_note, &mut || {
        let mut predictor = Predictor::new(device, file.clone())?;
        // Those that were done before the device was lost are done.
        let left = pictures[masked.len()..].chunks(CHUNK).zip(features[masked.len()..].chunks(CHUNK));
        for (pictures, features) in left {
            let pixels: Vec<u8> =
                pictures.iter().flat_map(|&picture| dataset.image(picture)).copied().collect();
            masked.extend(predictor.masked_features(&pixels, features)?);
            on_done(masked.len());
        }
        Ok(())
    })?;
    let labels: Vec<usize> = pictures.iter().map(|&picture| dataset.labels[picture]).collect();
    let groups: Vec<i64> = pictures.iter().map(|&picture| dataset.groups[picture]).collect();
    let known = Gallery { features: &masked, labels: &labels, groups: &groups, people: dataset.classes() };
    Ok(Strangers::new(known, rate, FACE_MASKED_STRANGERS))
}
