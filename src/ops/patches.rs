//! The matrix of patches that turns a convolution into a product (im2col), for the CPU path: computed in tiles
//! that fit a core's cache, never as a whole.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::{Matrix, product};

/// How windows walk over one axis of an image. The window at position `i` has at its tap `t` the pixel
/// (i·step + t·dilation − before) / divisor, where that is a whole number below `size`, and elsewhere a zero.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub positions: usize,
    pub taps: usize,
    pub step: usize,
    pub dilation: usize,
    pub before: isize,
    pub divisor: usize,
    pub size: usize,
}

impl Walk {
    fn pixel(&self, position: usize, tap: usize) -> Option<usize> {
        let at = (position * self.step + tap * self.dilation).checked_add_signed(-self.before)?;
        (at.is_multiple_of(self.divisor) && at / self.divisor < self.size).then_some(at / self.divisor)
    }

    /// Whether the taps of a window are neighbouring pixels.
    fn is_dense(&self) -> bool {
        self.dilation == 1 && self.divisor == 1
    }

    /// Whether each window is one pixel, the one at its position.
    fn is_identity(&self) -> bool {
        self.taps == 1
            && self.step == 1
            && self.before == 0
            && self.divisor == 1
            && self.positions == self.size
    }
}

/// Windows over images: a matrix with a row for each position (n, i, j) and a column for each (u, v, channel).
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches<'a> {
    /// `[batch, height, width, channels]`.
    pub source: &'a [f32],
    pub channels: usize,
    /// Vertical, horizontal.
    pub axes: [Walk; 2],
}

/// Bytes of a tile, about what fits a core's second-level cache beside the other factor's panel.
const TILE_BYTES: usize = 256 << 10;
/// Rows below which a tile's product would spend its time on packing the other factor.
const SHORTEST: usize = 128;

impl Patches<'_> {
    /// Columns of the matrix.
    pub fn depth(&self) -> usize {
        self.axes[0].taps * self.axes[1].taps * self.channels
    }

    /// The columns of one tap only.
    pub fn tap(&self, tap: [usize; 2]) -> Self {
        let only = |i: usize| {
            let walk = self.axes[i];
            Walk { taps: 1, before: walk.before - (tap[i] * walk.dilation) as isize, ..walk }
        };
        Patches { axes: [only(0), only(1)], ..*self }
    }

    /// Rows of a tile: the same for every tile and any number of threads.
    pub fn tile_rows(&self) -> usize {
        (TILE_BYTES / 4 / self.depth()).max(SHORTEST)
    }

    /// y = patches · b, where b has `columns` columns; `end` finishes each row.
    pub fn times(&self, b: Matrix<'_>, columns: usize, y: &mut [f32], end: impl Fn(&mut [f32]) + Sync) {
        let rows = self.tile_rows();
        y.par_chunks_mut(rows * columns).enumerate().for_each_init(Vec::new, |tile, (index, y)| {
            let count = y.len() / columns;
            let patches = self.tile(index * rows..index * rows + count, tile);
            product(y, false, patches, b, [count, columns, self.depth()]);
            y.chunks_mut(columns).for_each(&end);
        });
    }

    /// These rows of the matrix. `buffer` holds them where they do not lie in the images as they are.
    pub fn tile<'b>(&'b self, rows: Range<usize>, buffer: &'b mut Vec<f32>) -> Matrix<'b> {
        let depth = self.depth();
        if self.axes.iter().all(Walk::is_identity) {
            return Matrix::rows(&self.source[rows.start * depth..rows.end * depth], depth);
        }
        buffer.resize(rows.len() * depth, 0.0);
        let [down, right] = self.axes;
        let mut row = rows.start;
        while row < rows.end {
            let (line, first) = (row / right.positions, row % right.positions);
            let count = (right.positions - first).min(rows.end - row);
            let patches = &mut buffer[(row - rows.start) * depth..][..count * depth];
            self.fill_line(line / down.positions, line % down.positions, first, patches);
            row += count;
        }
        Matrix::rows(buffer, depth)
    }

    /// The patches of image `n` at (i, first), (i, first + 1), …
    fn fill_line(&self, n: usize, i: usize, first: usize, patches: &mut [f32]) {
        let ([down, right], depth) = (self.axes, self.depth());
        let (run, line) = (right.taps * self.channels, right.size * self.channels);
        for u in 0..down.taps {
            let runs = patches.chunks_mut(depth).map(|patch| &mut patch[u * run..(u + 1) * run]);
            match down.pixel(i, u) {
                Some(h) => {
                    let source = &self.source[(n * down.size + h) * line..][..line];
                    (first..).zip(runs).for_each(|(j, run)| self.fill_run(source, j, run));
                }
                None => runs.for_each(|run| run.fill(0.0)),
            }
        }
    }

    /// One row of a window's taps at position `j`, from the image row `source`.
    #[inline]
    fn fill_run(&self, source: &[f32], j: usize, run: &mut [f32]) {
        let (right, channels) = (self.axes[1], self.channels);
        if right.is_dense() {
            // The taps inside the image, first..last, are one run of memory.
            let start = (j * right.step) as isize - right.before;
            let inside = |pixel: isize| (pixel - start).clamp(0, right.taps as isize) as usize;
            let (first, last) = (inside(0), inside(right.size as isize));
            run[..first * channels].fill(0.0);
            run[last * channels..].fill(0.0);
            if first < last {
                let from = start.max(0).unsigned_abs() * channels;
                run[first * channels..last * channels]
                    .copy_from_slice(&source[from..from + (last - first) * channels]);
            }
            return;
        }
        for (v, pixel) in run.chunks_mut(channels).enumerate() {
            match right.pixel(j, v) {
                Some(w) => pixel.copy_from_slice(&source[w * channels..][..channels]),
                None => pixel.fill(0.0),
            }
        }
    }
}
