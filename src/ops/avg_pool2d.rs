//! Average pooling over the spatial axes.

use rayon::prelude::*;

use super::Pool2d;
use super::pool2d::Params;
use crate::Result;
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{Shape, TensorType};

const SHADER: Shader = shader!(
    "avg_pool2d",
    "common/linear.wgsl",
    "common/pool2d.wgsl",
    "common/windows.wgsl",
    "avg_pool2d.wgsl"
);
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(1).writes(1).twin(forward::<f32>, forward::<f64>);
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Params>().reads(1).writes(1).twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, BACKWARD];

impl Graph {
    /// Mean over windows of each channel.
    ///
    /// `x` is `[batch, height, width, channels]`, the result `[batch, out_height, out_width, channels]` with
    /// `out = (size + padding − window) / stride + 1`, rounded down, or up with `ceil`. Sums are divided by the
    /// number of pixels inside the image, as in Keras; PyTorch: `count_include_pad=False`.
    ///
    /// # Errors
    /// As [`Graph::max_pool2d`].
    pub fn avg_pool2d(&mut self, x: Var, pool: Pool2d) -> Result<Var> {
        self.apply(AvgPool2d(pool), &[x])
    }
}

#[derive(Debug)]
struct AvgPool2d(Pool2d);

impl Operator for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        Ok(vec![TensorType::f32(Params::new(self.name(), &inputs[0], &self.0)?.out_shape())])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let params = Params::new(self.name(), x.ty(), &self.0)?;
        plan.dispatch(&FORWARD, params, &[x], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let x = graph.shape(node.input(0)).clone();
        let dy = dy[0].expect("one output");
        Ok(vec![Some(graph.apply(AvgPool2dGradient { pool: self.0, x }, &[dy])?)])
    }

    fn flops(&self, _inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        (outputs[0].len() * self.0.window[0] * self.0.window[1]) as u64
    }
}

/// dx, from dy and the shape of x.
#[derive(Debug)]
struct AvgPool2dGradient {
    pool: Pool2d,
    x: Shape,
}

impl Operator for AvgPool2dGradient {
    fn name(&self) -> &'static str {
        "avg_pool2d gradient"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(&self.x)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (dy, dx) = (io.input(0), io.output(0));
        let params = Params::new(self.name(), dx.ty(), &self.pool)?;
        plan.dispatch(&BACKWARD, params, &[dy], &[dx], Grid::linear(dx.len()))
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let x = slots.float(0).par_chunks(p.image());
    slots.out().par_chunks_mut(p.out_image()).zip(x).for_each(|(y, x)| {
        for ((i, j), y) in p.windows().zip(y.chunks_mut(p.channels())) {
            y.fill(T::zero());
            for pixel in p.window(i, j) {
                y.iter_mut().zip(&x[pixel..]).for_each(|(y, &x)| *y += x);
            }
            let count = T::count(p.window(i, j).count());
            y.iter_mut().for_each(|y| *y /= count);
        }
    });
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let dy = slots.float(0).par_chunks(p.out_image());
    slots.out().par_chunks_mut(p.image()).zip(dy).for_each(|(dx, dy)| {
        dx.fill(T::zero());
        for ((i, j), dy) in p.windows().zip(dy.chunks(p.channels())) {
            let count = T::count(p.window(i, j).count());
            for pixel in p.window(i, j) {
                dx[pixel..].iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy / count);
            }
        }
    });
}
