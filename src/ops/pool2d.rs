//! Pooling windows: what a user says of them and where they lie, shared by `max_pool2d` and `avg_pool2d`.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::activation::activation_slope;
use super::window::{Slide, slide};
use super::{Activation, Padding};
use crate::cpu::Float;
use crate::error::expect_rank;
use crate::tensor::{Shape, TensorType};
use crate::{Error, Result};

/// How a pooling window slides over an image. Pairs are vertical first.
#[derive(Clone, Copy, Debug)]
pub struct Pool2d {
    /// Pixels of the window.
    pub window: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels added around the image. Each side's must be smaller than the window; they never count.
    pub padding: Padding,
    /// Whether a last window that reaches over the end counts, if it starts inside the image or its leading
    /// padding (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl Pool2d {
    /// Square windows side by side, without padding; those that reach over the end are dropped. Keras's
    /// default, with `window` 2.
    pub fn square(window: usize) -> Pool2d {
        Pool2d { window: [window; 2], stride: [window; 2], padding: Padding::Valid, ceil: false }
    }

    /// Whether no pixel lies in two windows.
    pub(super) fn is_disjoint(&self) -> bool {
        self.window[0] <= self.stride[0] && self.window[1] <= self.stride[1]
    }
}

/// `Params` of `common/pool2d.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Params {
    batch: u32,
    height: u32,
    width: u32,
    channels: u32,
    out_height: u32,
    out_width: u32,
    window_height: u32,
    window_width: u32,
    stride_y: u32,
    stride_x: u32,
    top: u32,
    left: u32,
    kind: u32,
    slope: f32,
}

impl Params {
    /// The windows of `pool` over `x`, after every check of both but that of x's type.
    pub fn new(op: &'static str, x: &TensorType, pool: &Pool2d) -> Result<Params> {
        expect_rank(op, "x", &x.shape, 4)?;
        let [batch, height, width, channels] = x.shape.dims().expect("rank 4");
        let slides = [0, 1].map(|i| Slide {
            window: pool.window[i],
            stride: pool.stride[i],
            dilation: 1,
            ceil: pool.ceil,
        });
        if let Padding::Explicit(sides) = pool.padding
            && (0..2).any(|i| sides[i].iter().any(|&side| side >= pool.window[i].max(1)))
        {
            let problem = format!(
                "padding {sides:?} must be smaller than the window {:?}, or windows hold no pixel (x: {})",
                pool.window, x.shape
            );
            return Err(Error::shape(op, problem));
        }
        let [vertical, horizontal] = slide(op, [height, width], slides, pool.padding)?;
        Ok(Params {
            batch: batch as u32,
            height: height as u32,
            width: width as u32,
            channels: channels as u32,
            out_height: vertical.out as u32,
            out_width: horizontal.out as u32,
            window_height: vertical.window as u32,
            window_width: horizontal.window as u32,
            stride_y: vertical.stride as u32,
            stride_x: horizontal.stride as u32,
            top: vertical.before as u32,
            left: horizontal.before as u32,
            kind: 0,
            slope: 0.0,
        })
    }

    /// The same where x came from an activation, for the gradient before it.
    pub fn behind(self, activation: Activation) -> Params {
        Params { kind: activation.kind(), slope: activation.slope(), ..self }
    }

    /// The slope of the activation that gave x, where it gave this value.
    pub fn slope_at<T: Float>(&self, x: T) -> T {
        activation_slope(self.kind, self.slope, x)
    }

    /// Shape of the result.
    pub fn out_shape(&self) -> Shape {
        [self.batch, self.out_height, self.out_width, self.channels].map(|size| size as usize).into()
    }

    /// Cells of stride_y × stride_x elements that cover x and its leading padding.
    pub fn cells(&self) -> usize {
        let high = (self.height + self.top).div_ceil(self.stride_y);
        let wide = (self.width + self.left).div_ceil(self.stride_x);
        self.batch as usize * high as usize * wide as usize * self.channels as usize
    }

    /// Size of the last axis.
    pub fn channels(&self) -> usize {
        self.channels as usize
    }

    /// Elements of one image of x, or of dx.
    pub fn image(&self) -> usize {
        self.height as usize * self.width as usize * self.channels()
    }

    /// Elements of one image of y, or of dy.
    pub fn out_image(&self) -> usize {
        self.out_height as usize * self.out_width as usize * self.channels()
    }

    /// For each pixel of the window at (i, j), in row-major order, where its channels begin in the image.
    pub fn window(&self, i: usize, j: usize) -> impl Iterator<Item = usize> + use<> {
        self.window_within(i, j, [self.height, self.width])
    }

    /// As [`Params::window`], of the pixels in the first rows and columns of the image that `extent` counts.
    pub fn window_within(&self, i: usize, j: usize, extent: [u32; 2]) -> impl Iterator<Item = usize> + use<> {
        let rows = inside(i, self.stride_y, self.window_height, self.top, self.height.min(extent[0]));
        let columns = inside(j, self.stride_x, self.window_width, self.left, self.width.min(extent[1]));
        let (width, channels) = (self.width as usize, self.channels());
        rows.flat_map(move |h| columns.clone().map(move |w| (h * width + w) * channels))
    }

    /// The windows (i, j) of an image, in row-major order.
    pub fn windows(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let wide = self.out_width as usize;
        (0..self.out_height as usize * wide).map(move |at| (at / wide, at % wide))
    }
}

/// The pixels inside the image, along one axis, of the window at `i`.
fn inside(i: usize, stride: u32, window: u32, before: u32, size: u32) -> Range<usize> {
    let start = i * stride as usize;
    let end = start + window as usize - before as usize;
    start.saturating_sub(before as usize)..end.min(size as usize)
}
