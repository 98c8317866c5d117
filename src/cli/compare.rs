//! Two detectors side by side: what each found, how fast, and where they disagree.

use std::fmt;

use lookalike::Result;
use lookalike::detect::Face;
use lookalike::vision::{RgbImage, draw_title};

use super::faces::{Found, marked};

/// Part of the smaller of two boxes that lies in the other where both show one face. Detectors draw their boxes
/// differently: one around the face, the other around eyes and mouth.
const SAME: f32 = 0.5;

/// White between the pictures, in pixels.
const GAP: usize = 8;

/// What two detectors found on the same photos.
#[derive(Debug)]
pub struct Comparison {
    detectors: [Sum; 2],
    /// Faces that both found.
    both: usize,
    photos: usize,
    /// Photos on which one found a face that the other did not.
    disagree: usize,
}

/// What one of the two found.
#[derive(Debug, Default)]
struct Sum {
    name: &'static str,
    faces: usize,
    /// Faces that the other did not find.
    alone: usize,
    /// Photos on which it found a face.
    photos: usize,
    seconds: Vec<f64>,
}

impl Comparison {
    /// Adds up the photos; each has what the first and what the second detector found.
    pub fn of<'a>(photos: impl Iterator<Item = &'a [Found]>) -> Comparison {
        let mut comparison = Comparison { detectors: Default::default(), both: 0, photos: 0, disagree: 0 };
        for found in photos {
            let [first, second] = found else { continue };
            comparison.add(first, second);
        }
        comparison
    }

    fn add(&mut self, first: &Found, second: &Found) {
        let both = pairs(&first.faces, &second.faces);
        self.photos += 1;
        self.both += both;
        self.disagree += usize::from(both < first.faces.len().max(second.faces.len()));
        for (sum, found) in self.detectors.iter_mut().zip([first, second]) {
            sum.name = found.detector;
            sum.faces += found.faces.len();
            sum.alone += found.faces.len() - both;
            sum.photos += usize::from(!found.faces.is_empty());
            sum.seconds.push(found.seconds);
        }
    }
}

/// Faces that both found: pairs of boxes that lie in one another, each box in one pair at most.
fn pairs(first: &[Face], second: &[Face]) -> usize {
    let mut free: Vec<&Face> = second.iter().collect();
    let mut both = 0;
    for face in first {
        let shared = |other: &Face| {
            face.rect.intersection(&other.rect)
                / face.rect.area().min(other.rect.area()).max(f32::MIN_POSITIVE)
        };
        let best = (0..free.len()).max_by(|&a, &b| shared(free[a]).total_cmp(&shared(free[b])));
        if let Some(best) = best.filter(|&best| shared(free[best]) >= SAME) {
            free.swap_remove(best);
            both += 1;
        }
    }
    both
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ndetector   faces  it alone  photos with a face  ms a photo (median)")?;
        for Sum { name, faces, alone, photos, seconds } in &self.detectors {
            let with = format!("{photos} of {}", self.photos);
            writeln!(f, "{name:<8}  {faces:>6}  {alone:>8}  {with:>18}  {:>19.0}", 1e3 * median(seconds))?;
        }
        write!(
            f,
            "{} faces were found by both; on {} of {} photos they disagree",
            self.both, self.disagree, self.photos
        )
    }
}

fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// The photo once for each detector, with its name, its time and its faces.
pub fn side_by_side(image: &RgbImage, found: &[Found]) -> Result<RgbImage> {
    let pictures: Vec<RgbImage> = found
        .iter()
        .map(|found| {
            let mut picture = marked(image.clone(), found);
            let faces = super::faces::count(found.faces.len());
            draw_title(&mut picture, &format!("{}: {faces}, {:.0} ms", found.detector, 1e3 * found.seconds));
            picture
        })
        .collect();
    let (width, height) = (image.width(), image.height());
    let row = |y: usize| {
        let gap = [255; GAP * 3];
        let lines: Vec<&[u8]> =
            pictures.iter().map(|picture| &picture.pixels()[y * width * 3..][..width * 3]).collect();
        lines.join(&gap[..])
    };
    let pixels: Vec<u8> = (0..height).flat_map(row).collect();
    RgbImage::new(pictures.len() * (width + GAP) - GAP, height, pixels)
}

#[cfg(test)]
mod tests {
    use lookalike::vision::Rect;

    use super::*;

    fn face(x: f32, side: f32) -> Face {
        Face { rect: Rect { x, y: 0.0, width: side, height: side }, score: 0.9, landmarks: None }
    }

    fn found(detector: &'static str, faces: Vec<Face>, seconds: f64) -> Found {
        Found { detector, faces, seconds }
    }

    #[test]
    fn a_box_inside_another_is_the_same_face_once() {
        assert_eq!(pairs(&[face(0.0, 100.0)], &[face(20.0, 60.0), face(25.0, 60.0)]), 1);
        assert_eq!(pairs(&[face(0.0, 100.0), face(200.0, 50.0)], &[face(210.0, 50.0), face(500.0, 50.0)]), 1);
        assert_eq!(pairs(&[face(0.0, 10.0)], &[]), 0);
    }

    #[test]
    fn sums_tell_who_found_what_alone() {
        let photos = [
            vec![
                found("a", vec![face(0.0, 10.0), face(50.0, 10.0)], 0.002),
                found("b", vec![face(0.0, 10.0)], 0.008),
            ],
            vec![found("a", vec![], 0.004), found("b", vec![], 0.009)],
        ];
        let text = Comparison::of(photos.iter().map(Vec::as_slice)).to_string();
        let lines: Vec<&str> = text.lines().collect();
        let numbers = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(numbers(lines[2]), ["a", "2", "1", "1", "of", "2", "4"]);
        assert_eq!(numbers(lines[3]), ["b", "1", "0", "1", "of", "2", "9"]);
        assert_eq!(lines[4], "1 faces were found by both; on 1 of 2 photos they disagree");
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let image = RgbImage::filled(40, 30, [10, 20, 200]);
        let both =
            side_by_side(&image, &[found("a", vec![face(5.0, 20.0)], 0.1), found("b", vec![], 0.1)]).unwrap();
        assert_eq!((both.width(), both.height()), (88, 30));
        assert_eq!(both.pixel(41, 29), [255; 3]);
        assert_eq!(both.pixel(87, 29), [10, 20, 200]);
    }
}
