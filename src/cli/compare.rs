//! Two detectors side by side: what each found, how fast, and where they disagree.

use std::fmt;

use lookalike::detect::Face;
use lookalike::vision::RgbImage;
use lookalike::vision::draw::{Letters, write};

use super::faces::{Found, count, marked};

/// Overlap, of the area of both together, from which two boxes show one face. Detectors draw their boxes differently:
/// one around the face, the other a square.
const SAME: f32 = 0.3;

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
        let both = by_both(&first.faces, &second.faces)[0].iter().filter(|&&met| met).count();
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

/// For each face of either list, whether the other has it too; each box of one meets one of the other at most.
pub fn by_both(first: &[Face], second: &[Face]) -> [Vec<bool>; 2] {
    let mut met = [vec![false; first.len()], vec![false; second.len()]];
    for (index, face) in first.iter().enumerate() {
        let overlap = |&other: &usize| face.rect.iou(&second[other].rect);
        let free = (0..second.len()).filter(|&other| !met[1][other]);
        let best = free.max_by(|a, b| overlap(a).total_cmp(&overlap(b)));
        if let Some(best) = best.filter(|best| overlap(best) >= SAME) {
            met[0][index] = true;
            met[1][best] = true;
        }
    }
    met
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

/// The photo once for each detector, with its faces, and above it its name and its time.
pub fn side_by_side(image: &RgbImage, found: &[Found]) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let size = (width.min(height) / 20).max(14);
    let strip = size + size / 2;
    let mut sheet = RgbImage::filled(found.len() * (width + GAP) - GAP, strip + height, [255; 3]);
    for (index, found) in found.iter().enumerate() {
        let left = index * (width + GAP);
        let faces = count(found.faces.len());
        let title = format!("{}: {faces}, {:.0} ms", found.detector, 1e3 * found.seconds);
        let letters = Letters { size: size as f32, room: width as f32, colour: [0; 3] };
        write(&mut sheet, &title, (left, size / 4), letters);
        sheet.paste(&marked(image.clone(), found), left, strip);
    }
    sheet
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
    fn boxes_that_overlap_are_one_face_once() {
        let met = by_both(&[face(0.0, 100.0)], &[face(20.0, 90.0), face(5.0, 90.0), face(10.0, 30.0)]);
        assert_eq!(met, [vec![true], vec![false, true, false]]);
        assert_eq!(by_both(&[face(0.0, 10.0), face(0.0, 10.0)], &[face(0.0, 10.0)])[0], [true, false]);
        assert_eq!(by_both(&[face(0.0, 10.0)], &[]), [vec![false], vec![]]);
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
    fn pictures_stand_side_by_side_under_their_titles() {
        let image = RgbImage::filled(40, 30, [10, 20, 200]);
        let both = side_by_side(&image, &[found("a", vec![face(5.0, 20.0)], 0.1), found("b", vec![], 0.1)]);
        assert_eq!((both.width(), both.height()), (88, 30 + 21));
        assert_eq!(both.pixel(41, 50), [255; 3], "between the pictures");
        assert_eq!(both.pixel(87, 50), [10, 20, 200]);
    }
}
