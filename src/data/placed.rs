//! A dataset as a network for faces sees it.

use rayon::prelude::*;

use super::Dataset;
use crate::detect::{place_face, placed_landmarks};
use crate::models::FacePlacement;
use crate::vision::RgbImage;

impl Dataset {
    /// The same faces, each [in its place](place_face).
    pub fn placed(&self, placement: FacePlacement) -> Dataset {
        let margin = self.cut.margin;
        let picture = |index: usize| {
            let crop = RgbImage::new(self.size, self.size, self.image(index).to_vec());
            let crop = crop.expect("pictures of a dataset are square");
            place_face(&crop, self.landmarks[index].as_ref(), margin, placement).into_pixels()
        };
        let pictures: Vec<Vec<u8>> = (0..self.len()).into_par_iter().map(picture).collect();
        let place =
            |points: &Option<_>| points.as_ref().map(|p| placed_landmarks(p, self.size, margin, placement));
        Dataset {
            size: placement.size(),
            pixels: pictures.concat(),
            landmarks: self.landmarks.iter().map(place).collect(),
            labels: self.labels.clone(),
            names: self.names.clone(),
            groups: self.groups.clone(),
            sources: self.sources.clone(),
            masked: self.masked.clone(),
            cut: self.cut.clone(),
        }
    }
}
