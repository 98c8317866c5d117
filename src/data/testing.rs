//! What the tests of this room share: photos that say themselves how many faces they show.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::crops::{Aids, CropOptions, CropReport, crop_people};
use super::cut::FaceCrop;
use super::people::find_people;
use crate::detect::{Detector, Face};
use crate::vision::{Rect, RgbImage, encode_png};
use crate::{Error, Result};

pub const OPTIONS: CropOptions =
    CropOptions { size: 32, margin: 0.0, align: true, whole: false, max_pixels: 10_000, least_people: 2 };

/// Finds as many faces as the red of the first pixel says: one in the middle, or several side by side, the largest
/// on the left.
#[derive(Default)]
pub struct Told {
    /// Photos that were searched.
    pub searched: AtomicUsize,
    /// The device is lost at this photo; never, if 0.
    pub lost_at: usize,
}

impl Detector for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn detect(&self, image: &RgbImage) -> Result<Vec<Face>> {
        if self.searched.fetch_add(1, Ordering::Relaxed) + 1 == self.lost_at {
            return Err(Error::Gpu("lost".into()));
        }
        let (width, height) = (image.width() as f32, image.height() as f32);
        let count = usize::from(image.pixel(0, 0)[0]);
        let found = |rect, number: usize| Face { rect, score: 1.0 / number as f32, landmarks: None };
        if count == 1 {
            let rect = Rect { x: width / 4.0, y: height / 4.0, width: width / 2.0, height: height / 2.0 };
            return Ok(vec![found(rect, 1)]);
        }
        let of = |index: usize| {
            let side = width / count as f32;
            let smaller = side * (1.0 - 0.5 * index as f32 / count as f32);
            Rect { x: side * index as f32, y: 0.0, width: smaller, height: smaller }
        };
        // The surest first: here the smallest.
        Ok((0..count).rev().map(|index| found(of(index), count - index)).collect())
    }
}

/// A PNG of one colour with a bright bar at `bar`, in which [`Told`] finds `faces` faces.
pub fn photo(faces: u8, width: usize, height: usize, bar: usize) -> Vec<u8> {
    let pixels =
        (0..width * height).flat_map(|i| if i % width / 8 == bar { [250, 240, 230] } else { [9, 20, 30] });
    png(faces, width, height, pixels.collect())
}

/// A PNG of 64 × 32 pixels in which [`Told`] finds a face of each colour.
pub fn faces_of(colours: &[[u8; 3]]) -> Vec<u8> {
    let pixels = (0..64 * 32).flat_map(|i| colours[i % 64 * colours.len() / 64]);
    png(colours.len() as u8, 64, 32, pixels.collect())
}

fn png(faces: u8, width: usize, height: usize, mut pixels: Vec<u8>) -> Vec<u8> {
    pixels[0] = faces;
    encode_png(&RgbImage::new(width, height, pixels).unwrap()).unwrap()
}

/// The vector of a crop: its mean colour.
pub fn colours(crops: &[&FaceCrop]) -> Result<Vec<Vec<f32>>> {
    let mean = |crop: &&FaceCrop| {
        let sum = |channel| crop.pixels.iter().skip(channel).step_by(3).map(|&v| f32::from(v)).sum::<f32>();
        vec![sum(0), sum(1), sum(2)]
    };
    Ok(crops.iter().map(mean).collect())
}

pub fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

pub fn crop(root: &Path, options: &CropOptions, aids: Aids<'_>) -> Result<CropReport> {
    crop_people(&find_people(root, 1).unwrap(), &Told::default(), options, aids)
}
