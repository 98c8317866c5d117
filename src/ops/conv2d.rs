//! Convolution with bias and activation, and what it shares with its two gradients: attributes, sizes, parameters.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::activation::activate;
use super::column_sum::Ending;
use super::conv2d_input_gradient::Conv2dInputGradient;
use super::conv2d_max_pool2d::{self, Pooling};
use super::conv2d_weight_gradient::Conv2dWeightGradient;
use super::floats::{self, Floats};
use super::gemm::{self, Call, Chosen, End, Family, Product, Width};
use super::patches::{Patches, Walk};
use super::ways::Size;
use super::window::{Axis, Slide, slide};
use super::winograd::Layer;
use super::winograd_cpu;
use super::{Activation, Padding};
use crate::cpu::{Float, Matrix, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Piece, piece};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Reader, Tensor, Var};
use crate::tensor::{DType, Shape, TensorType};
use crate::{Device, Error, Result};

const FORWARD: Family = Family::new::<Params>("conv2d", piece!("conv2d.wgsl")).with(COMMON);
/// Where it is pooled and the winners are kept.
const WINNERS: Family = FORWARD.ending(End::Winners);
const PLAIN: Kernel = FORWARD.plain().twin(forward::<f32>, forward::<f64>).fast(forward_fast);
pub(crate) const KERNELS: &[Kernel] = &FORWARD.kernels::<{ FORWARD.count() }>(Floats::Float);
pub(crate) const WINNERS_KERNELS: &[Kernel] = &WINNERS.kernels::<{ WINNERS.count() }>(Floats::Float);
pub(crate) const HALF_KERNELS: &[Kernel] = &FORWARD.kernels::<{ FORWARD.count() }>(Floats::Half);
/// Where the depth is split.
pub(crate) const HALF_IN_KERNELS: &[Kernel] = &FORWARD.kernels::<{ FORWARD.count() }>(Floats::HalfIn);

/// Bodies for the CPU path alone: a GPU has `winograd.wgsl`.
const WINOGRAD_WEIGHTS: Kernel = FORWARD.plain().variant("winograd weights").fast(winograd_cpu::weights);
const WINOGRAD: Kernel = FORWARD.plain().variant("winograd").fast(winograd_cpu::convolve);

/// What a convolution and its gradients share.
pub(super) const COMMON: Piece = piece!("common/conv2d.wgsl");

/// Attributes of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct Conv2d {
    /// Pixels from one window to the next, down and right. Default 1.
    pub stride: [usize; 2],
    /// Pixels from one tap of a window to the next, down and right. Default 1.
    pub dilation: [usize; 2],
    /// How the image is extended, with zeros. Default [`Padding::Valid`].
    pub padding: Padding,
    /// What is applied to the sums. Default [`Activation::Linear`].
    pub activation: Activation,
}

impl Default for Conv2d {
    fn default() -> Conv2d {
        let (padding, activation) = (Padding::Valid, Activation::Linear);
        Conv2d { stride: [1, 1], dilation: [1, 1], padding, activation }
    }
}

impl Graph {
    /// Convolution (without flipping the window, as in Keras and PyTorch), bias and activation.
    ///
    /// `x` has shape `[batch, height, width, in]`, `weight` `[window height, window width, in, out]`, `bias`
    /// `[out]`. The result has shape `[batch, out height, out width, out]`, where with padded sizes and
    /// `reach = (window − 1)·dilation + 1` it is `out = (size − reach) / stride + 1`, rounded down.
    ///
    /// `x` and `weight` may both hold 16-bit floats; then so does the result, and there is no gradient. Sums are of 32 bits,
    /// and so is the bias.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not fit, a stride or dilation is 0, the window does not fit into the
    /// padded image, or a leaky ReLU's slope is not positive; [`Error::Type`] if an input does not hold floats.
    pub fn conv2d(&mut self, x: Var, weight: Var, bias: Option<Var>, conv: Conv2d) -> Result<Var> {
        let inputs: Vec<Var> = [x, weight].into_iter().chain(bias).collect();
        self.apply(conv, &inputs)
    }
}

impl Conv2d {
    /// The gradient of each of `inputs`, from that before the activation.
    pub(super) fn gradients(&self, graph: &mut Graph, inputs: &[Var], dy: Var) -> Result<Gradients> {
        let (x, weight) = (inputs[0], inputs[1]);
        let geometry = Geometry::new(graph.shape(x), graph.shape(weight), self)?;
        let dx = graph.apply(Conv2dInputGradient::new(geometry), &[dy, weight])?;
        let dweight = graph.apply(Conv2dWeightGradient::new(geometry), &[x, dy])?;
        let mut gradients = vec![Some(dx), Some(dweight)];
        if inputs.len() == 3 {
            gradients.push(Some(graph.column_sum(dy)?));
        }
        Ok(gradients)
    }

