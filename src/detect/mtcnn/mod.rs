//! Faces at any angle of the head by MTCNN: three small networks on our own kernels, from coarse to fine.
//!
//! 1. The photo at many sizes goes through the first network, which proposes boxes.
//! 2. Each box, resized, goes through the second, which refuses most and moves the others.
//! 3. What remains goes through the third, which decides and finds eyes, nose and mouth.
//!
//! Zhang, Zhang, Li, Qiao, IEEE Signal Processing Letters 23 (2016); conventions (sizes, rounding, borders) are those
//! of `facenet-pytorch` 2.5.3.

mod boxes;
mod engine;
mod pyramid;

#[cfg(test)]
mod agreement;

use self::boxes::{Candidate, Overlap, suppress};
use self::engine::{Engine, Net};
use self::pyramid::{TILE_CELLS, levels, tiles};
use super::{Detection, Detector, Face};
use crate::gpu::block_on;
use crate::lending::Lending;
use crate::models::mtcnn::{OUTPUT_SIDE, PROPOSAL_STRIDE, PROPOSAL_WINDOW, REFINE_SIDE};
use crate::vision::{Rect, RgbImage, crop_resize};
use crate::{Device, Error, Result};

/// How [`Mtcnn`] searches a photo. The defaults are the reference's.
#[derive(Clone, Debug, PartialEq)]
pub struct MtcnnOptions {
    /// Side of the smallest face that is looked for, in pixels of the photo; at least 4. Default 20.
    pub min_face: f64,
    /// Probability from which each of the three networks takes a box for a face, in 0..1. Default 0.6, 0.7, 0.7.
    pub thresholds: [f32; 3],
    /// Ratio of one size of the photo to the next larger one, in 0.1..=0.95. Default 0.709, which halves the area.
    pub factor: f64,
    /// Pixels of the largest photo that is searched as it is: room on the device is made for it once. A larger one is
    /// reduced to it. At least 4096; default 4096 × 3072.
    pub max_pixels: usize,
}

impl Default for MtcnnOptions {
    fn default() -> MtcnnOptions {
        MtcnnOptions { min_face: 20.0, thresholds: [0.6, 0.7, 0.7], factor: 0.709, max_pixels: 4096 * 3072 }
    }
}

/// Longest side of a photo that is searched as it is: sizes are multiplied in 32 bits.
const MAX_SIDE: usize = 16_384;

/// Overlap above which the less sure of two boxes goes: among the proposals of one size, among all of them and
/// among those the second network keeps, and among the faces.
const MOST_SHARED: [f32; 3] = [0.5, 0.7, 0.7];

/// The detector. Any number of threads may share one. Each that searches at the same time takes memory on the device; on
/// a GPU two do, and others wait.
#[derive(Debug)]
pub struct Mtcnn {
    device: Device,
    options: MtcnnOptions,
    engines: Lending<Engine>,
}

impl Mtcnn {
    /// The networks that ship with the crate, on `device`.
    ///
    /// # Errors
    /// If the device has no room for them.
    pub fn new(device: &Device) -> Result<Mtcnn> {
        Mtcnn::with_options(device, MtcnnOptions::default())
    }

    /// As [`Mtcnn::new`], searching as `options` say.
    ///
    /// # Errors
    /// [`Error::Input`] if an option is out of its range.
    pub fn with_options(device: &Device, options: MtcnnOptions) -> Result<Mtcnn> {
        options.check()?;
        let engine = Engine::new(device, options.max_pixels)?;
        Ok(Mtcnn { device: device.clone(), options, engines: Lending::new(engine, device) })
    }

    /// How it searches.
    pub fn options(&self) -> &MtcnnOptions {
        &self.options
    }

    /// The photo as it is searched, and how many of the original's pixels are one of it along each axis.
    fn reduced(&self, image: &RgbImage) -> Option<(RgbImage, f64)> {
        let (width, height) = (image.width(), image.height());
        // In 64 bits: rounding up by a pixel would not fit into the room that was made.
        let by_area = ((width * height) as f64 / self.options.max_pixels as f64).sqrt();
        let by_side = width.max(height) as f64 / MAX_SIDE as f64;
        let reduction = by_area.max(by_side);
        // A side that is one pixel already is not reduced with the other.
        let reduced = |size: usize| ((size as f64 / reduction) as usize).clamp(1, self.options.max_pixels);
        (reduction > 1.0)
            .then(|| (crop_resize(image, image.bounds(), reduced(width), reduced(height)), reduction))
    }

    async fn faces(&self, engine: &mut Engine, photo: &RgbImage, min_face: f64) -> Result<Vec<Face>> {
        let MtcnnOptions { thresholds: [propose, refine, decide], factor, .. } = self.options;
        engine.take(photo)?;
        let proposals = proposals(engine, photo, (min_face, factor), propose).await?;
        let refined = refined(engine, photo, proposals, refine).await?;
        faces(engine, photo, refined, decide).await
    }
}

