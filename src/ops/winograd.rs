//! Winograd's method for convolutions of 3 × 3 windows, one pixel apart: fewer products, between transforms. A variant
//! for GPUs of `conv2d` and its gradients, compared with their twins.
//!
//! A layer is worked on in chunks of tiles, so that what lies between the transforms stays near the size of a GPU's
//! cache.

use bytemuck::{Pod, Zeroable};

use super::column_sum::Ending;
use super::conv2d::Geometry;
use super::conv2d_max_pool2d::Pooling;
use super::floats::Floats;
use super::gemm::ROUTED;
use super::matmul::{self, Transpose};
use super::ways::{Size, Split, Way};
use crate::gpu::{Class, Gpu, Kernel, Shader, piece};
use crate::graph::{Grid, PlanBuilder, Tensor};
use crate::tensor::TensorType;
use crate::{Device, Result};

/// How large a tile of outputs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Winograd {
    /// F(2×2, 3×3).
    Two,
    /// F(4×4, 3×3).
    Four,
}

/// Its kernels.
struct Kernels {
    input: Kernel,
    weights: Kernel,
    output: Kernel,
    output_winners: Kernel,
    output_gradient: Kernel,
    weight_gradient: Kernel,
    /// `input` and `output_gradient` of a dy that is routed.
    routed: [Kernel; 2],
}

const TWO: Kernels = kernels(Winograd::Two, Floats::Float);
const FOUR: Kernels = kernels(Winograd::Four, Floats::Float);
const TWO_OF_HALVES: Kernels = kernels(Winograd::Two, Floats::Half);
const FOUR_OF_HALVES: Kernels = kernels(Winograd::Four, Floats::Half);
pub(crate) const KERNELS: &[Kernel] = &[
    TWO.input,
    TWO.weights,
    TWO.output,
    TWO.output_winners,
    TWO.output_gradient,
    TWO.weight_gradient,
    TWO.routed[0],
    TWO.routed[1],
    FOUR.input,
    FOUR.weights,
    FOUR.output,
    FOUR.output_winners,
    FOUR.output_gradient,
    FOUR.weight_gradient,
    FOUR.routed[0],
    FOUR.routed[1],
    TWO_OF_HALVES.input,
    TWO_OF_HALVES.weights,
    TWO_OF_HALVES.output,
    FOUR_OF_HALVES.input,
    FOUR_OF_HALVES.weights,
    FOUR_OF_HALVES.output,
];

const fn kernels(winograd: Winograd, floats: Floats) -> Kernels {
    let transforms = match winograd {
        Winograd::Two => piece!("common/winograd_2.wgsl"),
        Winograd::Four => piece!("common/winograd_4.wgsl"),
    };
    let shader = Shader::new(winograd.name())
        .and(floats.piece())
        .and(piece!("common/linear.wgsl"))
        .and(piece!("common/activation.wgsl"))
        .and(piece!("common/winners.wgsl"))
        .and(piece!("common/routed.wgsl"))
        .and(transforms)
        .and(piece!("winograd.wgsl"));
    let output_gradient = kernel(shader, "output_gradient", 2);
    Kernels {
        input: floats.mark(kernel(shader, "input", 2)),
        weights: floats.mark(kernel(shader, "weights", 1)),
        output: floats.mark(kernel(shader, "output", 2)),
        output_winners: kernel(shader, "output_winners", 2).writes(2),
        output_gradient,
        weight_gradient: kernel(shader, "weight_gradient", 1),
        routed: [kernel(shader, "input", 2).constants(ROUTED), output_gradient.constants(ROUTED)],
    }
}

const fn kernel(shader: Shader, entry: &'static str, reads: usize) -> Kernel {
    shader.kernel(entry).params::<Params>().reads(reads).writes(1)
}

/// A convolution that it computes: 3 × 3 windows, one pixel apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    pub batch: usize,
    /// Vertical, horizontal.
    pub size: [usize; 2],
    pub out: [usize; 2],
    /// Pixels added before the first.
    pub before: [usize; 2],
    pub channels: usize,
    pub out_channels: usize,
    /// Whether the weight is read with its window flipped and its channels swapped.
    flipped: bool,
    /// Whether outputs that are exactly zero must stay so. In training a rounding error in their place opens a ReLU for
    /// gradients, which Adam magnifies. F(4×4, 3×3) does not see to it.
    pub keeps_zeros: bool,
}

