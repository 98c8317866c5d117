//! The sizes of a tensor's axes.

use std::fmt;
use std::ops::Deref;

/// Sizes of a tensor's axes, row-major: the last axis varies fastest. Images are
/// `[batch, height, width, channels]`. A scalar has no axis and one element.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Number of elements: the product of the sizes.
    pub fn len(&self) -> usize {
        self.0.iter().product()
    }

    /// Whether some axis has size zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sizes as a fixed array, where there are exactly `N` axes.
    pub fn dims<const N: usize>(&self) -> Option<[usize; N]> {
        self.0.as_slice().try_into().ok()
    }

    /// Coordinates of the element at `index` in row-major order.
    pub fn coordinates(&self, index: usize) -> Vec<usize> {
        let mut rest = index;
        let mut coordinates = vec![0; self.rank()];
        for (at, size) in coordinates.iter_mut().zip(&self.0).rev() {
            *at = rest % size;
            rest /= size;
        }
        coordinates
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Shape {
        Shape(sizes.to_vec())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Shape {
        Shape(sizes)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Shape {
        Shape(sizes.to_vec())
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_row_major() {
        let shape = Shape::from([2, 3, 4]);
        assert_eq!(shape.coordinates(0), [0, 0, 0]);
        assert_eq!(shape.coordinates(23), [1, 2, 3]);
        assert_eq!(shape.coordinates(13), [1, 0, 1]);
    }

    #[test]
    fn a_scalar_has_one_element() {
        assert_eq!(Shape::from([]).len(), 1);
    }
}
