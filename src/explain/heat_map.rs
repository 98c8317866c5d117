//! How much each place of a picture counts.

use super::area::contains;

/// Values on a grid that is coarser than the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Coarse {
    /// Columns of the grid.
    pub columns: usize,
    /// Its values, row by row, 0 and more.
    pub values: Vec<f32>,
    /// Where the first value is in the picture, in pixels: `[x, y]`.
    pub(super) first: [f32; 2],
    /// How far it is to the next.
    pub(super) step: [f32; 2],
}

/// How much each pixel of a picture counts, from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Coarse {
    /// Values of `rows` × `columns` equal parts that fill a picture, each in the middle of its part.
    pub(super) fn of_parts(values: Vec<f32>, columns: usize, [width, height]: [usize; 2]) -> Coarse {
        let rows = values.len() / columns;
        let step = [width as f32 / columns as f32, height as f32 / rows as f32];
        Coarse { columns, values, first: step.map(|step| step / 2.0), step }
    }

    /// Rows of the grid.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// The value at each pixel's centre, interpolated between the four around it; beyond the outermost ones the border's values
    /// go on. For equal parts it is PyTorch's `interpolate(mode="bilinear", align_corners=False)`.
    pub fn spread(&self, width: usize, height: usize) -> HeatMap {
        let across: Vec<Between> = (0..width).map(|x| self.between(0, x, self.columns)).collect();
        let down = (0..height).map(|y| self.between(1, y, self.rows()));
        let values = down.flat_map(|row| {
            let [above, below] = row.of.map(|row| &self.values[row * self.columns..][..self.columns]);
            across.iter().map(move |column| row.mix(column.pick(above), column.pick(below)))
        });
        HeatMap { width, height, values: values.collect() }
    }

    /// The two columns or rows between which a pixel lies.
    fn between(&self, axis: usize, pixel: usize, count: usize) -> Between {
        let last = count - 1;
        let at = match last {
            0 => 0.0,
            _ => ((pixel as f32 + 0.5 - self.first[axis]) / self.step[axis]).clamp(0.0, last as f32),
        };
        let before = (at as usize).min(last);
        Between { of: [before, (before + 1).min(last)], share: at - before as f32 }
    }
}

struct Between {
    of: [usize; 2],
    /// How much the second counts.
    share: f32,
}

impl Between {
    fn mix(&self, first: f32, second: f32) -> f32 {
        first + (second - first) * self.share
    }

    fn pick(&self, row: &[f32]) -> f32 {
        self.mix(row[self.of[0]], row[self.of[1]])
    }
}

impl HeatMap {
    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The largest value; 0 if nothing counts.
    pub fn peak(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }

    /// The share of all heat that lies within a polygon of pixels; `None` if there is no heat.
    pub fn share_within(&self, area: &[[f32; 2]]) -> Option<f64> {
        let (mut inside, mut all) = (0.0, 0.0);
        for (index, &value) in self.values.iter().enumerate() {
            let value = f64::from(value);
            all += value;
            if contains(area, [(index % self.width) as f32 + 0.5, (index / self.width) as f32 + 0.5]) {
                inside += value;
            }
        }
        (all > 0.0).then(|| inside / all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn values_are_spread_as_pytorch_spreads_them() {
        // F.interpolate(torch.tensor([[[[0., 1., 4.], [2., 3., 8.]]]]), (3, 7), mode="bilinear")
        let expected = [
            [0.0, 0.142857, 0.571429, 1.0, 2.285714, 3.571429, 4.0],
            [1.0, 1.142857, 1.571429, 2.0, 3.714286, 5.428571, 6.0],
            [2.0, 2.142857, 2.571429, 3.0, 5.142857, 7.285715, 8.0],
        ];
        let map = Coarse::of_parts(vec![0.0, 1.0, 4.0, 2.0, 3.0, 8.0], 3, [7, 3]).spread(7, 3);
        for (found, expected) in map.values().iter().zip(expected.as_flattened()) {
            assert_abs_diff_eq!(found, expected, epsilon = 2e-6);
        }
        assert_eq!((map.width(), map.height(), map.peak()), (7, 3, 8.0));
    }

    #[test]
    fn one_value_fills_the_picture() {
        let map = Coarse::of_parts(vec![3.0], 1, [5, 4]).spread(5, 4);
        assert_eq!(map.values(), [3.0; 20]);
    }

    #[test]
    fn shares_are_of_all_heat() {
        let map = HeatMap { width: 3, height: 2, values: vec![0.0, 1.0, 1.0, 0.0, 0.0, 2.0] };
        let right = [[2.0, 0.0], [3.0, 0.0], [3.0, 2.0], [2.0, 2.0]];
        assert_eq!(map.share_within(&right), Some(0.75));
        let cold = HeatMap { values: vec![0.0; 6], ..map };
        assert_eq!(cold.share_within(&right), None);
    }
}
