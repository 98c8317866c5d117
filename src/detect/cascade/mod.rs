//! Frontal faces by a cascade of local binary patterns: integer work on the CPU, no weights to download.
//!
//! The method and the names of its parameters are scikit-image's (`feature.Cascade.detect_multi_scale`); the trained
//! numbers come from OpenCV's XML files.

mod group;
mod integral;
mod scan;
mod xml;

#[cfg(test)]
mod agreement;

use self::integral::Integral;
use super::{Detector, Face};
use crate::vision::{Rect, RgbImage, crop_resize};
use crate::{Error, Result};

const FRONTAL: &str = include_str!("../../../assets/lbpcascade_frontalface_opencv.xml");

/// How a [`Cascade`] searches a picture. The default finds faces in any photo.
#[derive(Clone, Debug, PartialEq)]
pub struct CascadeOptions {
    /// Ratio of one window size to the next smaller; above 1. Default 1.2.
    pub scale_factor: f32,
    /// Distance between neighbouring windows, in pixels of the trained window; above 0. Default 1.
    pub step_ratio: f32,
    /// Side of the smallest window, in pixels of the picture. Default: a twelfth of the picture's shorter side, at
    /// least the trained window.
    pub min_size: Option<usize>,
    /// Side that all windows are smaller than, in pixels of the picture. Default: the picture's shorter side.
    pub max_size: Option<usize>,
    /// Windows that must agree on a face. Default 4.
    pub min_neighbor_number: usize,
    /// Two windows show one face if they share more than this part of the smaller. Default 0.5.
    pub intersection_score_threshold: f32,
    /// A picture whose longer side has more pixels is reduced to it before the search; this bounds the work.
    /// Default 1024.
    pub max_side: usize,
}

impl Default for CascadeOptions {
    fn default() -> CascadeOptions {
        CascadeOptions {
            scale_factor: 1.2,
            step_ratio: 1.0,
            min_size: None,
            max_size: None,
            min_neighbor_number: 4,
            intersection_score_threshold: 0.5,
            max_side: 1024,
        }
    }
}

/// The default `min_size` as a divisor of the picture's shorter side.
const SMALLEST_FACE: usize = 12;

/// Part of the smaller of two boxes that may lie in the other.
const MOST_SHARED: f32 = 0.3;

/// A trained cascade and how to use it.
#[derive(Clone, Debug)]
pub struct Cascade {
    width: usize,
    height: usize,
    blocks: Vec<Block>,
    stages: Vec<Stage>,
    options: CascadeOptions,
}

/// The first of the 3x3 equal blocks of a feature, in pixels of the trained window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// A weak classifier: one feature, and what its pattern is worth.
#[derive(Clone, Debug)]
struct Stump {
    feature: usize,
    /// A bit for each of the 256 patterns.
    patterns: [u32; 8],
    /// Worth of a pattern whose bit is set.
    inside: f32,
    /// Worth of any other.
    outside: f32,
}

/// Weak classifiers whose sum decides whether a window goes on to the next stage.
#[derive(Clone, Debug)]
struct Stage {
    threshold: f32,
    stumps: Vec<Stump>,
}

impl Cascade {
    /// The cascade for upright frontal faces that ships with the crate.
    pub fn frontal() -> Cascade {
        Cascade::from_xml(FRONTAL).expect("the embedded cascade is well formed")
    }

    /// Reads a cascade of local binary patterns in OpenCV's XML format (`opencv_traincascade`, trees of one node).
    ///
    /// # Errors
    /// [`Error::Format`] if the text is not such a cascade, or asks for something outside itself.
    pub fn from_xml(text: &str) -> Result<Cascade> {
        xml::parse(text)
    }

    /// This cascade, searching as `options` say.
    ///
    /// # Errors
    /// [`Error::Input`] if a factor is out of its range.
    pub fn with_options(self, options: CascadeOptions) -> Result<Cascade> {
        let CascadeOptions { scale_factor, step_ratio, .. } = options;
        if !(scale_factor.is_finite() && scale_factor >= 1.01) {
            return Err(Error::Input(format!(
                "scale_factor is {scale_factor}; give at least 1.01, usually 1.2"
            )));
        }
        if !(step_ratio.is_finite() && step_ratio > 0.0) {
            return Err(Error::Input(format!("step_ratio is {step_ratio}; give more than 0, usually 1")));
        }
        if options.max_side < self.width.max(self.height) {
            let window = self.width.max(self.height);
            return Err(Error::Input(format!(
                "max_side is {}; give at least {window}, usually 1024",
                options.max_side
            )));
        }
        Ok(Cascade { options, ..self })
    }

    /// Ratios of the windows searched to the trained window, for a picture of this size that was reduced by
    /// `reduction`.
    fn scales(&self, width: usize, height: usize, reduction: f32) -> Vec<f32> {
        let shorter = width.min(height);
        let in_work = |size: usize| size as f32 / reduction;
        let min_size = in_work(self.options.min_size.unwrap_or(shorter / SMALLEST_FACE));
        let max_size = in_work(self.options.max_size.unwrap_or(shorter));
        let factor = self.options.scale_factor;
        let power = |size: f32, window: usize| (f64::from(size) / window as f64).log(f64::from(factor));
        let first = power(min_size, self.width).max(power(min_size, self.height)).max(0.0);
        let end = power(max_size, self.width).min(power(max_size, self.height));
        (0..)
            .map(|i| first + f64::from(i))
            .take_while(|&at| at < end)
            .map(|at| factor.powf(at as f32))
            .collect()
    }

