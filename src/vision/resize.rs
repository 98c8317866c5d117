//! Cutting a rectangle, upright or turned, out of a picture and resampling it once, without aliasing.

use std::ops::Range;

use super::{Rect, RgbImage};

/// A rectangle turned about its centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turned {
    /// The rectangle before it is turned.
    pub rect: Rect,
    /// How far it is turned, in radians, clockwise as seen in the picture: a quarter turn takes its upper edge to the
    /// right.
    pub angle: f32,
}

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

/// The part of `image` inside a turned rectangle, turned upright and resampled to `width` by `height` pixels.
///
/// The filter of [`crop_resize`], laid along the rectangle's own edges. A target pixel is the weighted mean of the
/// source pixels around its centre, with
///
/// ```text
/// weight = max(0, 1 − |u| / reach_u) · max(0, 1 − |v| / reach_v)
///
/// u, v     from the target pixel's centre to the source pixel's, along the rectangle's upper edge and down its side
/// reach    source pixels per target pixel in that direction, at least 1
/// ```
///
/// so pixels are resampled once, however the rectangle lies. Not turned, it is [`crop_resize`], whose weights split
/// into columns and rows and take fewer multiplications.
///
/// # Panics
/// If `width` or `height` is zero, the rectangle is empty, or a number is not finite.
pub fn crop_turned(image: &RgbImage, turned: Turned, width: usize, height: usize) -> RgbImage {
    if turned.angle == 0.0 {
        return crop_resize(image, turned.rect, width, height);
    }
    let grid = Grid::new(turned, [width, height]);
    let [columns, rows] = grid.reads(image);
    let [last_column, last_row] = [image.width(), image.height()].map(|size| size as isize - 1);
    let (pixels, _) = image.pixels().as_chunks::<3>();

    // Red, green, blue and the weight of each target pixel. The plain way asks each target pixel for its sources, and
    // has to find where they begin and end on each of their rows. The other way round, each source pixel adds itself
    // to its targets, which are an upright rectangle, of four when shrinking. The sums are the same. To 224 x 224 it
    // takes a quarter of the time from 112 pixels, less than half from 300, and about as long from 1000.
    let mut sums = vec![[0.0; 4]; width * height];
    for y in rows {
        let line = &pixels[image.width() * y.clamp(0, last_row) as usize..];
        for x in grid.span(y, &columns) {
            let [red, green, blue] = line[x.clamp(0, last_column) as usize].map(f32::from);
            grid.add(&mut sums, [x, y], [red, green, blue, 1.0]);
        }
    }
    let mean =
        |[red, green, blue, weight]: &[f32; 4]| [red, green, blue].map(|sum| (sum / weight).round() as u8);
    RgbImage::new(width, height, sums.iter().flat_map(mean).collect()).expect("three bytes for each pixel")
}

/// The target pixels as a turned grid on the picture. Pairs are columns and rows, or `x` and `y`.
struct Grid {
    /// Number of target pixels.
    size: [usize; 2],
    /// Where the grid's middle lies, in the picture.
    centre: [f64; 2],
    /// Sine of the angle, and not 0: without a turn there is no grid.
    sin: f64,
    /// Cosine of the angle, and not 0 either: no `f32` is a quarter turn exactly.
    cos: f64,
    /// Target pixels per source pixel.
    scale: [f64; 2],
    /// Half the filter's width, in target pixels.
    reach: [f64; 2],
}

impl Grid {
    fn new(Turned { rect, angle }: Turned, size: [usize; 2]) -> Grid {
        assert!(size[0] > 0 && size[1] > 0, "resizing to {}x{} pixels", size[0], size[1]);
        let numbers = [rect.x, rect.y, rect.width, rect.height, angle];
        assert!(
            numbers.iter().all(|number| number.is_finite()) && rect.width > 0.0 && rect.height > 0.0,
            "resizing from {rect:?}, turned by {angle}"
        );
        let [x, y, width, height, angle] = numbers.map(f64::from);
        let scale = [size[0] as f64 / width, size[1] as f64 / height];
        Grid {
            size,
            centre: [x + width / 2.0, y + height / 2.0],
            sin: angle.sin(),
            cos: angle.cos(),
            scale,
            reach: scale.map(|scale| scale.max(1.0)),
        }
    }