impl Detector for Mtcnn {
    fn name(&self) -> &'static str {
        "mtcnn"
    }

    /// The options, and the device: results of another may differ in the last bits.
    fn settings(&self) -> String {
        let device = self.device.gpu().map_or_else(|| "cpu".to_owned(), |_| self.device.to_string());
        format!("{} {:?} on {device}", self.name(), self.options)
    }

    /// Boxes may reach over the photo's border, as the networks place them.
    fn detect(&self, image: &RgbImage) -> Result<Vec<Face>> {
        block_on(self.detect_async(image))
    }

    fn detect_async<'a>(&'a self, image: &'a RgbImage) -> Detection<'a> {
        let another = || Engine::new(&self.device, self.options.max_pixels);
        Box::pin(self.engines.with(another, async move |engine| match self.reduced(image) {
            None => self.faces(engine, image, self.options.min_face).await,
            Some((photo, reduction)) => {
                // Enlarging again what was just reduced would find nothing.
                let smallest = self.options.min_face.min(PROPOSAL_WINDOW as f64);
                let min_face = (self.options.min_face / reduction).max(smallest);
                let faces = self.faces(engine, &photo, min_face).await?;
                Ok(faces.iter().map(|face| face.scaled(reduction as f32)).collect())
            }
        }))
    }
}

impl MtcnnOptions {
    /// Whether every option is in its range.
    ///
    /// # Errors
    /// [`Error::Input`] that says what to give.
    pub fn check(&self) -> Result<()> {
        let MtcnnOptions { min_face, thresholds, factor, max_pixels } = *self;
        if !(4.0..=1e6).contains(&min_face) {
            return Err(Error::Input(format!("min_face is {min_face}; give at least 4 pixels, usually 20")));
        }
        if !thresholds.iter().all(|threshold| (0.0..1.0).contains(threshold)) {
            return Err(Error::Input(format!(
                "thresholds are {thresholds:?}; give three numbers from 0 to below 1, usually 0.6, 0.7, 0.7"
            )));
        }
        if !(0.1..=0.95).contains(&factor) {
            return Err(Error::Input(format!("factor is {factor}; give 0.1 to 0.95, usually 0.709")));
        }
        if max_pixels < 4096 {
            return Err(Error::Input(format!("max_pixels is {max_pixels}; give at least 4096")));
        }
        Ok(())
    }
}

/// Boxes of the first network over all sizes of the photo.
async fn proposals(
    engine: &mut Engine,
    photo: &RgbImage,
    (min_face, factor): (f64, f64),
    threshold: f32,
) -> Result<Vec<Candidate>> {
    let (width, height) = (photo.width(), photo.height());
    let levels = levels(width, height, min_face, factor);
    let tiles = tiles(&levels);
    let windows: Vec<_> = tiles.iter().map(|tile| tile.window(&levels[tile.level], width, height)).collect();
    let mut found: Vec<Vec<(Candidate, [f32; 4])>> = vec![Vec::new(); levels.len()];
    let cut = logit(threshold) - 1e-3;
    engine
        .show(Net::Proposal, &windows, |index, answers| {
            let tile = tiles[index];
            let level = &levels[tile.level];
            let [rows, columns] = tile.cells(level);
            for i in 0..rows {
                let cells = answers[i * TILE_CELLS * 5..].chunks_exact(5).take(columns);
                for (j, cell) in cells.enumerate().filter(|(_, cell)| cell[0] > cut) {
                    let score = sigmoid(cell[0]);
                    if score >= threshold {
                        let candidate = cell_box(tile.top + i, tile.left + j, level.scale, score);
                        found[tile.level].push((candidate, [cell[1], cell[2], cell[3], cell[4]]));
                    }
                }
            }
        })
        .await?;
    let mut all = Vec::new();
    for mut of_level in found {
        // Tiles come one after the other, the reference's cells row by row: of equally sure ones the first stays.
        of_level.sort_by(|(a, _), (b, _)| (a.top, a.left).partial_cmp(&(b.top, b.left)).expect("no NaN"));
        all.extend(distinct(of_level, MOST_SHARED[0], Overlap::Union));
    }
    let all = distinct(all, MOST_SHARED[1], Overlap::Union);
    Ok(all.into_iter().map(|(candidate, offsets)| candidate.moved(offsets, 0.0).squared()).collect())
}

/// What the second network keeps of the proposals, moved and squared.
async fn refined(
    engine: &mut Engine,
    photo: &RgbImage,
    proposals: Vec<Candidate>,
    threshold: f32,
) -> Result<Vec<Candidate>> {
    let mut kept = Vec::new();
    look_closer(engine, Net::Refine, photo, proposals, |candidate, answer| {
        let score = sigmoid(answer[0]);
        if score > threshold {
            kept.push((Candidate { score, ..candidate }, [answer[1], answer[2], answer[3], answer[4]]));
        }
    })
    .await?;
    let kept = distinct(kept, MOST_SHARED[1], Overlap::Union);
    Ok(kept.into_iter().map(|(candidate, offsets)| candidate.moved(offsets, 1.0).squared()).collect())
}