    /// The boxes in pixels of `image` with the number of windows that agree on each.
    fn boxes(&self, image: &RgbImage) -> Vec<(Rect, usize)> {
        let (width, height) = (image.width(), image.height());
        let reduction = (width.max(height) as f32 / self.options.max_side as f32).max(1.0);
        let integral = if reduction > 1.0 {
            let reduced = |size: usize| ((size as f32 / reduction).round() as usize).max(1);
            Integral::new(&crop_resize(image, image.bounds(), reduced(width), reduced(height)))
        } else {
            Integral::new(image)
        };
        let windows: Vec<_> = self
            .scales(width, height, reduction)
            .into_iter()
            .flat_map(|scale| scan::scan(self, &integral, scale))
            .collect();
        let CascadeOptions { intersection_score_threshold, min_neighbor_number, .. } = self.options;
        group::group(&windows, intersection_score_threshold, min_neighbor_number)
            .into_iter()
            .map(|(window, count)| {
                let [x, y, width, height] =
                    [window.x, window.y, window.width, window.height].map(|pixels| pixels as f32);
                (Rect { x, y, width, height }.scaled(reduction), count)
            })
            .collect()
    }
}

impl Detector for Cascade {
    fn name(&self) -> &'static str {
        "lbp"
    }

    /// The trained numbers and the options.
    fn settings(&self) -> String {
        format!("{} {self:?}", self.name())
    }

    /// The score of a face on which `n` windows agree is `n / (n + min_neighbor_number)`: 0.5 for the fewest.
    fn detect(&self, image: &RgbImage) -> Result<Vec<Face>> {
        let needed = self.options.min_neighbor_number.max(1) as f32;
        let face = |(rect, count): (Rect, usize)| {
            let score = count as f32 / (count as f32 + needed);
            Face { rect, score, landmarks: None }
        };
        let mut faces: Vec<Face> = self.boxes(image).into_iter().map(face).collect();
        faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(distinct(faces))
    }
}

/// One of each: of faces that share more than [`MOST_SHARED`] of the smaller, the first stays. The grouping of windows
/// leaves such pairs (a face and, inside it, its mouth), which scikit-image returns.
fn distinct(faces: Vec<Face>) -> Vec<Face> {
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        let shares = |other: &Face| {
            let smaller = face.rect.area().min(other.rect.area());
            face.rect.intersection(&other.rect) > MOST_SHARED * smaller
        };
        if !kept.iter().any(shares) {
            kept.push(face);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_those_of_scikit_image() {
        // Cascade._get_valid_scale_factors((60, 60), (123, 123), 1.2)
        let options = CascadeOptions { min_size: Some(60), max_size: Some(123), ..CascadeOptions::default() };
        let cascade = Cascade::frontal().with_options(options).unwrap();
        let scales = cascade.scales(1000, 1000, 1.0);
        let expected = [2.5, 3.0, 3.6, 4.32];
        assert_eq!(scales.len(), expected.len());
        assert!(scales.iter().zip(expected).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-5), "{scales:?}");
    }

    #[test]
    fn options_out_of_range_say_what_to_give() {
        let with = |options| Cascade::frontal().with_options(options).map(|_| ()).unwrap_err().to_string();
        for scale_factor in [1.0, 0.5, f32::NAN, f32::INFINITY] {
            let message = with(CascadeOptions { scale_factor, ..CascadeOptions::default() });
            assert!(message.contains("usually 1.2"), "{message}");
        }
        for step_ratio in [0.0, -1.0, f32::NAN] {
            let message = with(CascadeOptions { step_ratio, ..CascadeOptions::default() });
            assert!(message.contains("usually 1"), "{message}");
        }
        assert!(with(CascadeOptions { max_side: 0, ..CascadeOptions::default() }).contains("max_side is 0"));
    }

    #[test]
    fn a_face_inside_another_is_dropped_and_a_neighbour_stays() {
        let face = |x: f32, side: f32| Face {
            rect: Rect { x, y: 0.0, width: side, height: side },
            score: 0.5,
            landmarks: None,
        };
        let sides = |faces: Vec<Face>| faces.iter().map(|face| face.rect.width as usize).collect::<Vec<_>>();
        assert_eq!(sides(distinct(vec![face(0.0, 100.0), face(30.0, 40.0), face(90.0, 99.0)])), [100, 99]);
    }

    #[test]
    fn pictures_without_faces_and_of_odd_sizes_give_none() {
        let cascade = Cascade::frontal();
        for (width, height) in [(1, 1), (23, 400), (24, 24), (5000, 3), (1025, 1024), (640, 480)] {
            assert_eq!(cascade.detect(&RgbImage::filled(width, height, [90, 120, 40])).unwrap(), []);
        }
    }
}