    /// Adds the dispatches that write `y`, pooled or not. Returns whether it could: a depth that is split leaves no place
    /// to pool.
    pub(super) fn dispatch_to(
        &self,
        io: &Io,
        plan: &mut PlanBuilder<'_>,
        y: &Tensor,
        pooling: Pooling<'_>,
    ) -> Result<bool> {
        let pooled = pooling.is_pooled();
        let (x, weight) = (io.input(0), io.input(1));
        let bias = (io.input_count() == 3).then(|| io.input(2));
        let geometry = Geometry::new(&x.ty().shape, &weight.ty().shape, self)?;
        let ending = Ending { bias, activation: self.activation };
        let size = if pooled { geometry.pooled() } else { geometry.forward() };
        let winograd = Layer::forward(&geometry).map(|layer| layer.keeping_zeros(plan.is_differentiated()));
        let cpu =
            plan.device().gpu().is_none() && !plan.device().is_reference() && x.ty().dtype == DType::F32;
        if let Some(layer) = winograd.filter(|layer| cpu && winograd_cpu::suits(layer)) {
            let Layer { channels, out_channels, .. } = layer;
            let u = plan.scratch(TensorType::f32([channels, winograd_cpu::POINTS, out_channels]));
            let params = |ending: Ending<'_>| Params::new(Product::new(size, size.depth, ending), &geometry);
            let one = Grid::groups(1);
            plan.dispatch(
                &WINOGRAD_WEIGHTS,
                params(Ending::default()),
                &[weight, weight, weight],
                &[&u],
                one,
            )?;
            let reads = [x, &u, ending.bias.unwrap_or(x)];
            plan.dispatch(&WINOGRAD, params(ending), &reads, &[y], one)?;
            return Ok(true);
        }
        let way = match gemm::choose(
            plan,
            &floats::problem(self.name(), x.ty()),
            &FORWARD,
            size,
            winograd.as_ref(),
        ) {
            Some(Chosen::Winograd(winograd, layer)) => {
                winograd.convolve(plan, layer, [x, weight, y], ending, pooling)?;
                return Ok(true);
            }
            Some(Chosen::Product(way)) if pooled && way.split(size).count > 1 => return Ok(false),
            Some(Chosen::Product(way)) => Some(way),
            None => None,
        };
        let call = Call {
            family: if pooling.winners().is_some() { &WINNERS } else { &FORWARD },
            plain: &PLAIN,
            size,
            left: (x, Width::of(geometry.channels)),
            right: (weight, Width::of(geometry.out_channels)),
            y,
            ending,
            pooled,
            winners: pooling.winners(),
        };
        call.dispatch(plan, way, |product| Params::new(product, &geometry))?;
        Ok(true)
    }
}

impl Operator for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let dtype = floats::expect(self.name(), inputs, 2)?;
        self.activation.check(self.name())?;
        let geometry = Geometry::new(&inputs[0].shape, &inputs[1].shape, self)?;
        if let Some(bias) = inputs.get(2) {
            super::expect_bias(self.name(), &bias.shape, geometry.out_channels)?;
        }
        Ok(vec![TensorType { shape: geometry.y_shape().into(), dtype }])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        self.dispatch_to(io, plan, io.output(0), Pooling::None).map(drop)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = graph.activation_gradient(node.output(0), dy[0].expect("one output"), self.activation)?;
        self.gradients(graph, &node.inputs, dy)
    }

    fn fuse(&self, reader: &Reader<'_>, device: &Device) -> Option<Arc<dyn Operator>> {
        conv2d_max_pool2d::fused(*self, reader, device)
    }

    fn fuse_for_gradients(&self, reader: &Reader<'_>, inputs: &[TensorType]) -> Option<Arc<dyn Operator>> {
        conv2d_max_pool2d::fused_for_gradients(*self, reader, inputs)
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        Geometry::new(&inputs[0].shape, &inputs[1].shape, self).map_or(0, |g| g.forward().flops())
    }
}

/// All sizes of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub batch: usize,
    pub channels: usize,
    pub out_channels: usize,
    /// Vertical, horizontal.
    pub axes: [Axis; 2],
}

impl Geometry {
    pub fn new(x: &Shape, weight: &Shape, conv: &Conv2d) -> Result<Geometry> {
        const OP: &str = "conv2d";
        expect_rank(OP, "x", x, 4)?;
        expect_rank(OP, "weight", weight, 4)?;
        if x[3] != weight[2] {
            let problem = format!(
                "x has {} channels but weight expects {} (x: {x}, weight: {weight})",
                x[3], weight[2]
            );
            return Err(Error::shape(OP, problem));
        }
        let along = |i: usize| {
            let Conv2d { stride, dilation, .. } = conv;
            Slide { window: weight[i], stride: stride[i], dilation: dilation[i], ceil: false }
        };
        let axes = slide(OP, [x[1], x[2]], [along(0), along(1)], conv.padding)?;
        Ok(Geometry { batch: x[0], channels: x[3], out_channels: weight[3], axes })
    }

    pub fn x_shape(&self) -> [usize; 4] {
        let [down, right] = self.axes;
        [self.batch, down.size, right.size, self.channels]
    }

    pub fn weight_shape(&self) -> [usize; 4] {
        let [down, right] = self.axes;
        [down.window, right.window, self.channels, self.out_channels]
    }