/// The faces that the third network finds among the candidates, the surest first.
async fn faces(
    engine: &mut Engine,
    photo: &RgbImage,
    candidates: Vec<Candidate>,
    threshold: f32,
) -> Result<Vec<Face>> {
    let mut kept = Vec::new();
    look_closer(engine, Net::Output, photo, candidates, |candidate, answer| {
        let score = sigmoid(answer[0]);
        if score > threshold {
            let (width, height) =
                (candidate.right - candidate.left + 1.0, candidate.bottom - candidate.top + 1.0);
            let landmarks = std::array::from_fn(|i| {
                let (x, y) = (answer[5 + i], answer[10 + i]);
                [width * x + candidate.left - 1.0, height * y + candidate.top - 1.0]
            });
            let moved = candidate.moved([answer[1], answer[2], answer[3], answer[4]], 1.0);
            kept.push((Candidate { score, ..moved }, landmarks));
        }
    })
    .await?;
    let kept = distinct(kept, MOST_SHARED[2], Overlap::Minimum);
    Ok(kept.into_iter().map(|(candidate, landmarks)| face(candidate, landmarks)).collect())
}

fn face(Candidate { left, top, right, bottom, score }: Candidate, landmarks: [[f32; 2]; 5]) -> Face {
    let rect = Rect { x: left, y: top, width: right - left, height: bottom - top };
    Face { rect, score, landmarks: Some(landmarks) }
}

/// Shows a network each candidate that lies in the photo.
async fn look_closer(
    engine: &mut Engine,
    net: Net,
    photo: &RgbImage,
    candidates: Vec<Candidate>,
    mut each: impl FnMut(Candidate, &[f32]),
) -> Result<()> {
    let side = if net == Net::Refine { REFINE_SIDE } else { OUTPUT_SIDE };
    let window = |candidate: Candidate| {
        candidate.window(photo.width(), photo.height(), side).map(|window| (candidate, window))
    };
    let (candidates, windows): (Vec<_>, Vec<_>) = candidates.into_iter().filter_map(window).unzip();
    engine.show(net, &windows, |index, answer| each(candidates[index], answer)).await
}

/// Those of the candidates that are left where boxes overlap by more than `most`, the surest first.
fn distinct<T: Copy>(candidates: Vec<(Candidate, T)>, most: f32, how: Overlap) -> Vec<(Candidate, T)> {
    let boxes: Vec<Candidate> = candidates.iter().map(|(candidate, _)| *candidate).collect();
    suppress(&boxes, most, how).into_iter().map(|at| candidates[at]).collect()
}

/// The pixels of the photo that cell (`i`, `j`) of a level sees.
fn cell_box(i: usize, j: usize, scale: f64, score: f32) -> Candidate {
    let scale = scale as f32;
    let first = |cell: usize| ((PROPOSAL_STRIDE * cell + 1) as f32 / scale).floor();
    let last = |cell: usize| ((PROPOSAL_STRIDE * cell + PROPOSAL_WINDOW) as f32 / scale).floor();
    Candidate { left: first(j), top: first(i), right: last(j), bottom: last(i), score }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

fn logit(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_odd_sizes_without_a_face_give_none() {
        let mtcnn = Mtcnn::new(&Device::cpu()).unwrap();
        for (width, height) in [(1, 1), (19, 300), (20, 20), (30, 30), (3000, 21), (33, 47)] {
            assert_eq!(mtcnn.detect(&RgbImage::filled(width, height, [90, 120, 40])).unwrap(), []);
        }
    }

    #[test]
    fn a_reduced_photo_fits_the_room_that_was_made() {
        let options = MtcnnOptions { max_pixels: 5000, ..MtcnnOptions::default() };
        let mtcnn = Mtcnn::with_options(&Device::cpu(), options).unwrap();
        for (width, height) in
            [(71, 71), (100, 51), (200, 100), (142, 142), (333, 77), (1, 5001), (20_000, 1)]
        {
            let (photo, _) =
                mtcnn.reduced(&RgbImage::filled(width, height, [9; 3])).expect("it is too large");
            let fits =
                photo.width() * photo.height() <= 5000 && photo.width().max(photo.height()) <= MAX_SIDE;
            assert!(fits, "{width}x{height} becomes {photo:?}");
        }
        assert!(mtcnn.reduced(&RgbImage::filled(100, 50, [9; 3])).is_none());
    }

    #[test]
    fn options_out_of_range_say_what_to_give() {
        let with = |options| Mtcnn::with_options(&Device::cpu(), options).unwrap_err().to_string();
        let default = MtcnnOptions::default;
        for min_face in [0.0, 3.9, f64::NAN, f64::INFINITY] {
            assert!(with(MtcnnOptions { min_face, ..default() }).contains("usually 20"));
        }
        for factor in [0.0, 1.0, f64::NAN] {
            assert!(with(MtcnnOptions { factor, ..default() }).contains("usually 0.709"));
        }
        for threshold in [-0.1, 1.0, f32::NAN] {
            assert!(
                with(MtcnnOptions { thresholds: [0.6, threshold, 0.7], ..default() }).contains("0.6, 0.7")
            );
        }
        assert!(with(MtcnnOptions { max_pixels: 10, ..default() }).contains("4096"));
    }
}
