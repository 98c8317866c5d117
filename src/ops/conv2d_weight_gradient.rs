//! The gradient of a convolution with respect to its weight.

use rayon::prelude::*;

use super::column_sum::Ending;
use super::conv2d::{COMMON, Geometry, Params};
use super::floats::Floats;
use super::gemm::{self, Call, Chosen, End, Family, Width};
use super::patches::Patches;
use super::ways::Size;
use super::winograd::{Layer, Winograd};
use crate::Result;
use crate::cpu::{Float, Matrix, Slots, params, product};
use crate::gpu::{Kernel, piece};
use crate::graph::{Io, Operator, PlanBuilder};
use crate::tensor::TensorType;

const GRADIENT: Family =
    Family::new::<Params>("conv2d_weight_gradient", piece!("conv2d_weight_gradient.wgsl"))
        .with(COMMON)
        .along_rows()
        .ending(End::Gradient);
const ROUTED: Family = GRADIENT.ending(End::Routed);
const PLAIN: Kernel = GRADIENT.plain().twin(gradient::<f32>, gradient::<f64>).fast(gradient_fast);
pub(crate) const KERNELS: &[Kernel] = &GRADIENT.kernels::<{ GRADIENT.count() }>(Floats::Float);
pub(crate) const ROUTED_KERNELS: &[Kernel] = &ROUTED.kernels::<{ ROUTED.count() }>(Floats::Float);

/// dweight, from x and dy; where it is routed, from the dy behind a max pooling and a ReLU, its winners, and x.
#[derive(Debug)]
pub(super) struct Conv2dWeightGradient {
    geometry: Geometry,
    routed: bool,
}

impl Conv2dWeightGradient {
    pub fn new(geometry: Geometry) -> Conv2dWeightGradient {
        Conv2dWeightGradient { geometry, routed: false }
    }

    /// The same, routed.
    pub fn routed(&self) -> Conv2dWeightGradient {
        Conv2dWeightGradient { geometry: self.geometry, routed: true }
    }

    fn size(&self) -> Size {
        let Geometry { channels, out_channels, .. } = self.geometry;
        let (rows, depth) = (self.geometry.taps() * channels, self.geometry.out_pixels());
        Size { rows, columns: out_channels, depth }
    }
}

impl Operator for Conv2dWeightGradient {
    fn name(&self) -> &'static str {
        "conv2d_weight_gradient"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(self.geometry.weight_shape())])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, dy, winners) = match self.routed {
            false => (io.input(0), io.input(1), None),
            true => (io.input(2), io.input(0), Some(io.input(1))),
        };
        let dweight = io.output(0);
        let winograd = Layer::forward(&self.geometry).filter(Winograd::can_sum);
        let way = match gemm::choose(plan, self.name(), &GRADIENT, self.size(), winograd.as_ref()) {
            Some(Chosen::Winograd(winograd, layer)) => {
                return winograd.weight_gradient(plan, layer, [x, dy, dweight], winners);
            }
            Some(Chosen::Product(way)) => Some(way),
            None => None,
        };
        let call = Call {
            family: if self.routed { &ROUTED } else { &GRADIENT },
            plain: &PLAIN,
            size: self.size(),
            left: (x, Width::of(self.geometry.channels)),
            right: (dy, Width::of(self.geometry.out_channels)),
            y: dweight,
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

fn gradient<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let Geometry { batch, channels, out_channels, axes: [down, right] } = p.geometry();
    let (x, dy) = (slots.float(0), slots.float(1));
    slots.out().par_chunks_mut(out_channels).enumerate().for_each(|(row, dweight)| {
        let (tap, c) = (row / channels, row % channels);
        let (u, v) = (tap / right.window, tap % right.window);
        dweight.fill(T::zero());
        for n in 0..batch {
            for i in 0..down.out {
                let Some(h) = down.pixel(i, u) else { continue };
                for j in 0..right.out {
                    let Some(w) = right.pixel(j, v) else { continue };
                    let x = x[((n * down.size + h) * right.size + w) * channels + c];
                    let dy = &dy[((n * down.out + i) * right.out + j) * out_channels..];
                    dweight.iter_mut().zip(dy).for_each(|(dweight, &dy)| *dweight += x * dy);
                }
            }
        }
    });
}

/// Channels from which the fast body computes each tap on its own.
const MANY_CHANNELS: usize = 64;
/// Tasks that it cuts its work into: enough for a machine with many cores.
const TASKS: usize = 32;
/// Pixels below which the partial results would cost more than they gain.
const SHORTEST: usize = 2048;

/// The transposed matrix of patches by dy. The pixels are cut into pieces, which the shapes alone determine; the
/// pieces' results are added in order. With many channels each tap is a product of its own, whose result stays in
/// the cache while it sums over the pixels.
fn gradient_fast(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let p: Params = params(bytes);
    let geometry = p.geometry();
    let Geometry { channels, out_channels, axes: [down, right], .. } = geometry;
    let (all, dy, dweight) = (geometry.patches(slots.float(0)), slots.float(1), slots.out());
    let blocks: Vec<Patches<'_>> = if channels < MANY_CHANNELS {
        vec![all]
    } else {
        (0..down.window).flat_map(|u| (0..right.window).map(move |v| all.tap([u, v]))).collect()
    };

    let pixels = geometry.out_pixels();
    let pieces = TASKS.div_ceil(blocks.len()).min(pixels / SHORTEST).max(1);
    let piece = pixels.div_ceil(pieces);
    let len = dweight.len() / blocks.len();
    let multiply = |buffer: &mut Vec<f32>, (index, sums): (usize, &mut [f32])| {
        let patches = &blocks[index % blocks.len()];
        let start = index / blocks.len() * piece;
        let end = pixels.min(start + piece);
        let tile = patches.tile_rows();
        for first in (start..end).step_by(tile) {
            let count = tile.min(end - first);
            let a = patches.tile(first..first + count, buffer).transposed();
            let b = Matrix::rows(&dy[first * out_channels..], out_channels);
            product(sums, first > start, a, b, [patches.depth(), out_channels, count]);
        }
    };
    if pieces == 1 {
        dweight.par_chunks_mut(len).enumerate().for_each_init(Vec::new, multiply);
    } else {
        let mut partial = vec![0.0; pixels.div_ceil(piece) * dweight.len()];
        partial.par_chunks_mut(len).enumerate().for_each_init(Vec::new, multiply);
        gemm::add_up(dweight, &partial);
    }
}
