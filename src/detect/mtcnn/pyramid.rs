//! The photo at every size that is searched, cut into tiles of one size.
//!
//! The first network is fully convolutional, but plans have fixed shapes. So each level of the pyramid is cut into
//! tiles with the same number of cells, which overlap by what the last cell still sees: any photo is so many rows of
//! the same batches, and a tile's cells are exactly those of the whole level.

use crate::models::mtcnn::{PROPOSAL_STRIDE, PROPOSAL_WINDOW, proposal_cells};
use crate::ops::AreaWindow;

/// Cells of a tile, down and right. Fewer overlap more, more waste more of small levels: on the CPU path, over photos of
/// 0.2 to 3.6 megapixels, 16 takes 5 to 10 % longer and 48 takes 3 to 8 %.
pub(super) const TILE_CELLS: usize = 32;

/// The photo at one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Pixels of this level per pixel of the photo.
    pub scale: f64,
    pub width: usize,
    pub height: usize,
}

/// The levels for a photo of `width` by `height` pixels: at the first a face of `min_face` pixels fills a cell, each
/// other is `factor` times the one before, and the last still holds a cell.
pub(super) fn levels(width: usize, height: usize, min_face: f64, factor: f64) -> Vec<Level> {
    let window = PROPOSAL_WINDOW as f64;
    let mut levels = Vec::new();
    let mut scale = window / min_face;
    let mut shorter = width.min(height) as f64 * scale;
    while shorter >= window {
        let resized = |size: usize| (size as f64 * scale + 1.0) as usize;
        levels.push(Level { scale, width: resized(width), height: resized(height) });
        scale *= factor;
        shorter *= factor;
    }
    levels
}

/// A tile: cells from (`top`, `left`) on of a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    pub level: usize,
    pub top: usize,
    pub left: usize,
}

/// The tiles that cover all cells of the levels.
pub(super) fn tiles(levels: &[Level]) -> Vec<Tile> {
    let starts = |pixels: usize| (0..proposal_cells(pixels)).step_by(TILE_CELLS);
    let of_level = |(level, size): (usize, &Level)| {
        let lefts = starts(size.width);
        starts(size.height)
            .flat_map(move |top| lefts.clone().map(move |left| Tile { level, top, left }))
            .collect::<Vec<_>>()
    };
    levels.iter().enumerate().flat_map(of_level).collect()
}

impl Tile {
    /// What the first network is shown of a photo of `width` by `height` pixels.
    pub fn window(&self, level: &Level, width: usize, height: usize) -> AreaWindow {
        AreaWindow {
            row_length: width as u32,
            x: 0,
            y: 0,
            width: width as u32,
            height: height as u32,
            resized_width: level.width as u32,
            resized_height: level.height as u32,
            left: (self.left * PROPOSAL_STRIDE) as u32,
            top: (self.top * PROPOSAL_STRIDE) as u32,
        }
    }

    /// Cells of the tile that are cells of the level, down and right.
    pub fn cells(&self, level: &Level) -> [usize; 2] {
        let left = |pixels: usize, first: usize| (proposal_cells(pixels) - first).min(TILE_CELLS);
        [left(level.height, self.top), left(level.width, self.left)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_reference() {
        // The loop of detect_face.py for h, w = 768, 1366, minsize 20, factor 0.709.
        let sizes: Vec<_> = levels(1366, 768, 20.0, 0.709).iter().map(|l| (l.height, l.width)).collect();
        let expected = [
            (461, 820),
            (327, 582),
            (232, 412),
            (165, 293),
            (117, 208),
            (83, 147),
            (59, 105),
            (42, 74),
            (30, 53),
            (21, 38),
            (15, 27),
        ];
        assert_eq!(sizes, expected);
        assert_eq!(levels(30, 30, 20.0, 0.709).len(), 2);
        assert!(levels(19, 4000, 20.0, 0.709).is_empty());
    }

    #[test]
    fn every_cell_lies_in_one_tile() {
        for (width, height) in [(30, 30), (640, 480), (500, 30), (1001, 799)] {
            let levels = levels(width, height, 20.0, 0.709);
            let tiles = tiles(&levels);
            for (index, level) in levels.iter().enumerate() {
                let (down, right) = (proposal_cells(level.height), proposal_cells(level.width));
                let mut seen = vec![0; down * right];
                for tile in tiles.iter().filter(|tile| tile.level == index) {
                    let [rows, columns] = tile.cells(level);
                    (0..rows * columns)
                        .for_each(|i| seen[(tile.top + i / columns) * right + tile.left + i % columns] += 1);
                }
                assert!(seen.iter().all(|&times| times == 1), "{width}x{height}, level {index}");
            }
        }
    }
}
