//! The picture that a network for faces wants: eyes, nose and mouth near the places where they were when it was trained.

use super::crop::{place_in, tilt};
use super::{Face, Landmarks};
use crate::models::{FacePlacement, frontal};
use crate::vision::{Rect, RgbImage, Turned, crop_turned};

/// Where eyes are in a face's box, as parts of its longer side: how far apart, and how far their middle is above the box's.
/// Medians over all 250 faces of at least 40 pixels that MTCNN finds with 99 % or more on the test photos `groups` and `singles`; their deviations are 0.030 and 0.025, and the middle is 0.010 off to a side.
const USUAL: [f32; 2] = [0.349, 0.101];

/// The picture that a network is shown which wants its faces placed so, from the crop of a face that is `margin` larger than
/// the face's box on each side.
///
/// It is turned, scaled and moved so that the five `landmarks`, given in pixels of the crop, come as near as they can to where the
/// network wants [them](FacePlacement::landmarks): least squares (Umeyama, IEEE Transactions on Pattern Analysis and
/// Machine Intelligence 13, 1991, equations 40 to 42). The eyes alone would do less well: they come together as a head turns,
/// which looks like a small face. Without landmarks, and where they do not look like a face's ([`tilt`] tells which do), the
/// face is taken to be where most are in their crops.
pub fn place_face(
    crop: &RgbImage,
    landmarks: Option<&Landmarks>,
    margin: f32,
    placement: FacePlacement,
) -> RgbImage {
    let size = placement.size();
    crop_turned(crop, square(crop.width(), landmarks, margin, placement), size, size)
}

/// Landmarks of the crop in pixels of what [`place_face`] makes of it. `size` is that of the crop.
pub fn placed_landmarks(
    landmarks: &Landmarks,
    size: usize,
    margin: f32,
    placement: FacePlacement,
) -> Landmarks {
    placed_points(landmarks, Some(landmarks), size, margin, placement)
}

/// Any points of the crop in pixels of what [`place_face`] makes of it with these `landmarks`. `size` is that of the crop.
pub fn placed_points<const N: usize>(
    points: &[[f32; 2]; N],
    landmarks: Option<&Landmarks>,
    size: usize,
    margin: f32,
    placement: FacePlacement,
) -> [[f32; 2]; N] {
    place_in(square(size, landmarks, margin, placement), placement.size(), points)
}

/// The part of the crop that becomes the picture.
fn square(size: usize, landmarks: Option<&Landmarks>, margin: f32, placement: FacePlacement) -> Turned {
    let size = size as f32;
    // The face's box, if it is a square.
    let side = size / (1.0 + 2.0 * margin);
    let corner = (size - side) / 2.0;
    let rect = Rect { x: corner, y: corner, width: side, height: side };
    let face = Face { rect, score: 1.0, landmarks: landmarks.copied() };
    let found = match (landmarks, tilt(&face)) {
        (Some(landmarks), Some(_)) => *landmarks,
        _ => {
            let [apart, above] = USUAL.map(|part| part * side);
            frontal([size / 2.0, size / 2.0 - above], apart)
        }
    };

    // The similarity from the picture to the crop: x ↦ M·(x − wanted middle) + found middle, M = [[cos, −sin], [sin, cos]].
    let wanted = placement.landmarks();
    let [from, to] = [middle(&wanted), middle(&found)];
    let (mut cos, mut sin, mut squares) = (0.0, 0.0, 0.0);
    for (wanted, found) in wanted.iter().zip(&found) {
        let [x, y] = [wanted[0] - from[0], wanted[1] - from[1]];
        let [u, v] = [found[0] - to[0], found[1] - to[1]];
        cos += x * u + y * v;
        sin += x * v - y * u;
        squares += x * x + y * y;
    }
    let (cos, sin) = (cos / squares, sin / squares);
    let picture = placement.size() as f32;
    let [x, y] = from.map(|from| picture / 2.0 - from);
    let [x, y] = [to[0] + cos * x - sin * y, to[1] + sin * x + cos * y];
    let side = picture * cos.hypot(sin);
    let rect = Rect { x: x - side / 2.0, y: y - side / 2.0, width: side, height: side };
    Turned { rect, angle: sin.atan2(cos) }
}

fn middle(points: &Landmarks) -> [f32; 2] {
    [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f32>() / points.len() as f32)
}

#[cfg(test)]
mod tests {
    use super::super::crop::MARGIN;
    use super::FacePlacement::{ArcFace, Dlib};
    use super::*;

