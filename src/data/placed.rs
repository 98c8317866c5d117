//! A dataset as the face network sees it.

use rayon::prelude::*;

use super::Dataset;
use crate::detect::{place_face, placed_landmarks};
use crate::models::FACE_SIZE;
use crate::vision::RgbImage;

impl Dataset {
    /// The same faces, each [in its place](place_face): pictures of 150 × 150 pixels.
    pub fn placed(&self) -> Dataset {
        let margin = self.cut.margin;
        let picture = |index: usize| {
            let crop = RgbImage::new(self.size, self.size, self.image(index).to_vec());
            let crop = crop.expect("pictures of a dataset are square");
            place_face(&crop, self.landmarks[index].as_ref(), margin).into_pixels()
        };
        let pictures: Vec<Vec<u8>> = (0..self.len()).into_par_iter().map(picture).collect();
        let place = |points: &Option<_>| points.as_ref().map(|p| placed_landmarks(p, self.size, margin));
        Dataset {
            size: FACE_SIZE,
            pixels: pictures.concat(),
            landmarks: self.landmarks.iter().map(place).collect(),
            labels: self.labels.clone(),
            names: self.names.clone(),
            groups: self.groups.clone(),
            sources: self.sources.clone(),
            cut: self.cut.clone(),
        }
    }
}
