//! Max pooling over the spatial axes.

use std::any::Any;
use std::sync::Arc;

use rayon::prelude::*;

use super::activation::ActivateGradient;
use super::floats::{self, Floats};
use super::pool2d::Params;
use super::{Activation, Pool2d, expect};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, piece};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, Place, PlanBuilder, Reader, Tensor, Var};
use crate::tensor::{DType, TensorType};
use crate::{Device, Result};

const SHADER: Shader = shader(Floats::Float);
const FORWARD: Kernel = forward_of(Floats::Float);
const FORWARD_HALF: Kernel = forward_of(Floats::Half);
const FORWARD_WITHIN: Kernel = SHADER
    .kernel("forward_within")
    .params::<Params>()
    .reads(2)
    .writes(1)
    .twin(forward_within::<f32>, forward_within::<f64>);
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Params>().reads(2).writes(1).twin(backward::<f32>, backward::<f64>);
const BACKWARD_DISJOINT: Kernel = SHADER
    .kernel("backward_disjoint")
    .params::<Params>()
    .reads(2)
    .writes(1)
    .twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, FORWARD_HALF, FORWARD_WITHIN, BACKWARD, BACKWARD_DISJOINT];

const fn shader(floats: Floats) -> Shader {
    Shader::new("max_pool2d")
        .and(floats.piece())
        .and(piece!("common/linear.wgsl"))
        .and(piece!("common/activation.wgsl"))
        .and(piece!("common/pool2d.wgsl"))
        .and(piece!("common/windows.wgsl"))
        .and(piece!("max_pool2d.wgsl"))
}

const fn forward_of(floats: Floats) -> Kernel {
    let kernel = shader(floats).kernel("forward").params::<Params>().reads(1).writes(1);
    floats.mark(kernel).twin(forward::<f32>, forward::<f64>)
}

impl Graph {
    /// Maximum over windows of each channel.
    ///
    /// `x` is `[batch, height, width, channels]`, the result `[batch, out_height, out_width, channels]` with
    /// `out = (size + padding − window) / stride + 1`, rounded down, or up with `ceil`. Padding never wins. Of
    /// equal values the first in row-major order wins and takes the whole gradient; a NaN wins over numbers,
    /// as in PyTorch. `x` may hold 16-bit floats; then so does the result, and there is no gradient.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` is not of rank 4, a window does not fit into the padded
    /// image, or a side's padding is not smaller than the window.
    pub fn max_pool2d(&mut self, x: Var, pool: Pool2d) -> Result<Var> {
        self.apply(MaxPool2d(pool), &[x])
    }

    /// As [`Graph::max_pool2d`], for pictures of different sizes that lie in one batch: what is behind a picture's own
    /// extent is like padding, and a window that holds nothing of the picture gives 0.
    ///
    /// `extent` is u32 `[batch, 2]`, rows and columns of each picture. There is no gradient.
    ///
    /// # Errors
    /// As [`Graph::max_pool2d`], or if `extent` is something else.
    pub fn max_pool2d_within(&mut self, x: Var, extent: Var, pool: Pool2d) -> Result<Var> {
        self.apply(MaxPool2dWithin(pool), &[x, extent])
    }
}

#[derive(Debug)]
pub(super) struct MaxPool2d(pub Pool2d);

/// Adds the dispatch of y = the pooled x.
pub(super) fn forward_pass(plan: &mut PlanBuilder<'_>, x: &Tensor, y: &Tensor, pool: &Pool2d) -> Result<()> {
    let params = Params::new("max_pool2d", x.ty(), pool)?;
    let kernel = if y.ty().dtype == DType::F16 { &FORWARD_HALF } else { &FORWARD };
    plan.dispatch(kernel, params, &[x], &[y], Grid::linear(y.len()))
}

impl Operator for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let dtype = floats::expect(self.name(), inputs, 1)?;
        Ok(vec![TensorType { shape: Params::new(self.name(), &inputs[0], &self.0)?.out_shape(), dtype }])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        forward_pass(plan, io.input(0), io.output(0), &self.0)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = dy[0].expect("one output");
        let gradient = MaxPool2dGradient { pool: self.0, behind: Activation::Linear };
        Ok(vec![Some(graph.apply(gradient, &[node.input(0), dy])?)])
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        (outputs[0].len() * self.0.window[0] * self.0.window[1]) as u64
    }
}

/// Maximum over the part of each window that lies in a picture's own extent.
#[derive(Debug)]
struct MaxPool2dWithin(Pool2d);

