//! Windows that slide over an image: padding rules and output sizes, shared by convolution and pooling.

use crate::{Error, Result};

/// How an image is extended before windows slide over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Padding {
    /// Not at all.
    #[default]
    Valid,
    /// So that the output has ⌈size / stride⌉ positions, as Keras defines it: what is odd goes to the bottom and
    /// the right.
    Same,
    /// These many rows or columns `[[top, bottom], [left, right]]`.
    Explicit([[usize; 2]; 2]),
}

/// One axis of a sliding window: sizes in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub size: usize,
    pub window: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Pixels added before the first.
    pub before: usize,
    /// Positions of the window.
    pub out: usize,
}

#[cfg(feature = "train")]
impl Axis {
    /// Pixels added behind the last, as far as a window reaches.
    pub fn after(&self) -> usize {
        let reach = (self.out - 1) * self.stride + (self.window - 1) * self.dilation + 1;
        reach.saturating_sub(self.size + self.before)
    }
}

/// What slides over one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slide {
    pub window: usize,
    pub stride: usize,
    pub dilation: usize,
    /// Whether a last window that reaches over the end counts, if it starts inside the image or its leading
    /// padding (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

/// The two axes, vertical first, of windows that slide over an image of `size`.
///
/// # Errors
/// [`Error::Shape`] if a window, stride or dilation is 0, or a window does not fit in the padded image.
pub(crate) fn slide(
    op: &'static str,
    size: [usize; 2],
    slides: [Slide; 2],
    padding: Padding,
) -> Result<[Axis; 2]> {
    let axis = |i: usize| {
        let Slide { window, stride, dilation, ceil } = slides[i];
        if window == 0 || stride == 0 || dilation == 0 {
            return Err(Error::shape(
                op,
                format!("window {window}, stride {stride} and dilation {dilation} must be at least 1"),
            ));
        }
        let reach = (window - 1) * dilation + 1;
        let [before, after] = match padding {
            Padding::Valid => [0, 0],
            Padding::Explicit(sides) => sides[i],
            Padding::Same => {
                let last = size[i].div_ceil(stride).saturating_sub(1) * stride;
                let total = (last + reach).saturating_sub(size[i]);
                [total / 2, total - total / 2]
            }
        };
        let padded = size[i] + before + after;
        if reach > padded {
            return Err(Error::shape(
                op,
                format!(
                    "a window that reaches over {reach} pixels does not fit in {} + {before} + {after} padded ones",
                    size[i]
                ),
            ));
        }
        let room = padded - reach;
        let mut out = if ceil { room.div_ceil(stride) } else { room / stride } + 1;
        if ceil && (out - 1) * stride >= size[i] + before {
            out -= 1;
        }
        Ok(Axis { size: size[i], window, stride, dilation, before, out })
    };
    Ok([axis(0)?, axis(1)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outs(size: usize, window: usize, stride: usize, padding: Padding, ceil: bool) -> (usize, usize) {
        let slide_axis = Slide { window, stride, dilation: 1, ceil };
        let [axis, _] = slide("test", [size, size], [slide_axis; 2], padding).unwrap();
        (axis.out, axis.before)
    }

    #[test]
    fn same_is_asymmetric_as_in_keras() {
        assert_eq!(outs(5, 3, 1, Padding::Same, false), (5, 1));
        assert_eq!(outs(5, 2, 2, Padding::Same, false), (3, 0));
        assert_eq!(outs(6, 3, 2, Padding::Same, false), (3, 0));
        assert_eq!(outs(7, 3, 2, Padding::Same, false), (4, 1));
        assert_eq!(outs(3, 1, 2, Padding::Same, false), (2, 0));
    }

    #[test]
    fn a_ceil_window_starts_inside() {
        // torch.nn.functional.max_pool2d(torch.zeros(1, 1, n, n), 3, 2, ceil_mode=True).shape
        assert_eq!(outs(6, 3, 2, Padding::Valid, true).0, 3);
        assert_eq!(outs(7, 3, 2, Padding::Valid, true).0, 3);
        // torch.nn.functional.max_pool2d(torch.zeros(1, 1, 4, 4), 2, 3, padding=1, ceil_mode=True).shape
        assert_eq!(outs(4, 2, 3, Padding::Explicit([[1, 1]; 2]), true).0, 2);
        // A window that would start in the trailing padding is dropped.
        assert_eq!(outs(2, 2, 3, Padding::Explicit([[1, 1]; 2]), true).0, 1);
    }

    #[test]
    fn windows_that_do_not_fit_are_refused() {
        let huge = Slide { window: 4, stride: 1, dilation: 2, ceil: false };
        assert!(slide("test", [6, 6], [huge; 2], Padding::Valid).is_err());
    }
}
