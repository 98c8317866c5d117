//! Candidates for faces: moving, squaring and cutting their boxes, and keeping one of those that overlap.
//!
//! Formulas and their rounding are those of `facenet-pytorch` 2.5.3 (`detect_face.py`), down to its pixel more or less
//! here and there, so that the same networks find the same boxes.

use crate::ops::AreaWindow;

/// A box that may show a face: corners in pixels of the photo, which it may leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub left: f32,
    pub top: f32,
    pub right: f32,
    pub bottom: f32,
    /// Probability that it is a face.
    pub score: f32,
}

/// How the overlap of two boxes is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// Of the area of both together.
    Union,
    /// Of the smaller area, where the pixels on both edges count.
    Minimum,
}

impl Candidate {
    /// The box moved by a network's offsets of its left, top, right and bottom edge, as parts of its width and
    /// height; `extra` pixels are added to both before.
    pub fn moved(self, offsets: [f32; 4], extra: f32) -> Candidate {
        let (width, height) = (self.right - self.left + extra, self.bottom - self.top + extra);
        Candidate {
            left: self.left + offsets[0] * width,
            top: self.top + offsets[1] * height,
            right: self.right + offsets[2] * width,
            bottom: self.bottom + offsets[3] * height,
            ..self
        }
    }

    /// The square around the same centre with the longer side.
    pub fn squared(self) -> Candidate {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        let side = width.max(height);
        let left = self.left + width * 0.5 - side * 0.5;
        let top = self.top + height * 0.5 - side * 0.5;
        Candidate { left, top, right: left + side, bottom: top + side, ..self }
    }

    /// The part of the box inside a photo of `width` by `height` pixels, to be resized to `side` by `side`; none if
    /// nothing is inside.
    pub fn window(&self, width: usize, height: usize, side: usize) -> Option<AreaWindow> {
        // Corners count pixels from 1, the last one inclusive.
        let cut = |first: f32, last: f32, size: usize| {
            let first = (first.trunc() as i64).max(1) - 1;
            let last = (last.trunc() as i64).min(size as i64);
            (last > first).then(|| (first as u32, (last - first) as u32))
        };
        let (x, across) = cut(self.left, self.right, width)?;
        let (y, down) = cut(self.top, self.bottom, height)?;
        Some(AreaWindow {
            row_length: width as u32,
            x,
            y,
            width: across,
            height: down,
            resized_width: side as u32,
            resized_height: side as u32,
            left: 0,
            top: 0,
        })
    }

    fn overlap(&self, other: &Candidate, how: Overlap) -> f32 {
        let pixel = if how == Overlap::Minimum { 1.0 } else { 0.0 };
        let area = |c: &Candidate| (c.right - c.left + pixel) * (c.bottom - c.top + pixel);
        let width = (self.right.min(other.right) - self.left.max(other.left) + pixel).max(0.0);
        let height = (self.bottom.min(other.bottom) - self.top.max(other.top) + pixel).max(0.0);
        let shared = width * height;
        match how {
            Overlap::Union => shared / (area(self) + area(other) - shared),
            Overlap::Minimum => shared / area(self).min(area(other)),
        }
    }
}

/// Greedy non-maximum suppression: the surest first, and of those that remain each that overlaps none before it by
/// more than `most`. Gives their places in `candidates`. Of equals the first comes first.
pub(super) fn suppress(candidates: &[Candidate], most: f32, how: Overlap) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[b].score.total_cmp(&candidates[a].score));
    let mut kept: Vec<usize> = Vec::new();
    for at in order {
        if kept.iter().all(|&other| candidates[at].overlap(&candidates[other], how) <= most) {
            kept.push(at);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: f32, top: f32, side: f32, score: f32) -> Candidate {
        Candidate { left, top, right: left + side, bottom: top + side, score }
    }

    #[test]
    fn boxes_move_by_parts_of_their_size() {
        let moved = Candidate { left: 10.0, top: 20.0, right: 30.0, bottom: 60.0, score: 0.5 }
            .moved([0.1, -0.1, 0.2, 0.0], 0.0);
        assert_eq!(moved, Candidate { left: 12.0, top: 16.0, right: 34.0, bottom: 60.0, score: 0.5 });
        let moved = square(0.0, 0.0, 9.0, 0.5).moved([0.5, 0.0, 0.0, 0.0], 1.0);
        assert_eq!(moved.left, 5.0);
    }

    #[test]
    fn squares_keep_the_centre_and_the_longer_side() {
        let wide = Candidate { left: 10.0, top: 20.0, right: 30.0, bottom: 30.0, score: 0.5 };
        assert_eq!(wide.squared(), square(10.0, 15.0, 20.0, 0.5));
    }

    #[test]
    fn windows_are_cut_at_the_borders() {
        // pad() of detect_face.py gives y, ey, x, ex = 1, 8, 3, 10 for (3.9, -2.0, 25.0, 8.7) in 10 x 20 pixels.
        let over = Candidate { left: 3.9, top: -2.0, right: 25.0, bottom: 8.7, score: 1.0 };
        let window = over.window(10, 20, 24).unwrap();
        assert_eq!((window.x, window.y, window.width, window.height), (2, 0, 8, 8));
        assert_eq!((window.row_length, window.resized_width, window.resized_height), (10, 24, 24));
        for outside in
            [square(30.0, 2.0, 5.0, 1.0), square(-9.0, 2.0, 9.5, 1.0), square(f32::NAN, 0.0, 1.0, 1.0)]
        {
            assert_eq!(outside.window(10, 20, 24), None);
        }
    }

    /// torchvision.ops.nms and detect_face.nms_numpy(…, "Min") on the same boxes, with PyTorch 2.15.
    #[test]
    fn of_overlapping_boxes_the_surest_stays() {
        let boxes = [
            square(0.0, 0.0, 10.0, 0.8),
            square(2.0, 2.0, 10.0, 0.9),
            square(20.0, 0.0, 10.0, 0.7),
            square(3.0, 3.0, 4.0, 0.6),
        ];
        assert_eq!(suppress(&boxes, 0.5, Overlap::Union), [1, 0, 2, 3]);
        assert_eq!(suppress(&boxes, 0.4, Overlap::Union), [1, 2, 3]);
        assert_eq!(suppress(&boxes, 0.7, Overlap::Minimum), [1, 0, 2]);
        assert_eq!(suppress(&boxes, 0.6, Overlap::Minimum), [1, 2]);
        assert_eq!(suppress(&[square(0.0, 0.0, 9.0, 0.5); 3], 0.5, Overlap::Union), [0]);
        assert!(suppress(&[], 0.5, Overlap::Union).is_empty());
    }
}
