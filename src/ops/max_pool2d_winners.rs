//! Max pooling over windows of 2 × 2 that keeps their winners, and its gradient from these: what a convolution and its
//! gradients leave to a pass of its own where they cannot do it themselves.

use std::any::Any;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::column_sum::ColumnSum;
use super::conv2d_input_gradient::Conv2dInputGradient;
use super::conv2d_weight_gradient::Conv2dWeightGradient;
use super::max_pool2d::beats;
use super::{Activation, expect};
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, Place, PlanBuilder, Reader, Tensor, Var};
use crate::tensor::{DType, Shape, TensorType};
use crate::{Device, Error, Result};

const SHADER: Shader = shader!(
    "max_pool2d_winners",
    "common/linear.wgsl",
    "common/winners.wgsl",
    "common/routed.wgsl",
    "max_pool2d_winners.wgsl"
);
const POOL: Kernel =
    SHADER.kernel("pool").params::<Params>().reads(1).writes(2).twin(pool::<f32>, pool::<f64>);
const UNPOOL: Kernel =
    SHADER.kernel("unpool").params::<Params>().reads(2).writes(1).twin(unpool::<f32>, unpool::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[POOL, UNPOOL];

/// What is kept of a window in which no pixel gets a gradient, because a ReLU gave 0: `CLOSED` of `common/winners.wgsl`.
pub(super) const CLOSED: u8 = 4;

/// What such a pooling gives of pictures `[batch, height, width, channels]`: the maxima, and a byte for each.
pub(super) fn outputs([batch, height, width, channels]: [usize; 4]) -> Vec<TensorType> {
    let shape = Shape::from([batch, height / 2, width / 2, channels]);
    vec![TensorType::f32(shape.clone()), TensorType::u8(shape)]
}

/// Adds the dispatch of the maxima over x and their winners, where `activation` gave x.
pub(super) fn pool_pass(
    plan: &mut PlanBuilder<'_>,
    x: &Tensor,
    [y, winners]: [&Tensor; 2],
    activation: Activation,
) -> Result<()> {
    let params = Params::new(&x.ty().shape, activation);
    plan.dispatch(&POOL, params, &[x], &[y, winners], Grid::linear(y.len() / 4))
}

impl Graph {
    /// The maximum over windows of 2 × 2 side by side, and the winner of each: for the gradient, or to put values back
    /// where maxima came from.
    ///
    /// `x` is `[batch, height, width, channels]` with channels in fours; both results are `[batch, height / 2, width / 2,
    /// channels]`, rounded down, the winners bytes: 0 to 3 in row-major order, the first of equal values.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is of another rank, smaller than a window, or its channels are not in fours;
    /// [`Error::Type`] if it does not hold 32-bit floats.
    pub fn max_pool2d_with_winners(&mut self, x: Var) -> Result<[Var; 2]> {
        let outputs = self.apply_many(MaxPool2dWinners, &[x])?;
        Ok([outputs[0], outputs[1]])
    }

    /// Zeros, `[batch, height, width, channels]` with `size` the height and width, but for the winners of each window:
    /// there its element of `y`. PyTorch's `max_unpool2d`. It has no gradient.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if `y` and `winners` are not what [`Graph::max_pool2d_with_winners`] gives of
    /// pictures of this size.
    pub fn max_unpool2d(&mut self, y: Var, winners: Var, size: [usize; 2]) -> Result<Var> {
        self.apply(MaxUnpool2d { size }, &[y, winners])
    }
}

#[derive(Debug)]
struct MaxPool2dWinners;

impl Operator for MaxPool2dWinners {
    fn name(&self) -> &'static str {
        "max_pool2d_with_winners"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        expect_rank(self.name(), "x", &inputs[0].shape, 4)?;
        expect_fours(self.name(), &inputs[0].shape)?;
        Ok(outputs(dims(&inputs[0].shape)))
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        pool_pass(plan, io.input(0), [io.output(0), io.output(1)], Activation::Linear)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let [_, height, width, _] = dims(graph.shape(node.input(0)));
        let dy = dy[0].expect("nobody differentiates winners");
        Ok(vec![Some(graph.max_unpool2d(dy, node.output(1), [height, width])?)])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].len() as u64
    }
}

fn expect_fours(op: &'static str, shape: &Shape) -> Result<()> {
    match shape.last().is_some_and(|channels| channels.is_multiple_of(4)) {
        true => Ok(()),
        false => Err(Error::shape(op, format!("four channels share a word of winners, given {shape}"))),
    }
}

/// The gradient before the pooling and the ReLU, from that behind them and the winners; `size` is x's height and width.
#[derive(Debug)]
pub(super) struct MaxUnpool2d {
    pub size: [usize; 2],
}