    /// A frontal face turned by `angle` about the middle of its eyes.
    fn turned(eyes: [f32; 2], apart: f32, angle: f32) -> Landmarks {
        let (sin, cos) = angle.sin_cos();
        frontal([0.0, 0.0], apart).map(|[x, y]| [eyes[0] + x * cos - y * sin, eyes[1] + x * sin + y * cos])
    }

    fn assert_near(found: [f32; 2], expected: [f32; 2], within: f32) {
        let off = (found[0] - expected[0]).hypot(found[1] - expected[1]);
        assert!(off < within, "{found:?}, expected {expected:?}");
    }

    #[test]
    fn a_frontal_face_comes_to_lie_where_the_network_wants_it() {
        for (eyes, apart, angle) in
            [([112.0, 96.0], 56.0, 0.0), ([100.0, 120.0], 40.0, 0.3), ([120.0, 110.0], 90.0, -2.5)]
        {
            let landmarks = turned(eyes, apart, angle);
            let placed = placed_landmarks(&landmarks, 224, MARGIN, Dlib);
            for (found, expected) in placed.into_iter().zip(Dlib.landmarks()) {
                assert_near(found, expected, 1e-3);
            }
            // ArcFace's face is no median one: its nose is nearer to the eyes, and its mouth narrower.
            let placed_so = placed_landmarks(&landmarks, 224, MARGIN, ArcFace);
            for (found, expected) in placed_so.into_iter().zip(ArcFace.landmarks()) {
                assert_near(found, expected, 4.0);
            }
            assert_near(placed[0], [47.7, 47.1], 1e-3);
            assert_near(placed[1], [100.3, 47.1], 1e-3);
        }
    }

    #[test]
    fn a_turned_head_is_not_taken_for_a_small_one() {
        let front = turned([112.0, 96.0], 56.0, 0.0);
        // Everything comes together along the eyes' line, and the nose moves to a side.
        let mut side = front.map(|[x, y]| [112.0 + 0.5 * (x - 112.0), y]);
        side[2][0] += 15.0;
        let [front, side] =
            [front, side].map(|landmarks| square(224, Some(&landmarks), MARGIN, Dlib).rect.width);
        assert!(side > 0.7 * front && side < front, "{side} of {front}");
    }

    #[test]
    fn the_picture_shows_what_the_landmarks_say() {
        let landmarks = turned([110.0, 100.0], 60.0, 0.4);
        let spot = |[a, b]: [f32; 2], x: f32, y: f32| {
            (250.0 * (-((x - a).powi(2) + (y - b).powi(2)) / 30.0).exp()) as u8
        };
        let pixel = |i: usize| {
            let [x, y] = [(i % 224) as f32 + 0.5, (i / 224) as f32 + 0.5];
            [spot(landmarks[0], x, y), spot(landmarks[1], x, y), 0]
        };
        let crop = RgbImage::new(224, 224, (0..224 * 224).flat_map(pixel).collect()).unwrap();
        const SIZE: usize = Dlib.size();
        let picture = place_face(&crop, Some(&landmarks), MARGIN, Dlib);
        assert_eq!((picture.width(), picture.height()), (SIZE, SIZE));
        for (channel, expected) in [[47.7, 47.1], [100.3, 47.1]].into_iter().enumerate() {
            let mut sum = [0.0; 3];
            for (x, y) in (0..SIZE).flat_map(|y| (0..SIZE).map(move |x| (x, y))) {
                let weight = f32::from(picture.pixel(x, y)[channel]);
                let place = [x as f32 + 0.5, y as f32 + 0.5];
                sum = [sum[0] + weight * place[0], sum[1] + weight * place[1], sum[2] + weight];
            }
            assert_near([sum[0] / sum[2], sum[1] / sum[2]], expected, 0.2);
        }
    }

    #[test]
    fn without_landmarks_a_face_is_where_most_are() {
        let [apart, above] = USUAL.map(|part| part * 224.0 / (1.0 + 2.0 * MARGIN));
        let usual = turned([112.0, 112.0 - above], apart, 0.0);
        let mixed_up = [usual[1], usual[0], usual[2], usual[3], usual[4]];
        let nowhere = [[f32::NAN; 2]; 5];
        let expected = square(224, Some(&usual), MARGIN, Dlib);
        for landmarks in [None, Some(&mixed_up), Some(&nowhere)] {
            let found = square(224, landmarks, MARGIN, Dlib);
            assert_near([found.rect.x, found.rect.y], [expected.rect.x, expected.rect.y], 1e-3);
            assert_near([found.rect.width, found.angle], [expected.rect.width, expected.angle], 1e-3);
        }
    }
}