impl Layer {
    /// Of a convolution itself.
    pub fn forward(geometry: &Geometry) -> Option<Layer> {
        let Geometry { batch, channels, out_channels, axes } = *geometry;
        let fits = axes.iter().all(|axis| axis.window == 3 && axis.stride == 1 && axis.dilation == 1)
            && channels.is_multiple_of(8)
            && out_channels.is_multiple_of(8);
        fits.then(|| Layer {
            batch,
            size: axes.map(|axis| axis.size),
            out: axes.map(|axis| axis.out),
            before: axes.map(|axis| axis.before),
            channels,
            out_channels,
            flipped: false,
            keeps_zeros: false,
        })
    }

    /// Of its gradient with respect to the input, a convolution of dy.
    pub fn input_gradient(geometry: &Geometry) -> Option<Layer> {
        let Layer { batch, size, out, before, channels, out_channels, .. } = Layer::forward(geometry)?;
        let fits = before.iter().all(|&before| before <= 2);
        fits.then(|| Layer {
            batch,
            size: out,
            out: size,
            before: before.map(|before| 2 - before),
            channels: out_channels,
            out_channels: channels,
            flipped: true,
            keeps_zeros: false,
        })
    }

    /// Operations of the plain product.
    fn work(&self) -> usize {
        2 * 9 * self.batch * self.out[0] * self.out[1] * self.channels * self.out_channels
    }

    /// The same, where outputs that are exactly zero must stay so or need not.
    pub fn keeping_zeros(self, keeps_zeros: bool) -> Layer {
        Layer { keeps_zeros, ..self }
    }
}

/// Bytes that a chunk's transformed inputs or outputs may take: what a large GPU's cache holds.
const CHUNK: usize = 32 << 20;
/// Bytes that the partial sums of a weight's gradient may take.
const PARTIAL: usize = 64 << 20;
/// Tiles of a chunk are a multiple of this, so that products over tiles may take any way.
const ROUND: usize = 32;
/// Operations of a layer for which a software driver compiles transforms: eight pictures in the second layer of the scratch CNN
/// need as many.
const LEAST_WORK: usize = 900_000_000;
/// Workgroups that keep a GPU busy.
const BUSY: usize = 256;

impl Winograd {
    /// Both, the larger first.
    pub const ALL: [Winograd; 2] = [Winograd::Four, Winograd::Two];

    /// Its name in profiles and options.
    pub const fn name(self) -> &'static str {
        match self {
            Winograd::Two => "winograd-2",
            Winograd::Four => "winograd-4",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Winograd> {
        Winograd::ALL.into_iter().find(|winograd| winograd.name() == name)
    }

    /// Names of those that a device may choose for a layer, the best first; any that it prefers is among them.
    pub fn candidates(device: &Device, layer: &Layer) -> Vec<&'static str> {
        let allowed = |winograd: Winograd| {
            winograd == Winograd::Two || !layer.keeps_zeros || device.preferred() == Some(winograd.name())
        };
        let names = Winograd::ALL.into_iter().filter(|&winograd| allowed(winograd)).map(Winograd::name);
        names.filter(|name| !device.bars(name)).collect()
    }

    /// Whether the table takes it before plain products for a layer: there are channels enough to pay for the transforms.
    /// On lavapipe F(4×4, 3×3) takes less time than the best product from 16 channels on, half of it from 64 on, while
    /// F(2×2, 3×3) does not pay; elsewhere both are guesses. A software driver takes a second and a half to compile the transforms:
    /// a small layer is done before.
    pub fn suits(gpu: &Gpu, layer: &Layer) -> bool {
        let channels = layer.channels.min(layer.out_channels);
        match gpu.class() {
            Class::Small => false,
            Class::Software => channels >= 16 && !layer.keeps_zeros && layer.work() >= LEAST_WORK,
            Class::Middle | Class::Large => channels >= 64,
        }
    }