impl Operator for MaxUnpool2d {
    fn name(&self) -> &'static str {
        "max_unpool2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        expect_rank(self.name(), "y", &inputs[0].shape, 4)?;
        expect_fours(self.name(), &inputs[0].shape)?;
        let ([batch, rows, columns, channels], [height, width]) = (dims(&inputs[0].shape), self.size);
        if [height / 2, width / 2] != [rows, columns] {
            let problem = format!("pictures of {height} × {width} have no windows {}", inputs[0].shape);
            return Err(Error::shape(self.name(), problem));
        }
        expect::ty(self.name(), "winners", inputs, 1, &TensorType::u8(&inputs[0].shape))?;
        Ok(vec![TensorType::f32([batch, height, width, channels])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (dy, winners, dx) = (io.input(0), io.input(1), io.output(0));
        let params = Params::new(&dx.ty().shape, Activation::Linear);
        plan.dispatch(&UNPOOL, params, &[dy, winners], &[dx], Grid::linear(dx.len() / 4))
    }

    /// With whoever reads the gradient: it is routed while it is loaded, and never lies in memory.
    fn fuse(&self, reader: &Reader<'_>, device: &Device) -> Option<Arc<dyn Operator>> {
        device.gpu()?;
        let operator = reader.operator as &dyn Any;
        if let (Some(gradient), [Place::Output, Place::Other]) =
            (operator.downcast_ref::<Conv2dInputGradient>(), &reader.inputs[..])
        {
            return Some(Arc::new(gradient.routed()));
        }
        if let (Some(gradient), [Place::Other, Place::Output]) =
            (operator.downcast_ref::<Conv2dWeightGradient>(), &reader.inputs[..])
        {
            return Some(Arc::new(gradient.routed()));
        }
        operator.downcast_ref::<ColumnSum>().map(|_| Arc::new(ColumnSum::Open) as Arc<dyn Operator>)
    }

    fn flops(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

fn dims(shape: &Shape) -> [usize; 4] {
    shape.dims().expect("pictures have rank 4")
}

fn pool<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, channels, relu) = (slots.float(0), p.channels(), p.kind == Activation::Relu.kind());
    let (y, winners) = slots.out_and_bytes();
    let row = p.windows()[1] * channels;
    y.par_chunks_mut(row).zip(winners.par_chunks_mut(row)).enumerate().for_each(|(line, (y, winners))| {
        let upper = x[p.first_of(line)..].chunks(channels);
        let lower = x[p.first_of(line) + p.row()..].chunks(channels);
        let windows = upper.clone().step_by(2).zip(upper.skip(1).step_by(2));
        let windows = windows.zip(lower.clone().step_by(2).zip(lower.skip(1).step_by(2)));
        let results = y.chunks_mut(channels).zip(winners.chunks_mut(channels));
        for ((y, winners), ((x0, x1), (x2, x3))) in results.zip(windows) {
            for (at, winner) in winners.iter_mut().enumerate() {
                let (second, fourth) = (beats(x1[at], x0[at]), beats(x3[at], x2[at]));
                let upper = if second { x1[at] } else { x0[at] };
                let lower = if fourth { x3[at] } else { x2[at] };
                *winner = if beats(lower, upper) { 2 + u8::from(fourth) } else { u8::from(second) };
                y[at] = if beats(lower, upper) { lower } else { upper };
            }
            if relu {
                for (winner, &y) in winners.iter_mut().zip(&*y) {
                    *winner = if y > T::zero() { *winner } else { CLOSED };
                }
            }
        }
    });
}

fn unpool<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (dy, winners) = (slots.float(0), slots.u8(1));
    let [down, across] = p.windows();
    let row = across * p.channels();
    slots.out().par_chunks_mut(p.row()).enumerate().for_each(|(line, dx)| {
        let (n, i) = (line / p.height as usize, line % p.height as usize);
        dx.fill(T::zero());
        if i / 2 >= down {
            return;
        }
        let first = (n * down + i / 2) * row;
        let windows =
            dy[first..][..row].chunks(p.channels()).zip(winners[first..][..row].chunks(p.channels()));
        for (pixels, (dy, winners)) in dx.chunks_mut(2 * p.channels()).zip(windows) {
            for (j, dx) in pixels.chunks_mut(p.channels()).enumerate() {
                let own = (i % 2 * 2 + j) as u8;
                for ((dx, &dy), &winner) in dx.iter_mut().zip(dy).zip(winners) {
                    *dx = if winner == own { dy } else { T::zero() };
                }
            }
        }
    });
}

/// `Params` of `max_pool2d_winners.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    batch: u32,
    height: u32,
    width: u32,
    channels: u32,
    kind: u32,
}

impl Params {
    fn new(x: &Shape, activation: Activation) -> Params {
        let [batch, height, width, channels] = dims(x).map(|size| size as u32);
        Params { batch, height, width, channels, kind: activation.kind() }
    }

    fn channels(&self) -> usize {
        self.channels as usize
    }

    /// Windows down and across a picture.
    fn windows(&self) -> [usize; 2] {
        [self.height as usize / 2, self.width as usize / 2]
    }

    /// Elements of a row of x.
    fn row(&self) -> usize {
        self.width as usize * self.channels()
    }

    /// Where a row of windows begins in x.
    fn first_of(&self, line: usize) -> usize {
        let [down, _] = self.windows();
        (line / down * self.height as usize + line % down * 2) * self.row()
    }
}