    pub fn y_shape(&self) -> [usize; 4] {
        let [down, right] = self.axes;
        [self.batch, down.out, right.out, self.out_channels]
    }

    /// Output pixels.
    pub fn out_pixels(&self) -> usize {
        self.batch * self.axes[0].out * self.axes[1].out
    }

    /// Taps of a window.
    pub fn taps(&self) -> usize {
        self.axes[0].window * self.axes[1].window
    }

    /// Of the matrix of patches by the weight.
    fn forward(&self) -> Size {
        let depth = self.taps() * self.channels;
        Size { rows: self.out_pixels(), columns: self.out_channels, depth }
    }

    /// The same with only the pixels that lie in a window of 2 × 2.
    fn pooled(&self) -> Size {
        let [down, right] = self.axes;
        Size { rows: self.batch * (down.out / 2) * (right.out / 2) * 4, ..self.forward() }
    }

    /// The matrix of patches: a row for each output pixel (n, i, j), a column for each (u, v, c).
    pub fn patches<'a>(&self, x: &'a [f32]) -> Patches<'a> {
        let walk = |axis: Axis| Walk {
            positions: axis.out,
            taps: axis.window,
            step: axis.stride,
            dilation: axis.dilation,
            before: axis.before as isize,
            divisor: 1,
            size: axis.size,
        };
        Patches { source: x, channels: self.channels, axes: self.axes.map(walk) }
    }
}

impl Axis {
    /// The pixel that output `i` meets at a tap, if it lies in the image.
    pub(super) fn pixel(&self, i: usize, tap: usize) -> Option<usize> {
        let padded = i * self.stride + tap * self.dilation;
        padded.checked_sub(self.before).filter(|&pixel| pixel < self.size)
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let Geometry { channels, out_channels, axes: [down, right], .. } = p.geometry();
    let (x, weight, bias) = (slots.float(0), slots.float(1), slots.float(2));
    slots.out().par_chunks_mut(right.out * out_channels).enumerate().for_each(|(row, y)| {
        let (n, i) = (row / down.out, row % down.out);
        for (j, y) in y.chunks_mut(out_channels).enumerate() {
            for (o, y) in y.iter_mut().enumerate() {
                let mut sum = T::zero();
                for u in 0..down.window {
                    let Some(h) = down.pixel(i, u) else { continue };
                    for v in 0..right.window {
                        let Some(w) = right.pixel(j, v) else { continue };
                        let x = &x[((n * down.size + h) * right.size + w) * channels..];
                        let weight = &weight[(u * right.window + v) * channels * out_channels + o..];
                        sum += (0..channels).map(|c| x[c] * weight[c * out_channels]).sum();
                    }
                }
                let bias = if p.product.biased == 1 { bias[o] } else { T::zero() };
                *y = activate(p.product.kind, p.product.slope, sum + bias);
            }
        }
    });
}

/// The product of the matrix of patches, of which a tile at a time exists, by the weight.
fn forward_fast(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let p: Params = params(bytes);
    let (weight, bias) = (slots.float(1), slots.float(2));
    let geometry = p.geometry();
    let patches = geometry.patches(slots.float(0));
    let weight = Matrix::rows(weight, geometry.out_channels);
    patches.times(weight, geometry.out_channels, slots.out(), |row| p.product.end_row(row, bias));
}

/// `Params` of `common/conv2d.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Params {
    pub product: Product,
    batch: u32,
    height: u32,
    width: u32,
    channels: u32,
    out_height: u32,
    out_width: u32,
    out_channels: u32,
    window_height: u32,
    window_width: u32,
    stride_y: u32,
    stride_x: u32,
    dilation_y: u32,
    dilation_x: u32,
    pad_top: u32,
    pad_left: u32,
}

impl Params {
    pub fn new(product: Product, geometry: &Geometry) -> Params {
        let [down, right] = geometry.axes;
        Params {
            product,
            batch: geometry.batch as u32,
            height: down.size as u32,
            width: right.size as u32,
            channels: geometry.channels as u32,
            out_height: down.out as u32,
            out_width: right.out as u32,
            out_channels: geometry.out_channels as u32,
            window_height: down.window as u32,
            window_width: right.window as u32,
            stride_y: down.stride as u32,
            stride_x: right.stride as u32,
            dilation_y: down.dilation as u32,
            dilation_x: right.dilation as u32,
            pad_top: down.before as u32,
            pad_left: right.before as u32,
        }
    }

    pub fn geometry(&self) -> Geometry {
        let axis = |size, window, stride, dilation, before, out| {
            let [size, window, stride, dilation, before, out] =
                [size, window, stride, dilation, before, out].map(|n: u32| n as usize);
            Axis { size, window, stride, dilation, before, out }
        };
        let down = axis(
            self.height,
            self.window_height,
            self.stride_y,
            self.dilation_y,
            self.pad_top,
            self.out_height,
        );
        let right = axis(
            self.width,
            self.window_width,
            self.stride_x,
            self.dilation_x,
            self.pad_left,
            self.out_width,
        );
        Geometry {
            batch: self.batch as usize,
            channels: self.channels as usize,
            out_channels: self.out_channels as usize,
            axes: [down, right],
        }
    }
}
