//! Squares cut out of photos: what networks are shown.

use super::{Face, Landmarks};
use crate::vision::{Rect, RgbImage, Turned, crop_resize, crop_turned};

/// Share of a face's box added on each side unless told otherwise.
pub const MARGIN: f32 = 0.2;

/// Points of an [`Oval`].
const OVAL: usize = 48;

/// The outline of a face as a polygon.
pub type Oval = [[f32; 2]; OVAL];

/// How the square around a face is cut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CropStyle {
    /// Width and height of the crop in pixels; 224 by default.
    pub size: usize,
    /// What is added on each side of the face's box, as a part of its longer side; [`MARGIN`] by default.
    pub margin: f32,
    /// Turn the face upright if its eyes are known; so by default.
    pub align: bool,
}

impl Default for CropStyle {
    fn default() -> CropStyle {
        CropStyle { size: 224, margin: MARGIN, align: true }
    }
}

/// The square around a face, resampled once.
///
/// The square has the centre of the face's box and the box's longer side, grown by the margin. With `align` it is
/// turned about that centre so that the eyes come out level, the left one on the left, even if the face stands on its
/// head; how far is [`tilt`]'s to say, and without an answer the square stays upright. A head fills its box about
/// evenly however it is tilted, so the box's centre is the head's, and a head stays in the middle of its crop whether
/// its eyes are known or not. Where the square reaches over the picture's border, the border's colours go on.
pub fn face_crop(image: &RgbImage, face: &Face, style: CropStyle) -> RgbImage {
    crop_turned(image, place(face, style), style.size, style.size)
}

/// A face's landmarks in pixels of its [crop](face_crop), if they are known.
pub fn landmarks_in_crop(face: &Face, style: CropStyle) -> Option<Landmarks> {
    Some(place_in(place(face, style), style.size, &face.landmarks?))
}

/// The oval that fills a face's box, as points in pixels of its [crop](face_crop). The box turns with the face: a head fills its
/// own about evenly however it is tilted.
pub fn oval_in_crop(face: &Face, style: CropStyle) -> Oval {
    let scale = style.size as f32 / place(face, style).rect.width;
    let [width, height] = [face.rect.width, face.rect.height].map(|side| side * scale / 2.0);
    let middle = style.size as f32 / 2.0;
    std::array::from_fn(|index| {
        let (sin, cos) = (index as f32 * std::f32::consts::TAU / OVAL as f32).sin_cos();
        [middle + width * cos, middle + height * sin]
    })
}

/// Points of a picture in pixels of one of `size` × `size` that a square of it becomes.
pub(super) fn place_in<const N: usize>(square: Turned, size: usize, points: &[[f32; 2]; N]) -> [[f32; 2]; N] {
    let Turned { rect, angle } = square;
    let (sin, cos) = angle.sin_cos();
    let scale = size as f32 / rect.width;
    let middle = size as f32 / 2.0;
    let [centre_x, centre_y] = [rect.x + rect.width / 2.0, rect.y + rect.height / 2.0];
    let point = |[x, y]: [f32; 2]| {
        let [x, y] = [x - centre_x, y - centre_y];
        [middle + scale * (x * cos + y * sin), middle + scale * (y * cos - x * sin)]
    };
    points.map(point)
}

/// The square of a picture that becomes a face's crop.
fn place(face: &Face, style: CropStyle) -> Turned {
    let side = longer_side(&face.rect) * (1.0 + 2.0 * style.margin);
    let angle = if style.align { tilt(face).unwrap_or(0.0) } else { 0.0 };
    Turned { rect: square(&face.rect, side), angle }
}

/// How far a face is tilted, in radians: the angle from the picture's x axis to the line from its left eye to its
/// right one, clockwise as seen in the picture, from −π to π.
///
/// None without landmarks, and where they do not look like a face's:
/// - the eyes are closer than 0.15 or farther than 1 of the box's longer side. From the front they are 0.3 to 0.4
///   apart; in profile they nearly meet, and an error of a few pixels would turn the face by any angle.
/// - the mouth is not below the line of the eyes, in the face's own direction. A detector that has mixed up the eyes
///   would have the face put on its head.
/// - a number among them is not finite.
pub fn tilt(face: &Face) -> Option<f32> {
    let landmarks = face.landmarks?;
    let [left, right, _, mouth_left, mouth_right] = landmarks;
    let [across, down] = [right[0] - left[0], right[1] - left[1]];
    let apart = across.hypot(down) / longer_side(&face.rect);
    // From the middle of the eyes to that of the mouth, doubled.
    let [mouth_x, mouth_y] = [0, 1].map(|i| mouth_left[i] + mouth_right[i] - left[i] - right[i]);
    let trusted = landmarks.as_flattened().iter().all(|number| number.is_finite())
        && (0.15..=1.0).contains(&apart)
        && across * mouth_y - down * mouth_x > 0.0;
    trusted.then(|| down.atan2(across))
}

