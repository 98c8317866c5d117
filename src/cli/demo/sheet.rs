//! Pictures of the demo's result: photos with boxes and names, together on a sheet.

use lookalike::Result;
use lookalike::vision::{Rect, RgbImage, crop_resize};

/// Space between the pictures of a sheet, in pixels.
const GAP: usize = 8;

/// The picture, enlarged so that a label on it can be read, and by how much.
pub fn enlarged(image: &RgbImage, times: usize) -> RgbImage {
    crop_resize(image, image.bounds(), image.width() * times, image.height() * times)
}

/// The rectangle on the enlarged picture.
pub fn enlarged_rect(rect: Rect, times: usize) -> Rect {
    rect.scaled(times as f32)
}

/// The pictures in rows of `columns`, each in a cell as large as the largest picture, on white.
pub fn sheet(pictures: &[RgbImage], columns: usize) -> Result<RgbImage> {
    let cell_width = pictures.iter().map(RgbImage::width).max().unwrap_or(1) + GAP;
    let cell_height = pictures.iter().map(RgbImage::height).max().unwrap_or(1) + GAP;
    let (width, height) = (columns * cell_width + GAP, pictures.len().div_ceil(columns) * cell_height + GAP);
    let mut pixels = vec![255; width * height * 3];
    for (index, picture) in pictures.iter().enumerate() {
        let left = GAP + index % columns * cell_width;
        let top = GAP + index / columns * cell_height;
        for (row, line) in picture.pixels().chunks_exact(3 * picture.width()).enumerate() {
            pixels[3 * ((top + row) * width + left)..][..line.len()].copy_from_slice(line);
        }
    }
    RgbImage::new(width, height, pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_in_rows() {
        let [red, blue] = [[200, 0, 0], [0, 0, 200]].map(|colour| RgbImage::filled(10, 12, colour));
        let sheet = sheet(&[red.clone(), blue.clone(), red], 2).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (2 * 18 + 8, 2 * 20 + 8));
        assert_eq!((sheet.pixel(8, 8), sheet.pixel(26, 8)), ([200, 0, 0], [0, 0, 200]));
        assert_eq!((sheet.pixel(17, 39), sheet.pixel(26, 28)), ([200, 0, 0], [255; 3]));
        assert_eq!(sheet.pixel(0, 0), [255; 3]);
    }

    #[test]
    fn boxes_grow_with_their_picture() {
        let picture = enlarged(&RgbImage::filled(5, 4, [7; 3]), 3);
        assert_eq!((picture.width(), picture.height(), picture.pixel(14, 11)), (15, 12, [7; 3]));
        let rect = enlarged_rect(Rect { x: 1.0, y: 2.0, width: 2.0, height: 1.0 }, 3);
        assert_eq!(rect, Rect { x: 3.0, y: 6.0, width: 6.0, height: 3.0 });
    }
}
