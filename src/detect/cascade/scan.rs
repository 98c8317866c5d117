//! Slides the cascade's window over a picture, at one size.

use super::integral::Integral;
use super::{Block, Cascade, Stage};

/// Slack on a stage's threshold, as scikit-image's `eps`.
const EPSILON: f32 = 1e-5;

/// A position of the window, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// All positions at which the window, `scale` times its trained size, passes every stage.
pub(super) fn scan(cascade: &Cascade, integral: &Integral, scale: f32) -> Vec<Window> {
    let width = (cascade.width as f32 * scale) as usize;
    let height = (cascade.height as f32 * scale) as usize;
    let ends = cascade.blocks.iter().map(|block| block.end(scale));
    let (right, bottom) = ends.fold((width, height), |far, end| (far.0.max(end.0), far.1.max(end.1)));
    if right > integral.width() || bottom > integral.height() {
        return Vec::new();
    }
    let step = ((scale * cascade.options.step_ratio).round() as usize).max(1);
    let corners: Vec<Corners> =
        cascade.blocks.iter().map(|block| Corners::new(block, scale, integral.stride())).collect();
    let mut found = Vec::new();
    for y in (0..=integral.height() - bottom).step_by(step) {
        for x in (0..=integral.width() - right).step_by(step) {
            let sums = integral.from(x, y);
            if cascade.stages.iter().all(|stage| passes(stage, &corners, sums)) {
                found.push(Window { x, y, width, height });
            }
        }
    }
    found
}

impl Block {
    /// The corner of its window, and the size of one of its blocks, at this scale.
    fn scaled(&self, scale: f32) -> [usize; 4] {
        [self.x, self.y, self.width, self.height].map(|size| (size as f32 * scale) as usize)
    }

    /// The column and the row behind its blocks. Rounding may put them one behind the window's: 9 pixels are 56 at
    /// scale 6.333333, and three times 3 pixels are 57.
    fn end(&self, scale: f32) -> (usize, usize) {
        let [x, y, width, height] = self.scaled(scale);
        (x + 3 * width, y + 3 * height)
    }
}

fn passes(stage: &Stage, corners: &[Corners], sums: &[u64]) -> bool {
    let mut points = 0.0;
    for stump in &stage.stumps {
        let pattern = usize::from(corners[stump.feature].pattern(sums));
        let inside = stump.patterns[pattern / 32] >> (pattern % 32) & 1 == 1;
        points += if inside { stump.inside } else { stump.outside };
    }
    points >= stage.threshold - EPSILON
}

/// Where the 4x4 corners of a feature's 3x3 blocks lie among the running sums, counted from the window's own corner.
struct Corners([[usize; 4]; 4]);

impl Corners {
    fn new(block: &Block, scale: f32, stride: usize) -> Corners {
        let [x, y, width, height] = block.scaled(scale);
        let columns = [0, 1, 2, 3].map(|i| x + i * width);
        Corners([0, 1, 2, 3].map(|i| columns.map(|column| (y + i * height) * stride + column)))
    }

    /// Multi-block local binary pattern (Zhang et al. 2007, “Face detection based on multi-block LBP
    /// representation”): a bit for each outer block whose sum is at least that of the central block, clockwise from
    /// the top left, the highest bit first.
    fn pattern(&self, sums: &[u64]) -> u8 {
        const CLOCKWISE: [(usize, usize); 8] =
            [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)];
        let corner = self.0.map(|row| row.map(|at| sums[at]));
        let block =
            |i: usize, j: usize| corner[i + 1][j + 1] + corner[i][j] - corner[i][j + 1] - corner[i + 1][j];
        let centre = block(1, 1);
        CLOCKWISE.iter().fold(0, |bits, &(i, j)| bits << 1 | u8::from(block(i, j) >= centre))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stump;
    use super::*;
    use crate::vision::RgbImage;

    #[test]
    fn a_pattern_goes_clockwise_from_the_top_left() {
        // The example of scikit-image's gallery, "Multi-Block Local Binary Pattern for texture classification".
        let bright = |x: usize, y: usize| match (x / 3, y / 3) {
            (0, 0) | (2, 2) => 50,
            (1, 1) => 1,
            _ => 0,
        };
        let pixels = (0..81).flat_map(|i| [bright(i % 9, i / 9); 3]).collect();
        let integral = Integral::new(&RgbImage::new(9, 9, pixels).unwrap());
        let whole = Block { x: 0, y: 0, width: 3, height: 3 };
        let corners = Corners::new(&whole, 1.0, integral.stride());
        assert_eq!(corners.pattern(integral.from(0, 0)), 0b1000_1000);
    }

    #[test]
    fn equal_blocks_set_every_bit() {
        let integral = Integral::new(&RgbImage::filled(9, 9, [200, 3, 77]));
        let corners = Corners::new(&Block { x: 1, y: 0, width: 2, height: 3 }, 1.0, integral.stride());
        assert_eq!(corners.pattern(integral.from(0, 0)), 0xFF);
    }

    #[test]
    fn the_window_reaches_the_last_pixel_and_no_further() {
        let cascade = Cascade::frontal();
        for (width, height) in [(24, 24), (25, 24), (23, 24), (24, 23), (1, 1), (31, 47)] {
            let integral = Integral::new(&RgbImage::filled(width, height, [0; 3]));
            for scale in [1.0, 1.01, 1.29, 1.95] {
                let _ = scan(&cascade, &integral, scale);
            }
        }
    }

    #[test]
    fn a_block_that_rounding_puts_behind_the_window_stays_in_the_picture() {
        let block = Block { x: 0, y: 0, width: 3, height: 3 };
        let cascade = Cascade { width: 9, height: 9, blocks: vec![block], ..Cascade::frontal() };
        let stump = Stump { feature: 0, patterns: [0; 8], inside: 0.0, outside: 0.0 };
        let cascade = Cascade { stages: vec![Stage { threshold: 0.0, stumps: vec![stump] }], ..cascade };
        let found = |side| scan(&cascade, &Integral::new(&RgbImage::filled(side, side, [0; 3])), 6.333_333);
        assert_eq!((found(56).len(), found(57).len()), (0, 1));
    }
}