    /// Columns and rows of source pixels that may count: those of the picture and those beyond its border that the
    /// grid covers, as far as the filter reaches.
    fn reads(&self, image: &RgbImage) -> [Range<isize>; 2] {
        let [covers, reaches] = [0.0, 1.0].map(|reach| self.upright(self.half(reach)));
        [(0, image.width()), (1, image.height())].map(|(axis, size)| {
            let centre = self.centre[axis];
            let known = covered(centre - covers[axis], centre + covers[axis], size);
            centres_within(centre - reaches[axis], centre + reaches[axis], &known)
        })
    }

    /// The columns of row `y`, out of `columns`, that are within reach of some target pixel.
    fn span(&self, y: isize, columns: &Range<isize>) -> Range<isize> {
        // |dx · cos + dy · sin| ≤ half_u and |dy · cos − dx · sin| ≤ half_v, solved for dx.
        let [half_u, half_v] = self.half(1.0);
        let dy = y as f64 + 0.5 - self.centre[1];
        let (u, half_u) = (-dy * self.sin / self.cos, half_u / self.cos.abs());
        let (v, half_v) = (dy * self.cos / self.sin, half_v / self.sin.abs());
        let [left, right] = [(u - half_u).max(v - half_v), (u + half_u).min(v + half_v)];
        centres_within(self.centre[0] + left, self.centre[0] + right, columns)
    }

    /// Adds the source pixel in column `x` of row `y` to the target pixels near it.
    fn add(&self, sums: &mut [[f32; 4]], [x, y]: [isize; 2], pixel: [f32; 4]) {
        let [dx, dy] = [x as f64 + 0.5 - self.centre[0], y as f64 + 0.5 - self.centre[1]];
        let columns = self.near(0, dx * self.cos + dy * self.sin);
        let rows = self.near(1, dy * self.cos - dx * self.sin);
        for (row, down) in rows.targets.clone().zip(rows.weights()) {
            let line = &mut sums[self.size[0] * row..][columns.targets.clone()];
            for (sum, across) in line.iter_mut().zip(columns.weights()) {
                let weight = down * across;
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += weight * value;
                }
            }
        }
    }

    /// The target pixels within reach of a place `at` source pixels from the grid's middle.
    fn near(&self, axis: usize, at: f64) -> Near {
        let (size, reach) = (self.size[axis], self.reach[axis]);
        let at = at * self.scale[axis] + size as f64 / 2.0;
        // The cast takes what lies before the first pixel to 0.
        let first = |edge: f64| ((edge + 0.5) as u32 as usize).min(size);
        let targets = first(at - reach)..first(at + reach);
        let start = ((targets.start as f64 + 0.5 - at) / reach) as f32;
        Near { targets, start, step: reach.recip() as f32 }
    }

    /// Half the grid's sides in source pixels, with `reach` times the filter's reach added.
    fn half(&self, reach: f64) -> [f64; 2] {
        [0, 1].map(|axis| (self.size[axis] as f64 / 2.0 + reach * self.reach[axis]) / self.scale[axis])
    }

    /// Half the sides of the upright rectangle around a turned one, given half its sides.
    fn upright(&self, [width, height]: [f64; 2]) -> [f64; 2] {
        let [sin, cos] = [self.sin.abs(), self.cos.abs()];
        [width * cos + height * sin, width * sin + height * cos]
    }
}

/// Target pixels near a place along one axis.
struct Near {
    targets: Range<usize>,
    /// From the place to the first one's centre, as a part of the reach.
    start: f32,
    /// From each to the next.
    step: f32,
}

impl Near {
    /// What the place weighs in each of them.
    fn weights(&self) -> impl Iterator<Item = f32> {
        (0..self.targets.len()).map(|k| 1.0 - (self.start + k as f32 * self.step).abs())
    }
}

/// The `size` pixels of a picture along one axis, and those beyond its border that are covered from `low` to `high`.
fn covered(low: f64, high: f64, size: usize) -> Range<isize> {
    /// A part of a pixel too small to count: no turn too small to see shall add a row of pixels.
    const SLIVER: f64 = 0.01;
    (low + SLIVER).floor().min(0.0) as isize..(high - SLIVER).ceil().max(size as f64) as isize
}

