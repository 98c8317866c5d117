//! Cutting a rectangle out of a picture and resampling it without aliasing.

use super::{Rect, RgbImage};

/// The part of `image` inside `rect`, resampled to `width` by `height` pixels.
///
/// A triangle filter, as wide as the larger of a source pixel and a target pixel, so that shrinking averages instead
/// of skipping: Pillow's `BILINEAR` with `box=`, PyTorch's `bilinear` with `antialias=True`. Where `rect` reaches over
/// the picture's border, the border's colours go on.
///
/// # Panics
/// If `width` or `height` is zero, or `rect` is empty or has a number that is not finite.
pub fn crop_resize(image: &RgbImage, rect: Rect, width: usize, height: usize) -> RgbImage {
    assert!(width > 0 && height > 0, "resizing to {width}x{height} pixels");
    let columns = taps(rect.x, rect.width, image.width(), width);
    let rows = taps(rect.y, rect.height, image.height(), height);

    // Only the rows that some target row reads, already at their final width.
    let start = rows.iter().map(|tap| tap.first).min().expect("there are rows");
    let end = rows.iter().map(|tap| tap.first + tap.weights.len()).max().expect("there are rows");
    let source = &image.pixels()[3 * image.width() * start..3 * image.width() * end];
    let mut narrow = Vec::with_capacity(3 * width * (end - start));
    for row in source.chunks_exact(3 * image.width()) {
        for tap in &columns {
            let mut sum = [0.0; 3];
            for (pixel, weight) in row[3 * tap.first..].chunks_exact(3).zip(&tap.weights) {
                for (sum, &value) in sum.iter_mut().zip(pixel) {
                    *sum += weight * f32::from(value);
                }
            }
            narrow.extend(sum);
        }
    }

    let mut pixels = Vec::with_capacity(3 * width * height);
    let mut sums = vec![0.0; 3 * width];
    for tap in &rows {
        sums.fill(0.0);
        let source = narrow[3 * width * (tap.first - start)..].chunks_exact(3 * width);
        for (row, weight) in source.zip(&tap.weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        pixels.extend(sums.iter().map(|sum| sum.round() as u8));
    }
    RgbImage::new(width, height, pixels).expect("three bytes were pushed for each pixel")
}

/// What one target pixel reads along one axis: source pixels from `first` on, with weights that sum to 1.
struct Tap {
    first: usize,
    weights: Vec<f32>,
}

/// The taps that map `extent` source pixels from `start` on to `target` pixels.
fn taps(start: f32, extent: f32, source: usize, target: usize) -> Vec<Tap> {
    assert!(
        start.is_finite() && extent.is_finite() && extent > 0.0,
        "resizing from {start} on, over {extent} pixels"
    );
    let (start, extent) = (f64::from(start), f64::from(extent));
    let last = source as isize - 1;
    // The picture's pixels, and those beyond its border that the rectangle covers.
    let low = start.floor().min(0.0) as isize;
    let high = (start + extent).ceil().max(source as f64) as isize;
    let scale = extent / target as f64;
    let reach = scale.max(1.0);
    (0..target)
        .map(|i| {
            let centre = start + (i as f64 + 0.5) * scale;
            let covered = ((centre - reach + 0.5).floor() as isize).max(low)
                ..((centre + reach + 0.5).floor() as isize).min(high);
            let triangle = |j: isize| (1.0 - (j as f64 + 0.5 - centre).abs() / reach).max(0.0);
            let total: f64 = covered.clone().map(triangle).sum();
            let first = covered.start.clamp(0, last);
            let mut weights = vec![0.0; ((covered.end - 1).clamp(0, last) - first + 1) as usize];
            for j in covered {
                weights[(j.clamp(0, last) - first) as usize] += (triangle(j) / total) as f32;
            }
            Tap { first: first as usize, weights }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels with `r = 10·x + y`, `g = 255 − r`, and a checkerboard in blue.
    fn pattern(width: usize, height: usize) -> RgbImage {
        let pixels = (0..width * height).flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let r = (10 * x + y) as u8;
            [r, 255 - r, if (x + y) % 2 == 0 { 0 } else { 240 }]
        });
        RgbImage::new(width, height, pixels.collect()).unwrap()
    }

    #[test]
    fn the_whole_picture_at_its_own_size_is_itself() {
        let image = pattern(9, 7);
        assert_eq!(crop_resize(&image, image.bounds(), 9, 7), image);
    }

    #[test]
    fn a_cut_on_pixel_borders_copies() {
        let image = pattern(9, 7);
        let cut = crop_resize(&image, Rect { x: 2.0, y: 1.0, width: 4.0, height: 5.0 }, 4, 5);
        assert!((0..4).all(|x| (0..5).all(|y| cut.pixel(x, y) == image.pixel(x + 2, y + 1))));
    }

    #[test]
    fn beyond_the_border_its_colours_go_on() {
        let image = pattern(4, 4);
        let wide = crop_resize(&image, Rect { x: -3.0, y: -3.0, width: 10.0, height: 10.0 }, 10, 10);
        assert_eq!(wide.pixel(0, 0), image.pixel(0, 0));
        assert_eq!(wide.pixel(9, 5), image.pixel(3, 2));
        assert_eq!(wide.pixel(4, 4), image.pixel(1, 1));
        let far = crop_resize(&image, Rect { x: 100.0, y: -900.0, width: 50.0, height: 50.0 }, 2, 2);
        assert_eq!(far.pixel(0, 0), image.pixel(3, 0));
    }

    #[test]
    fn agrees_with_pillow() {
        // Pillow 13.0.0, with a picture made like `pattern`: picture.resize((4, 3), Image.BILINEAR)
        let smaller = [
            9, 246, 118, 30, 225, 120, 52, 203, 120, 73, 182, 118, 11, 244, 121, 32, 223, 120, 54, 201, 120,
            75, 180, 121, 13, 242, 118, 34, 221, 120, 56, 199, 120, 77, 178, 118,
        ];
        // picture.resize((13, 2), Image.BILINEAR)
        let wider = [
            2, 253, 112, 7, 248, 121, 14, 241, 124, 21, 234, 113, 28, 227, 122, 35, 220, 123, 42, 213, 112,
            49, 206, 123, 56, 199, 122, 63, 192, 113, 70, 185, 124, 77, 178, 121, 82, 173, 112, 4, 251, 112,
            9, 246, 121, 16, 239, 124, 23, 232, 113, 30, 225, 122, 37, 218, 123, 44, 211, 112, 51, 204, 123,
            58, 197, 122, 65, 190, 113, 72, 183, 124, 79, 176, 121, 84, 171, 112,
        ];
        // picture.resize((5, 5), Image.BILINEAR, box=(1.5, 0.25, 7.5, 6.0))
        let cut = [
            16, 239, 115, 27, 228, 134, 40, 215, 104, 53, 202, 134, 64, 191, 115, 17, 238, 121, 28, 227, 118,
            41, 214, 122, 54, 201, 118, 65, 190, 121, 19, 236, 123, 30, 225, 110, 43, 212, 132, 56, 199, 110,
            67, 188, 123, 20, 235, 113, 31, 224, 142, 44, 211, 95, 57, 198, 142, 68, 187, 113, 21, 234, 130,
            32, 223, 91, 45, 210, 154, 58, 197, 91, 69, 186, 130,
        ];
        // Image.fromarray(np.pad(np.asarray(picture), ((0, 0), (4, 0), (0, 0)), mode="edge"))
        //     .resize((3, 2), Image.BILINEAR, box=(0.5, 1.0, 9.0, 7.0))
        let over = [2, 253, 107, 8, 247, 114, 33, 222, 121, 5, 250, 120, 11, 244, 120, 36, 219, 120];
        let image = pattern(9, 7);
        let inside = Rect { x: 1.5, y: 0.25, width: 6.0, height: 5.75 };
        for (rect, width, height, expected) in [
            (image.bounds(), 4, 3, &smaller[..]),
            (image.bounds(), 13, 2, &wider[..]),
            (inside, 5, 5, &cut[..]),
            (Rect { x: -3.5, y: 1.0, width: 8.5, height: 6.0 }, 3, 2, &over[..]),
        ] {
            let ours = crop_resize(&image, rect, width, height);
            assert_eq!(ours.pixels().len(), expected.len());
            // Pillow rounds to bytes between its two passes as well: one step of difference.
            for (i, (a, b)) in ours.pixels().iter().zip(expected).enumerate() {
                assert!(a.abs_diff(*b) <= 1, "{width}x{height}, byte {i}: {a}, Pillow has {b}");
            }
        }
    }
}
