//! Average pooling over the whole image.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::column_sum::{Columns, sum_chunks};
use crate::Result;
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{Shape, TensorType};

const SHADER: Shader = shader!("global_avg_pool2d", "common/linear.wgsl", "global_avg_pool2d.wgsl");
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Params>().reads(1).writes(1).twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[BACKWARD];

impl Graph {
    /// Mean over the pixels of each image: `[batch, height, width, channels]` to `[batch, channels]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if `x` is not of rank 4.
    pub fn global_avg_pool2d(&mut self, x: Var) -> Result<Var> {
        self.apply(GlobalAvgPool2d, &[x])
    }
}

#[derive(Debug)]
struct GlobalAvgPool2d;

impl Operator for GlobalAvgPool2d {
    fn name(&self) -> &'static str {
        "global_avg_pool2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        expect_rank(self.name(), "x", &inputs[0].shape, 4)?;
        let [batch, _, _, channels] = inputs[0].shape.dims().expect("rank 4");
        Ok(vec![TensorType::f32([batch, channels])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let p = Params::new(&x.ty().shape);
        let pixels = p.pixels as usize;
        let columns = Columns::of_chunks(x.len() / p.channels as usize, p.channels as usize, pixels);
        sum_chunks(plan, columns, x, y, 1.0 / pixels as f32)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let x = graph.shape(node.input(0)).clone();
        Ok(vec![Some(graph.apply(GlobalAvgPool2dGradient { x }, &[dy[0].expect("one output")])?)])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].len() as u64
    }
}

/// dx, from dy and the shape of x.
#[derive(Debug)]
struct GlobalAvgPool2dGradient {
    x: Shape,
}

impl Operator for GlobalAvgPool2dGradient {
    fn name(&self) -> &'static str {
        "global_avg_pool2d gradient"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(&self.x)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (dy, dx) = (io.input(0), io.output(0));
        plan.dispatch(&BACKWARD, Params::new(&self.x), &[dy], &[dx], Grid::linear(dx.len()))
    }
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (channels, pixels) = (p.channels as usize, p.pixels as usize);
    let dy = slots.float(0).par_chunks(channels);
    slots.out().par_chunks_mut(pixels * channels).zip(dy).for_each(|(dx, dy)| {
        for dx in dx.chunks_mut(channels) {
            dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx = dy / T::count(pixels));
        }
    });
}

/// `Params` of `global_avg_pool2d.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    pixels: u32,
    channels: u32,
}

impl Params {
    fn new(x: &Shape) -> Params {
        let [_, height, width, channels] = x.dims().expect("rank 4");
        Params { len: x.len() as u32, pixels: (height * width) as u32, channels: channels as u32 }
    }
}