/// The pixels of `known` whose centres lie from `low` to `high`.
fn centres_within(low: f64, high: f64, known: &Range<isize>) -> Range<isize> {
    ((low - 0.5).ceil() as isize).max(known.start)..((high + 0.5).floor() as isize).min(known.end)
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

    /// A rectangle of `width` by `height` pixels, with its upper left corner at `x`, `y` before it is turned.
    fn turned([x, y, width, height]: [f32; 4], angle: f32) -> Turned {
        Turned { rect: Rect { x, y, width, height }, angle }
    }

    fn assert_within(step: u8, ours: &[u8], expected: &[u8], case: &str) {
        assert_eq!(ours.len(), expected.len(), "{case}");
        for (i, (a, b)) in ours.iter().zip(expected).enumerate() {
            assert!(a.abs_diff(*b) <= step, "{case}, byte {i}: {a}, expected {b}");
        }
    }

    #[test]
    fn without_a_turn_it_is_the_upright_crop() {
        let image = pattern(9, 7);
        for angle in [0.0, -0.0] {
            let cut = turned([1.5, 0.25, 6.0, 5.75], angle);
            assert_eq!(crop_turned(&image, cut, 5, 4), crop_resize(&image, cut.rect, 5, 4));
        }
    }

    #[test]
    fn a_turn_too_small_to_see_changes_nothing() {
        let image = pattern(23, 20);
        for (case, rect, width, height) in [
            ("the whole picture at its own size", [0.0, 0.0, 23.0, 20.0], 23, 20),
            ("the whole picture, shrunk", [0.0, 0.0, 23.0, 20.0], 7, 6),
            ("the whole picture, enlarged", [0.0, 0.0, 23.0, 20.0], 61, 50),
            ("wider, but no higher", [2.5, 3.25, 8.0, 16.0], 31, 5),
            ("over two borders, at whole pixels", [-9.0, 7.0, 20.0, 22.0], 6, 7),
            ("over all borders, at parts of pixels", [-3.3, -4.6, 30.7, 31.2], 9, 40),
            ("less than a pixel", [4.7, 5.6, 0.6, 0.3], 4, 3),
            ("beyond the border", [-40.0, 3.0, 12.0, 9.0], 4, 5),
        ] {
            for angle in [1e-6, -1e-6] {
                let cut = turned(rect, angle);
                let upright = crop_resize(&image, cut.rect, width, height);
                assert_within(1, crop_turned(&image, cut, width, height).pixels(), upright.pixels(), case);
            }
        }
    }

    #[test]
    fn quarter_turns_copy() {
        use std::f32::consts::{FRAC_PI_2, PI};
        let image = pattern(9, 7);
        let square = [2.0, 1.0, 5.0, 5.0];
        // Turned clockwise by a quarter, the square's upper edge runs down the right side of what it covers.
        let cut = crop_turned(&image, turned(square, FRAC_PI_2), 5, 5);
        let half = crop_turned(&image, turned(square, PI), 5, 5);
        let back = crop_turned(&image, turned(square, -FRAC_PI_2), 5, 5);
        for (x, y) in (0..25).map(|i| (i % 5, i / 5)) {
            for (turn, ours, source) in
                [(1, &cut, (4 - y, x)), (2, &half, (4 - x, 4 - y)), (3, &back, (y, 4 - x))]
            {
                let expected = image.pixel(2 + source.0, 1 + source.1);
                assert_within(1, &ours.pixel(x, y), &expected, &format!("{turn} quarters, at ({x}, {y})"));
            }
        }
    }

    #[test]
    fn a_smooth_picture_is_read_at_the_turned_places() {
        // Periods of 250 pixels and more: averaging over ten pixels takes less than one step from the waves.
        let waves = |x: f64, y: f64| {
            [(x / 40.0).sin(), (y / 50.0).cos(), (x / 70.0 - y / 60.0).sin()].map(|wave| 128.0 + 100.0 * wave)
        };
        let pixels = (0..200 * 160).flat_map(|i| {
            waves((i % 200) as f64 + 0.5, (i / 200) as f64 + 0.5).map(|value| value.round() as u8)
        });
        let image = RgbImage::new(200, 160, pixels.collect()).unwrap();
        for (angle, width, height) in [(0.3, 20, 16), (-2.2, 20, 90), (1.5, 130, 120), (3.0, 25, 16)] {
            let cut = crop_turned(&image, turned([50.5, 40.0, 100.0, 80.0], angle), width, height);
            let (sin, cos) = f64::from(angle).sin_cos();
            for (i, j) in (0..width * height).map(|i| (i % width, i / width)) {
                let u = ((i as f64 + 0.5) / width as f64 - 0.5) * 100.0;
                let v = ((j as f64 + 0.5) / height as f64 - 0.5) * 80.0;
                let expected =
                    waves(100.5 + u * cos - v * sin, 80.0 + u * sin + v * cos).map(|c| c.round() as u8);
                assert_within(2, &cut.pixel(i, j), &expected, &format!("angle {angle}, at ({i}, {j})"));
            }
        }
    }

    #[test]
    fn far_beyond_the_border_its_colours_go_on() {
        let image = pattern(4, 4);
        for (rect, (x, y)) in [
            ([100.0, -900.0, 50.0, 50.0], (3, 0)),
            ([-90.0, 300.0, 5.0, 5.0], (0, 3)),
            ([1e6, 1e6, 40.0, 40.0], (3, 3)),
        ] {
            for angle in [0.7, -2.0] {
                let far = crop_turned(&image, turned(rect, angle), 3, 2);
                assert_eq!(far.pixels(), image.pixel(x, y).repeat(6), "{rect:?}");
            }
        }
    }

    #[test]
    fn agrees_with_numpy() {
        // NumPy 2.4.6, with a picture made like `pattern`, each target pixel by itself:
        //
        //   def turned(x, y, w, h, angle, width, height):
        //       sin, cos, cx, cy, out = np.sin(angle), np.cos(angle), x + w/2, y + h/2, []
        //       bw, bh = (w*abs(cos) + h*abs(sin))/2, (w*abs(sin) + h*abs(cos))/2
        //       left, top = min(0, int(np.floor(cx - bw))), min(0, int(np.floor(cy - bh)))
        //       right, bottom = max(9, int(np.ceil(cx + bw))), max(7, int(np.ceil(cy + bh)))
        //       py, px = np.mgrid[top:bottom, left:right]
        //       colours, dx, dy = picture[py.clip(0, 6), px.clip(0, 8)], px + 0.5 - cx, py + 0.5 - cy
        //       for j, i in np.ndindex(height, width):
        //           a = abs(dx*cos + dy*sin - ((i + 0.5)*w/width - w/2)) / max(1, w/width)
        //           b = abs(dy*cos - dx*sin - ((j + 0.5)*h/height - h/2)) / max(1, h/height)
        //           weight = np.maximum(0, 1 - a) * np.maximum(0, 1 - b)
        //           out += [*np.rint((colours*weight[..., None]).sum((0, 1)) / weight.sum()).astype(int)]
        //       return out
        //
        // turned(1.5, 0.25, 6, 5.75, 0.5, 4, 3)
        let smaller = [
            30, 225, 132, 43, 212, 114, 57, 198, 113, 71, 184, 127, 22, 233, 119, 36, 219, 126, 50, 205, 118,
            63, 192, 116, 14, 241, 115, 28, 227, 119, 42, 213, 126, 56, 199, 127,
        ];
        // turned(2, 2, 4, 3, -2.0, 6, 4)
        let larger = [
            37, 218, 58, 33, 222, 132, 30, 225, 123, 26, 229, 135, 23, 232, 125, 20, 235, 68, 44, 211, 154,
            40, 215, 99, 36, 219, 110, 34, 221, 53, 30, 225, 145, 26, 229, 115, 50, 205, 125, 46, 209, 95,
            42, 213, 187, 40, 215, 130, 36, 219, 141, 32, 223, 86, 56, 199, 172, 53, 202, 115, 50, 205, 105,
            46, 209, 117, 43, 212, 108, 39, 216, 182,
        ];
        // turned(-3.5, 1, 8.5, 6, 0.3, 3, 2)
        let over = [1, 254, 107, 11, 244, 116, 37, 218, 121, 4, 251, 110, 8, 247, 110, 30, 225, 117];
        let image = pattern(9, 7);
        for (case, rect, angle, width, height, expected) in [
            ("smaller", [1.5, 0.25, 6.0, 5.75], 0.5, 4, 3, &smaller[..]),
            ("larger", [2.0, 2.0, 4.0, 3.0], -2.0, 6, 4, &larger[..]),
            ("over the border", [-3.5, 1.0, 8.5, 6.0], 0.3, 3, 2, &over[..]),
        ] {
            // Sums in single precision may round the other way.
            assert_within(
                1,
                crop_turned(&image, turned(rect, angle), width, height).pixels(),
                expected,
                case,
            );
        }
    }
}