    /// Outputs of a tile along an axis.
    fn outputs(self) -> usize {
        match self {
            Winograd::Two => 2,
            Winograd::Four => 4,
        }
    }

    /// Products of a tile.
    fn points(self) -> usize {
        (self.outputs() + 2).pow(2)
    }

    fn kernels(self, floats: Floats) -> &'static Kernels {
        match (self, floats) {
            (Winograd::Two, Floats::Half) => &TWO_OF_HALVES,
            (Winograd::Four, Floats::Half) => &FOUR_OF_HALVES,
            (Winograd::Two, _) => &TWO,
            (Winograd::Four, _) => &FOUR,
        }
    }

    /// The layer's parameters with nothing but its sizes, and its number of tiles.
    fn params(self, layer: &Layer) -> (Params, usize) {
        let tiles = layer.out.map(|out| out.div_ceil(self.outputs()));
        let [tiles_down, tiles_across] = tiles.map(|tiles| tiles as u32);
        let params = Params {
            batch: layer.batch as u32,
            height: layer.size[0] as u32,
            width: layer.size[1] as u32,
            channels: layer.channels as u32,
            out_height: layer.out[0] as u32,
            out_width: layer.out[1] as u32,
            out_channels: layer.out_channels as u32,
            pad_top: layer.before[0] as u32,
            pad_left: layer.before[1] as u32,
            tiles_down,
            tiles_across,
            flipped: layer.flipped.into(),
            ..Params::zeroed()
        };
        (params, layer.batch * tiles[0] * tiles[1])
    }

    /// Tiles of a chunk.
    fn chunk(self, layer: &Layer) -> usize {
        let bytes = self.points() * layer.channels.max(layer.out_channels) * 4;
        (CHUNK / bytes / ROUND).max(1) * ROUND
    }

    /// y = the layer's convolution of x and what ends it, pooled or not.
    pub fn convolve(
        self,
        plan: &mut PlanBuilder<'_>,
        layer: &Layer,
        tensors: [&Tensor; 3],
        ending: Ending<'_>,
        pooling: Pooling<'_>,
    ) -> Result<()> {
        self.run(plan, layer, tensors, None, ending, pooling)
    }

    /// dx, from dy, which is routed if it has winners, and weight.
    pub fn input_gradient(
        self,
        plan: &mut PlanBuilder<'_>,
        layer: &Layer,
        tensors: [&Tensor; 3],
        winners: Option<&Tensor>,
    ) -> Result<()> {
        self.run(plan, layer, tensors, winners, Ending::default(), Pooling::None)
    }

    fn run(
        self,
        plan: &mut PlanBuilder<'_>,
        layer: &Layer,
        [x, weight, y]: [&Tensor; 3],
        routes: Option<&Tensor>,
        ending: Ending<'_>,
        pooling: Pooling<'_>,
    ) -> Result<()> {
        let Layer { channels, out_channels, .. } = *layer;
        let (points, kernels) = (self.points(), self.kernels(Floats::of(x.ty(), y.ty())));
        let input = if routes.is_some() { &kernels.routed[0] } else { &kernels.input };
        let (params, tiles) = self.params(layer);
        let params = Params {
            tile_stride: (points * channels / 4) as u32,
            point_stride: (channels / 4) as u32,
            biased: ending.bias.is_some().into(),
            kind: ending.activation.kind(),
            slope: ending.activation.slope(),
            pooled: pooling.is_pooled().into(),
            ..params
        };
        let u = plan.scratch(TensorType::f32([points, channels, out_channels]));
        let threads = Grid::linear(channels * out_channels / 4);
        plan.dispatch(&kernels.weights, params, &[weight], &[&u], threads)?;
        let chunk = self.chunk(layer).min(tiles);
        for first in (0..tiles).step_by(chunk) {
            let count = chunk.min(tiles - first);
            let params =
                Params { first_tile: first as u32, tiles: count as u32, padded: count as u32, ..params };
            let v = plan.scratch(TensorType::f32([count, points, channels]));
            let reads = [x, routes.unwrap_or(x)];
            plan.dispatch(input, params, &reads, &[&v], Grid::linear(count * channels / 4))?;
            let m = plan.scratch(TensorType::f32([points, count, out_channels]));
            let size = Size { rows: count, columns: out_channels, depth: points * channels };
            let pieces = Split { count: points, depth: channels };
            matmul::pieces(plan, size, [&v, &u], Transpose::default(), &m, pieces)?;
            let reads = [&m, ending.bias.unwrap_or(&m)];
            let threads = Grid::linear(count * out_channels / 4);
            match pooling {
                Pooling::Winners(winners) => {
                    plan.dispatch(&kernels.output_winners, params, &reads, &[y, winners], threads)?;
                }
                _ => plan.dispatch(&kernels.output, params, &reads, &[y], threads)?,
            }
        }
        Ok(())
    }

    /// Whether the partial sums of the gradient with respect to a layer's weight take no more memory than they should.
    pub fn can_sum(layer: &Layer) -> bool {
        Winograd::Four.points() * layer.channels * layer.out_channels * 4 <= PARTIAL
    }

    /// dweight, from x and dy, which is routed if it has winners.
    pub fn weight_gradient(
        self,
        plan: &mut PlanBuilder<'_>,
        layer: &Layer,
        [x, dy, dweight]: [&Tensor; 3],
        winners: Option<&Tensor>,
    ) -> Result<()> {
        let Layer { channels, out_channels, .. } = *layer;
        let (points, kernels) = (self.points(), self.kernels(Floats::Float));
        let output_gradient = if winners.is_some() { &kernels.routed[1] } else { &kernels.output_gradient };
        let (params, tiles) = self.params(layer);
        let chunk = self.chunk(layer);
        for first in (0..tiles).step_by(chunk) {
            let count = chunk.min(tiles - first);
            let padded = count.next_multiple_of(ROUND);
            // Pieces of the sum over tiles, where the points alone are too few for the device.
            let groups =
                points * Way::Tile64.groups(Size { rows: channels, columns: out_channels, depth: 1 });
            let room = PARTIAL / (points * channels * out_channels * 4);
            let wanted = (BUSY / groups).min(room).min(padded / ROUND).max(1);
            let piece = padded.div_ceil(wanted).next_multiple_of(ROUND);
            let pieces = padded.div_ceil(piece);
            let padded = pieces * piece;
            let params =
                Params { first_tile: first as u32, tiles: count as u32, padded: padded as u32, ..params };
            let transformed = |channels: usize| Params {
                tile_stride: (channels / 4) as u32,
                point_stride: (padded * channels / 4) as u32,
                ..params
            };
            let v = plan.scratch(TensorType::f32([points, padded, channels]));
            let threads = Grid::linear(padded * channels / 4);
            plan.dispatch(&kernels.input, transformed(channels), &[x, x], &[&v], threads)?;
            let dm = plan.scratch(TensorType::f32([points, padded, out_channels]));
            let threads = Grid::linear(padded * out_channels / 4);
            let reads = [dy, winners.unwrap_or(dy)];
            plan.dispatch(output_gradient, transformed(out_channels), &reads, &[&dm], threads)?;
            let du = plan.scratch(TensorType::f32([points * pieces, channels, out_channels]));
            let size = Size { rows: channels, columns: out_channels, depth: points * padded };
            let split = Split { count: points * pieces, depth: piece };
            matmul::pieces(plan, size, [&v, &dm], Transpose { a: true, b: false }, &du, split)?;
            let params = Params { pieces: pieces as u32, adds: (first > 0).into(), ..params };
            let threads = Grid::linear(channels * out_channels / 4);
            plan.dispatch(&kernels.weight_gradient, params, &[&du], &[dweight], threads)?;
        }
        Ok(())
    }
}

/// `Params` of `winograd.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    batch: u32,
    height: u32,
    width: u32,
    channels: u32,
    out_height: u32,
    out_width: u32,
    out_channels: u32,
    pad_top: u32,
    pad_left: u32,
    tiles_down: u32,
    tiles_across: u32,
    first_tile: u32,
    tiles: u32,
    padded: u32,
    tile_stride: u32,
    point_stride: u32,
    biased: u32,
    kind: u32,
    slope: f32,
    pooled: u32,
    flipped: u32,
    pieces: u32,
    adds: u32,
}