/// The largest centred square of a picture, resampled to `size` by `size` pixels: for tight head shots.
pub fn whole_crop(image: &RgbImage, size: usize) -> RgbImage {
    let bounds = image.bounds();
    crop_resize(image, square(&bounds, bounds.width.min(bounds.height)), size, size)
}

/// Whether a picture in which no face was found may be a head and little else, so that it can be used whole: it is
/// no larger than the crop of `size` pixels that it becomes, and no side is longer than one and a half times the
/// other.
pub fn is_head_shot(image: &RgbImage, size: usize) -> bool {
    let (long, short) = (image.width().max(image.height()), image.width().min(image.height()));
    long <= size && 2 * long <= 3 * short
}

fn longer_side(rect: &Rect) -> f32 {
    rect.width.max(rect.height)
}

fn square(around: &Rect, side: f32) -> Rect {
    Rect {
        x: around.x + (around.width - side) / 2.0,
        y: around.y + (around.height - side) / 2.0,
        width: side,
        height: side,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red counts columns, green counts rows.
    fn ramp(width: usize, height: usize) -> RgbImage {
        let pixels = (0..width * height).flat_map(|i| [(i % width) as u8, (i / width) as u8, 0]).collect();
        RgbImage::new(width, height, pixels).unwrap()
    }

    /// A face without landmarks.
    fn boxed(x: f32, y: f32, width: f32, height: f32) -> Face {
        Face { rect: Rect { x, y, width, height }, score: 1.0, landmarks: None }
    }

    #[test]
    fn the_square_is_centred_and_grown_on_each_side() {
        let face = boxed(30.0, 40.0, 20.0, 10.0);
        // 20 pixels and half of that on each side: columns 20..60, rows 25..65.
        let crop = face_crop(&ramp(100, 90), &face, CropStyle { size: 40, margin: 0.5, align: true });
        assert_eq!((crop.pixel(0, 0), crop.pixel(39, 39)), ([20, 25, 0], [59, 64, 0]));
    }

    #[test]
    fn a_face_at_the_border_keeps_its_scale() {
        let face = boxed(0.0, 0.0, 10.0, 10.0);
        let crop = face_crop(&ramp(50, 50), &face, CropStyle { size: 20, margin: 0.5, align: true });
        assert_eq!((crop.pixel(0, 0), crop.pixel(5, 15)), ([0, 0, 0], [0, 10, 0]));
    }

    #[test]
    fn the_whole_picture_is_cut_to_its_middle() {
        let crop = whole_crop(&ramp(30, 10), 10);
        assert_eq!((crop.pixel(0, 0), crop.pixel(9, 9)), ([10, 0, 0], [19, 9, 0]));
        assert_eq!(whole_crop(&ramp(92, 112), 224).width(), 224);
    }

    /// The middle of the box of [`tilted`]'s face.
    const CENTRE: [f32; 2] = [80.0, 70.0];

    /// A face of 60 by 60 pixels around [`CENTRE`], turned clockwise by `angle`: eyes 24 pixels apart and 10 above the
    /// centre, mouth 16 wide and 15 below.
    fn tilted(angle: f32) -> Face {
        let (sin, cos) = angle.sin_cos();
        let landmarks = [[-12.0, -10.0], [12.0, -10.0], [0.0, 2.0], [-8.0, 15.0], [8.0, 15.0]]
            .map(|[u, v]: [f32; 2]| [CENTRE[0] + u * cos - v * sin, CENTRE[1] + u * sin + v * cos]);
        Face { landmarks: Some(landmarks), ..boxed(CENTRE[0] - 30.0, CENTRE[1] - 30.0, 60.0, 60.0) }
    }

    /// A grey picture with a red spot on the left eye, a green one on the right eye, blue ones on the mouth's corners.
    fn marked(face: &Face) -> RgbImage {
        let [left, right, _, corners @ ..] = face.landmarks.unwrap();
        let pixels = (0..160 * 140).flat_map(|i| {
            let [x, y] = [(i % 160) as f32 + 0.5, (i / 160) as f32 + 0.5];
            let spot = |[a, b]: [f32; 2]| (200.0 * (-((x - a).powi(2) + (y - b).powi(2)) / 18.0).exp()) as u8;
            [spot(left), spot(right), spot(corners[0]).max(spot(corners[1]))]
        });
        RgbImage::new(160, 140, pixels.collect()).unwrap()
    }

    /// Where the colour of `channel` has its middle.
    fn middle(crop: &RgbImage, channel: usize) -> [f32; 2] {
        let mut sum = [0.0; 3];
        for (x, y) in (0..crop.height()).flat_map(|y| (0..crop.width()).map(move |x| (x, y))) {
            let weight = f32::from(crop.pixel(x, y)[channel]);
            sum = [sum[0] + weight * (x as f32 + 0.5), sum[1] + weight * (y as f32 + 0.5), sum[2] + weight];
        }
        [sum[0] / sum[2], sum[1] / sum[2]]
    }

    #[test]
    fn tilted_faces_come_out_upright() {
        let style = CropStyle { size: 84, margin: 0.2, align: true };
        for degrees in [-170.0, -90.0, -37.0, -3.0, 0.0, 15.0, 45.0, 90.0, 135.0, 180.0_f32] {
            let face = tilted(degrees.to_radians());
            let crop = face_crop(&marked(&face), &face, style);
            // 60 pixels and 12 on each side, at their own size.
            for (channel, expected) in [(0, [30.0, 32.0]), (1, [54.0, 32.0]), (2, [42.0, 57.0])] {
                let found = middle(&crop, channel);
                let off = (found[0] - expected[0]).hypot(found[1] - expected[1]);
                assert!(off < 0.2, "{degrees} degrees, channel {channel}: {found:?}, expected {expected:?}");
            }
            let landmarks = landmarks_in_crop(&face, style).unwrap();
            let expected = [[30.0, 32.0], [54.0, 32.0], [42.0, 44.0], [34.0, 57.0], [50.0, 57.0]];
            for (found, expected) in landmarks.into_iter().zip(expected) {
                let off = (found[0] - expected[0]).hypot(found[1] - expected[1]);
                assert!(off < 1e-3, "{degrees} degrees: {found:?}, expected {expected:?}");
            }
        }
    }

    #[test]
    fn a_face_is_turned_only_if_asked_and_if_its_eyes_are_known() {
        let face = tilted(0.5);
        let image = marked(&face);
        let unaligned = CropStyle { size: 40, align: false, ..CropStyle::default() };
        let aligned = CropStyle { align: true, ..unaligned };
        let boxed = Face { landmarks: None, ..face.clone() };
        let upright = face_crop(&image, &boxed, unaligned);
        assert_eq!(face_crop(&image, &face, unaligned), upright);
        assert_eq!(face_crop(&image, &boxed, aligned), upright);
        assert_ne!(face_crop(&image, &face, aligned), upright);
    }

    #[test]
    fn the_tilt_is_that_of_the_eyes() {
        for angle in [-3.0, -1.0, 0.2, 3.0] {
            assert!((tilt(&tilted(angle)).unwrap() - angle).abs() < 1e-5);
        }
        assert_eq!(tilt(&boxed(0.0, 0.0, 10.0, 10.0)), None);
    }

    #[test]
    fn landmarks_that_are_no_face_s_leave_it_upright() {
        let with = |change: &dyn Fn(&mut [[f32; 2]; 5])| {
            let mut face = tilted(0.3);
            change(face.landmarks.as_mut().unwrap());
            tilt(&face)
        };
        assert!(with(&|_| ()).is_some());
        assert_eq!(with(&|points| points[1] = points[0]), None, "both eyes in one place");
        assert_eq!(with(&|points| points[1] = [points[0][0] + 2.0, points[0][1] + 6.0]), None, "in profile");
        assert_eq!(with(&|points| points[1][0] += 60.0), None, "farther apart than the box is long");
        assert_eq!(with(&|points| points.swap(0, 1)), None, "eyes mixed up");
        assert_eq!(with(&|points| *points = [[0.0; 2]; 5]), None, "nothing found");
        for (point, axis) in [(0, 0), (1, 1), (2, 0), (3, 0), (4, 1)] {
            for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                assert_eq!(with(&|points| points[point][axis] = number), None, "landmark {point}: {number}");
            }
        }
    }
}