impl Operator for MaxPool2dWithin {
    fn name(&self) -> &'static str {
        "max_pool2d_within"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        let y = Params::new(self.name(), &inputs[0], &self.0)?.out_shape();
        expect::ty(self.name(), "extent", inputs, 1, &TensorType::u32([y[0], 2]))?;
        Ok(vec![TensorType::f32(y)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let params = Params::new(self.name(), x.ty(), &self.0)?;
        plan.dispatch(&FORWARD_WITHIN, params, &[x, io.input(1)], &[y], Grid::linear(y.len()))
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        (outputs[0].len() * self.0.window[0] * self.0.window[1]) as u64
    }
}

/// dx, from x and dy; and where an activation gave x, the gradient before it.
#[derive(Debug)]
struct MaxPool2dGradient {
    pool: Pool2d,
    behind: Activation,
}

impl Operator for MaxPool2dGradient {
    fn name(&self) -> &'static str {
        "max_pool2d gradient"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, dy, dx) = (io.input(0), io.input(1), io.output(0));
        let params = Params::new(self.name(), x.ty(), &self.pool)?.behind(self.behind);
        let (kernel, threads) = if self.pool.is_disjoint() {
            (&BACKWARD_DISJOINT, params.cells())
        } else {
            (&BACKWARD, dx.len())
        };
        plan.dispatch(kernel, params, &[x, dy], &[dx], Grid::linear(threads))
    }

    /// With the gradient of the activation that gave x: then dx is written once, not also read and written again.
    fn fuse(&self, reader: &Reader<'_>, _device: &Device) -> Option<Arc<dyn Operator>> {
        let ActivateGradient(activation) = (reader.operator as &dyn Any).downcast_ref()?;
        let fits = reader.inputs == [Place::Shared(0), Place::Output] && self.behind == Activation::Linear;
        fits.then(|| Arc::new(MaxPool2dGradient { behind: *activation, ..*self }) as Arc<dyn Operator>)
    }
}

/// Whether x takes the window from the best so far. Without branches, which no processor predicts here.
pub(super) fn beats<T: Float>(x: T, best: T) -> bool {
    (x > best) | x.is_nan()
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let x = slots.float(0).par_chunks(p.image());
    slots.out().par_chunks_mut(p.out_image()).zip(x).for_each(|(y, x)| {
        for ((i, j), y) in p.windows().zip(y.chunks_mut(p.channels())) {
            y.fill(T::neg_infinity());
            for pixel in p.window(i, j) {
                for (y, &x) in y.iter_mut().zip(&x[pixel..]) {
                    *y = if beats(x, *y) { x } else { *y };
                }
            }
        }
    });
}

fn forward_within<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let pictures = slots.float(0).par_chunks(p.image()).zip(slots.u32(1).par_chunks(2));
    slots.out().par_chunks_mut(p.out_image()).zip(pictures).for_each(|(y, (x, extent))| {
        let extent = [extent[0], extent[1]];
        for ((i, j), y) in p.windows().zip(y.chunks_mut(p.channels())) {
            let mut pixels = p.window_within(i, j, extent);
            match pixels.next() {
                Some(first) => y.copy_from_slice(&x[first..][..y.len()]),
                None => y.fill(T::zero()),
            }
            for pixel in pixels {
                for (y, &x) in y.iter_mut().zip(&x[pixel..]) {
                    *y = if beats(x, *y) { x } else { *y };
                }
            }
        }
    });
}

/// Twin of `backward` and `backward_disjoint`: each window gives its dy to its winner. Sums are in the order of
/// the windows, as there.
fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let x = slots.float(0).par_chunks(p.image());
    let dy = slots.float(1).par_chunks(p.out_image());
    slots.out().par_chunks_mut(p.image()).zip(x.zip(dy)).for_each(|(dx, (x, dy))| {
        dx.fill(T::zero());
        let mut best = vec![T::zero(); p.channels()];
        let mut winner = vec![0; p.channels()];
        for ((i, j), dy) in p.windows().zip(dy.chunks(p.channels())) {
            let first = p.window(i, j).next().expect("a window holds a pixel");
            best.fill(T::neg_infinity());
            winner.fill(first as u32);
            for pixel in p.window(i, j) {
                // Two loops of one choice each become vector instructions, one loop of two does not.
                for ((winner, &best), &x) in winner.iter_mut().zip(&best).zip(&x[pixel..]) {
                    *winner = if beats(x, best) { pixel as u32 } else { *winner };
                }
                for (best, &x) in best.iter_mut().zip(&x[pixel..]) {
                    *best = if beats(x, *best) { x } else { *best };
                }
            }
            for (c, (&winner, &dy)) in winner.iter().zip(dy).enumerate() {
                dx[winner as usize + c] += dy * p.slope_at(x[winner as usize + c]);
            }
        }
    });
}
