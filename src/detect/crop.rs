//! Squares cut out of photos: what networks are shown.

use crate::vision::{Rect, RgbImage, crop_resize};

/// Share of a face's box added on each side unless told otherwise.
pub const MARGIN: f32 = 0.2;

/// The square around a face, resampled to `size` by `size` pixels.
///
/// The square has the centre of `face` and the box's longer side, grown by `margin` of that side on each side
/// (default [`MARGIN`]). Where it reaches over the picture's border, the border's colours go on.
pub fn face_crop(image: &RgbImage, face: &Rect, margin: f32, size: usize) -> RgbImage {
    let side = face.width.max(face.height) * (1.0 + 2.0 * margin);
    crop_resize(image, square(face, side), size, size)
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

    #[test]
    fn the_square_is_centred_and_grown_on_each_side() {
        let face = Rect { x: 30.0, y: 40.0, width: 20.0, height: 10.0 };
        // 20 pixels and half of that on each side: columns 20..60, rows 25..65.
        let crop = face_crop(&ramp(100, 90), &face, 0.5, 40);
        assert_eq!((crop.pixel(0, 0), crop.pixel(39, 39)), ([20, 25, 0], [59, 64, 0]));
    }

    #[test]
    fn a_face_at_the_border_keeps_its_scale() {
        let face = Rect { x: 0.0, y: 0.0, width: 10.0, height: 10.0 };
        let crop = face_crop(&ramp(50, 50), &face, 0.5, 20);
        assert_eq!((crop.pixel(0, 0), crop.pixel(5, 15)), ([0, 0, 0], [0, 10, 0]));
    }

    #[test]
    fn the_whole_picture_is_cut_to_its_middle() {
        let crop = whole_crop(&ramp(30, 10), 10);
        assert_eq!((crop.pixel(0, 0), crop.pixel(9, 9)), ([10, 0, 0], [19, 9, 0]));
        assert_eq!(whole_crop(&ramp(92, 112), 224).width(), 224);
    }
}
