//! Occlusion: what covering a part of the picture does to the answer.
//!
//! Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2.

use super::heat_map::{Coarse, HeatMap};
use crate::models::Predictor;
use crate::ops::Normalize;
use crate::{Error, Result};

/// Covered pictures that are shown to the network at once.
const BATCH: usize = 32;

/// The patch that slides over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occlusion {
    /// Its side in pixels.
    pub patch: usize,
    /// Most pixels from one of its places to the next.
    pub stride: usize,
}

/// What covering a crop's parts does.
#[derive(Clone, Debug, PartialEq)]
pub struct Occluded {
    /// By how much the person's probability falls when the patch has its middle here; 0 where it rises.
    pub coarse: Coarse,
    /// The same, spread over the crop.
    pub heat: HeatMap,
    /// The person's probability on the crop as it is.
    pub probability: f32,
    /// The lowest with a part covered.
    pub least: f32,
}

impl Occlusion {
    /// A patch of a seventh of the picture's side, an eye's size in a crop, that goes on by half of its own.
    pub fn of(size: usize) -> Occlusion {
        let patch = size.div_ceil(7);
        Occlusion { patch, stride: patch.div_ceil(2) }
    }

    /// Left or upper edges of the patch along a side: evenly spread from border to border.
    fn places(self, size: usize) -> Vec<usize> {
        let room = size - self.patch;
        let steps = room.div_ceil(self.stride);
        (0..=steps).map(|step| (step * room + steps / 2).checked_div(steps).unwrap_or(0)).collect()
    }

    fn check(self, size: usize) -> Result<()> {
        if self.patch == 0 || self.stride == 0 || self.patch > size {
            return Err(Error::Input(format!(
                "a patch of {} pixels that goes on by {} cannot slide over a picture of {size}; choose one from 1 to {size}",
                self.patch, self.stride
            )));
        }
        Ok(())
    }
}

/// What covering one part of a crop after the other does to the probability of `person`, a number among the model's labels.
/// `pixels` is one crop as for [`Predictor::judge`], which is asked. The patch has the colour of the training's mean where the
/// [normalisation](crate::models::Preprocessing::normalize) tells it, else it is grey. `report` is told how many of all covered
/// pictures have been seen.
///
/// # Errors
/// [`Error::Input`] if the patch does not fit the picture, [`Error::HostData`] if the crop has another size; or if the device
/// fails.
///
/// # Panics
/// If the model has no such person.
pub fn occlusion(
    predictor: &mut Predictor,
    pixels: &[u8],
    person: usize,
    settings: Occlusion,
    report: &mut dyn FnMut(usize, usize),
) -> Result<Occluded> {
    let file = predictor.file();
    let [height, width, _] = file.model.input[..] else {
        let problem = format!("the model '{}' takes {}, no pictures", file.model.name, file.model.input);
        return Err(Error::Input(problem));
    };
    settings.check(height.min(width))?;
    let colour = mean_colour(&file.preprocessing.normalize);
    let (rows, columns) = (settings.places(height), settings.places(width));
    let places: Vec<[usize; 2]> =
        rows.iter().flat_map(|&top| columns.iter().map(move |&left| [top, left])).collect();

    let probability = predictor.judge(pixels)?[0].probabilities[person];
    let mut covered_ones = Vec::with_capacity(places.len());
    for some in places.chunks(BATCH) {
        report(covered_ones.len(), places.len());
        let shown: Vec<u8> =
            some.iter().flat_map(|&place| covered(pixels, width, place, settings.patch, colour)).collect();
        let judged = predictor.judge(&shown)?;
        covered_ones.extend(judged.into_iter().map(|judged| judged.probabilities[person]));
    }
    report(places.len(), places.len());

    let middle = settings.patch as f32 / 2.0;
    let step = |places: &[usize]| match places {
        [first, .., last] => (last - first) as f32 / (places.len() - 1) as f32,
        _ => 1.0,
    };
    let coarse = Coarse {
        columns: columns.len(),
        values: covered_ones.iter().map(|covered| (probability - covered).max(0.0)).collect(),
        first: [middle; 2],
        step: [step(&columns), step(&rows)],
    };
    let least = covered_ones.into_iter().fold(probability, f32::min);
    Ok(Occluded { heat: coarse.spread(width, height), coarse, probability, least })
}

/// The picture with a square of one colour on it.
fn covered(pixels: &[u8], width: usize, [top, left]: [usize; 2], side: usize, colour: [u8; 3]) -> Vec<u8> {
    let mut picture = pixels.to_vec();
    for row in picture.chunks_exact_mut(3 * width).skip(top).take(side) {
        row[3 * left..3 * (left + side)].as_chunks_mut().0.fill(colour);
    }
    picture
}

/// The colour that the network sees as zeros, which is the mean of what it was trained on; the middle of all greys where that
/// would be no colour, or black, as with pixels that are only scaled.
fn mean_colour(normalize: &Normalize) -> [u8; 3] {
    let channel = |at: usize| (-normalize.offset[at] / normalize.scale[at]).round();
    let mut means = [0, 1, 2].map(channel);
    if normalize.reverse {
        means.reverse();
    }
    match means.iter().all(|mean| (1.0..=254.0).contains(mean)) {
        true => means.map(|mean| mean as u8),
        false => [128; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::face_normalize;

    #[test]
    fn the_patch_reaches_both_borders_in_even_steps() {
        let settings = Occlusion::of(224);
        assert_eq!(settings, Occlusion { patch: 32, stride: 16 });
        let places = settings.places(224);
        assert_eq!((places[0], places[1], places.len(), places[12]), (0, 16, 13, 192));
        assert_eq!(Occlusion { patch: 4, stride: 3 }.places(11), [0, 2, 5, 7]);
        assert_eq!(Occlusion { patch: 5, stride: 3 }.places(5), [0]);
        assert!(Occlusion { patch: 6, stride: 3 }.check(5).is_err());
        assert!(Occlusion { patch: 1, stride: 0 }.check(5).is_err());
    }

    #[test]
    fn the_patch_has_the_colour_of_the_mean() {
        assert_eq!(mean_colour(&Normalize::caffe()), [124, 117, 104]);
        assert_eq!(mean_colour(&Normalize::torch()), [124, 116, 104]);
        assert_eq!(mean_colour(&face_normalize()), [123, 117, 104]);
        assert_eq!(mean_colour(&Normalize::unit()), [128; 3]);
    }

    #[test]
    fn only_the_patch_is_covered() {
        let picture = covered(&[0; 4 * 3 * 3], 4, [1, 2], 2, [7, 8, 9]);
        let set: Vec<usize> =
            (0..12).filter(|pixel| picture[3 * pixel..3 * pixel + 3] == [7, 8, 9]).collect();
        assert_eq!(set, [6, 7, 10, 11]);
        assert_eq!(picture.iter().filter(|&&byte| byte != 0).count(), 12);
    }
}
