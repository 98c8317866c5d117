//! Sums over rectangles of a grey picture in a few additions.

use crate::vision::RgbImage;

/// Luminance weights of red, green and blue in 1/10,000: those of scikit-image's `rgb2gray`.
const LUMA: [u64; 3] = [2125, 7154, 721];

/// Running sums of luminance, one row and one column larger than the picture: the element at row `y`, column `x` is
/// the sum over all pixels above and to the left. Integers, so that equal blocks compare equal.
pub(super) struct Integral {
    width: usize,
    height: usize,
    sums: Vec<u64>,
}

impl Integral {
    /// The sums of a picture's luminance.
    pub(super) fn new(image: &RgbImage) -> Integral {
        let stride = image.width() + 1;
        let mut sums = vec![0; stride * (image.height() + 1)];
        for (y, row) in image.pixels().chunks_exact(3 * image.width()).enumerate() {
            let (above, below) = sums.split_at_mut(stride * (y + 1));
            let above = &above[stride * y..];
            let mut running = 0;
            for (x, rgb) in row.chunks_exact(3).enumerate() {
                running +=
                    rgb.iter().zip(LUMA).map(|(&value, weight)| weight * u64::from(value)).sum::<u64>();
                below[x + 1] = above[x + 1] + running;
            }
        }
        Integral { width: image.width(), height: image.height(), sums }
    }

    /// Pixels in a row of the picture.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Rows of the picture.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// Distance between an element and the one below it.
    pub(super) fn stride(&self) -> usize {
        self.width + 1
    }

    /// The elements from row `y`, column `x` on.
    pub(super) fn from(&self, x: usize, y: usize) -> &[u64] {
        &self.sums[y * self.stride() + x..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_corners_are_sums_of_pixels() {
        let image = RgbImage::new(3, 2, (1..=18).collect()).unwrap();
        let integral = Integral::new(&image);
        let at = |x, y| integral.from(x, y)[0];
        let luma = |x, y| image.pixel(x, y).iter().zip(LUMA).map(|(&v, w)| w * u64::from(v)).sum::<u64>();
        assert_eq!(at(0, 2) + at(3, 0), 0);
        assert_eq!(at(1, 1), luma(0, 0));
        assert_eq!(
            at(3, 2) - at(1, 2) - at(3, 0) + at(1, 0),
            luma(1, 0) + luma(2, 0) + luma(1, 1) + luma(2, 1)
        );
    }
}
