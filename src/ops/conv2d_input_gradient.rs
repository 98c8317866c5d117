//! The gradient of a convolution with respect to its input.

use rayon::prelude::*;

use super::column_sum::Ending;
use super::conv2d::{COMMON, Geometry, Params};
use super::floats::Floats;
use super::gemm::{self, Call, Chosen, End, Family, Width};
use super::patches::{Patches, Walk};
use super::swap::swap;
use super::ways::Size;
use super::window::Axis;
use super::winograd::Layer;
use crate::Result;
use crate::cpu::{Float, Matrix, Slots, params};
use crate::gpu::{Kernel, piece};
use crate::graph::{Io, Operator, PlanBuilder};
use crate::tensor::TensorType;

const GRADIENT: Family = Family::new::<Params>("conv2d_input_gradient", piece!("conv2d_input_gradient.wgsl"))
    .with(COMMON)
    .any_size()
    .ending(End::Gradient);
const ROUTED: Family = GRADIENT.ending(End::Routed);
const PLAIN: Kernel = GRADIENT.plain().twin(gradient::<f32>, gradient::<f64>).fast(gradient_fast);
pub(crate) const KERNELS: &[Kernel] = &GRADIENT.kernels::<{ GRADIENT.count() }>(Floats::Float);
pub(crate) const ROUTED_KERNELS: &[Kernel] = &ROUTED.kernels::<{ ROUTED.count() }>(Floats::Float);

/// dx, from dy and weight; where it is routed, from the dy behind a max pooling and a ReLU, its winners, and weight.
#[derive(Debug)]
pub(super) struct Conv2dInputGradient {
    geometry: Geometry,
    routed: bool,
}

impl Conv2dInputGradient {
    pub fn new(geometry: Geometry) -> Conv2dInputGradient {
        Conv2dInputGradient { geometry, routed: false }
    }

    /// The same, routed.
    pub fn routed(&self) -> Conv2dInputGradient {
        Conv2dInputGradient { geometry: self.geometry, routed: true }
    }

    fn size(&self) -> Size {
        let Geometry { batch, channels, out_channels, axes: [down, right] } = self.geometry;
        let depth = self.geometry.taps() * out_channels;
        Size { rows: batch * down.size * right.size, columns: channels, depth }
    }
}

impl Operator for Conv2dInputGradient {
    fn name(&self) -> &'static str {
        "conv2d_input_gradient"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(self.geometry.x_shape())])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (dy, winners, weight) = match self.routed {
            false => (io.input(0), None, io.input(1)),
            true => (io.input(0), Some(io.input(1)), io.input(2)),
        };
        let dx = io.output(0);
        let Geometry { channels, out_channels, .. } = self.geometry;
        let winograd = Layer::input_gradient(&self.geometry);
        let chosen = gemm::choose(plan, self.name(), &GRADIENT, self.size(), winograd.as_ref());
        // The kernels read neighbouring input channels, which are far apart in the weight.
        let swapped = plan.scratch(TensorType::f32([self.geometry.taps(), out_channels, channels]));
        let (way, weight) = match chosen {
            Some(Chosen::Winograd(winograd, layer)) => {
                return winograd.input_gradient(plan, layer, [dy, weight, dx], winners);
            }
            Some(Chosen::Product(way)) => {
                swap(plan, weight, &swapped)?;
                (Some(way), &swapped)
            }
            None => (None, weight),
        };
        let call = Call {
            family: if self.routed { &ROUTED } else { &GRADIENT },
            plain: &PLAIN,
            size: self.size(),
            left: (dy, Width::of(out_channels)),
            right: (weight, Width::of(channels)),
            y: dx,
            ending: Ending::default(),
            pooled: false,
            winners,
        };
        call.dispatch(plan, way, |product| Params::new(product, &self.geometry))
    }

    fn flops(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        self.size().flops()
    }
}

impl Axis {
    /// The output that meets `pixel` at a tap, if there is one.
    fn output(&self, pixel: usize, tap: usize) -> Option<usize> {
        let from = (pixel + self.before).checked_sub(tap * self.dilation)?;
        (from.is_multiple_of(self.stride) && from / self.stride < self.out).then_some(from / self.stride)
    }
}

fn gradient<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let Geometry { channels, out_channels, axes: [down, right], .. } = p.geometry();
    let (dy, weight) = (slots.float(0), slots.float(1));
    slots.out().par_chunks_mut(right.size * channels).enumerate().for_each(|(row, dx)| {
        let (n, h) = (row / down.size, row % down.size);
        for (w, dx) in dx.chunks_mut(channels).enumerate() {
            for (c, dx) in dx.iter_mut().enumerate() {
                *dx = T::zero();
                for u in 0..down.window {
                    let Some(i) = down.output(h, u) else { continue };
                    for v in 0..right.window {
                        let Some(j) = right.output(w, v) else { continue };
                        let dy = &dy[((n * down.out + i) * right.out + j) * out_channels..];
                        let weight = &weight[((u * right.window + v) * channels + c) * out_channels..];
                        *dx += (0..out_channels).map(|o| dy[o] * weight[o]).sum();
                    }
                }
            }
        }
    });
}

/// A convolution of dy with the weight, its window flipped and its channels swapped. The last tap comes first, so
/// that the taps of a patch follow dy's memory.
fn gradient_fast(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let p: Params = params(bytes);
    let geometry = p.geometry();
    let Geometry { channels, out_channels, axes, .. } = geometry;
    let walk = |axis: Axis| Walk {
        positions: axis.size,
        taps: axis.window,
        step: 1,
        dilation: axis.dilation,
        before: ((axis.window - 1) * axis.dilation) as isize - axis.before as isize,
        divisor: axis.stride,
        size: axis.out,
    };
    let patches = Patches { source: slots.float(0), channels: out_channels, axes: axes.map(walk) };
    let flipped = flip(slots.float(1), channels, out_channels);
    patches.times(Matrix::rows(&flipped, channels), channels, slots.out(), |_| {});
}

/// `[taps, channels, out_channels]` to `[taps in reverse, out_channels, channels]`.
fn flip(weight: &[f32], channels: usize, out_channels: usize) -> Vec<f32> {
    let mut flipped = vec![0.0; weight.len()];
    let taps = weight.par_chunks(channels * out_channels).rev();
    flipped.par_chunks_mut(channels * out_channels).zip(taps).for_each(|(to, from)| {
        for (o, to) in to.chunks_mut(channels).enumerate() {
            to.iter_mut().zip(from[o..].iter().step_by(out_channels)).for_each(|(to, &from)| *to = from);
        }
    });
    flipped
}
