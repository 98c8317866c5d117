//! A picture in memory: RGB bytes, and rectangles on it.

use std::fmt;

use crate::{Error, Result};

/// A picture of 8-bit RGB pixels, row by row from the top left.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    width: usize,
    height: usize,
    pub(super) pixels: Vec<u8>,
}

impl RgbImage {
    /// A picture of these pixels: `[height, width, 3]` in row-major order.
    ///
    /// # Errors
    /// [`Error::Input`] if a side is zero or the number of bytes is not `3 · width · height`.
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Result<RgbImage> {
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if width == 0 || height == 0 || expected != Some(pixels.len()) {
            return Err(Error::Input(format!(
                "an RGB picture of {width}x{height} pixels was given {} bytes; give 3 bytes for each of at least \
                 one pixel",
                pixels.len()
            )));
        }
        Ok(RgbImage { width, height, pixels })
    }

    /// A picture in which every pixel has the colour `rgb`.
    ///
    /// # Panics
    /// If a side is zero.
    pub fn filled(width: usize, height: usize, rgb: [u8; 3]) -> RgbImage {
        assert!(width > 0 && height > 0, "a picture of {width}x{height} pixels");
        RgbImage { width, height, pixels: rgb.repeat(width * height) }
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The bytes, `[height, width, 3]` in row-major order.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, without the size.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Colour of the pixel in column `x` of row `y`.
    ///
    /// # Panics
    /// If the pixel lies outside the picture.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(
            x < self.width && y < self.height,
            "pixel ({x}, {y}) of a {}x{} picture",
            self.width,
            self.height
        );
        let at = 3 * (y * self.width + x);
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Puts `picture` on this one, with its upper left corner in column `left` of row `top`.
    ///
    /// # Panics
    /// If it reaches over the border.
    pub fn paste(&mut self, picture: &RgbImage, left: usize, top: usize) {
        assert!(left + picture.width <= self.width, "{picture:?} in column {left} of {self:?}");
        for (row, line) in picture.pixels.chunks_exact(3 * picture.width).enumerate() {
            self.pixels[3 * ((top + row) * self.width + left)..][..line.len()].copy_from_slice(line);
        }
    }

    /// The rectangle that the picture fills.
    pub fn bounds(&self) -> Rect {
        Rect { x: 0.0, y: 0.0, width: self.width as f32, height: self.height as f32 }
    }
}

impl fmt::Debug for RgbImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RgbImage {}x{}", self.width, self.height)
    }
}

/// A rectangle in pixels, origin at the top left corner of the picture's first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Extent to the right.
    pub width: f32,
    /// Extent downwards.
    pub height: f32,
}

impl Rect {
    /// Area in pixels.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Area that this rectangle shares with `other`.
    pub fn intersection(&self, other: &Rect) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }

    /// Intersection over union: 1 for equal rectangles, 0 for rectangles that share nothing.
    pub fn iou(&self, other: &Rect) -> f32 {
        let shared = self.intersection(other);
        let union = self.area() + other.area() - shared;
        if union > 0.0 { shared / union } else { 0.0 }
    }

    /// This rectangle with positions and sizes multiplied by `factor`.
    pub fn scaled(&self, factor: f32) -> Rect {
        Rect {
            x: self.x * factor,
            y: self.y * factor,
            width: self.width * factor,
            height: self.height * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_must_fill_the_size() {
        assert!(RgbImage::new(2, 1, vec![0; 6]).is_ok());
        for (width, height, bytes) in [(2, 1, 5), (0, 1, 0), (usize::MAX, 2, 6)] {
            let error = RgbImage::new(width, height, vec![0; bytes]).unwrap_err().to_string();
            assert!(error.contains(&format!("{width}x{height}")), "{error}");
        }
    }

    #[test]
    fn iou_of_known_rectangles() {
        let a = Rect { x: 0.0, y: 0.0, width: 4.0, height: 2.0 };
        assert_eq!(a.iou(&a), 1.0);
        assert_eq!(a.iou(&Rect { x: 2.0, ..a }), 4.0 / 12.0);
        assert_eq!(a.iou(&Rect { x: 4.0, ..a }), 0.0);
        let empty = Rect { width: 0.0, ..a };
        assert_eq!(empty.iou(&empty), 0.0);
    }
}
