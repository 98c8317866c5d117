//! The sum at the end of a residual block: its two sides may differ in size, and an activation follows.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::Activation;
use super::activation::{activate, activation_slope};
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{Shape, TensorType};
use crate::{Error, Result};

const SHADER: Shader =
    shader!("residual_add", "common/linear.wgsl", "common/activation.wgsl", "residual_add.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
const BACKWARD: Kernel =
    SHADER.kernel("backward").params::<Params>().reads(2).writes(1).twin(backward::<f32>, backward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD, BACKWARD];

impl Graph {
    /// activation(a + b), where the smaller of both is extended with zeros at the bottom, at the right and behind its last
    /// channel: `[batch, height, width, channels]`, and the result has the larger size along each axis. Either may be
    /// the smaller, along each axis by itself.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is no image, batches differ, or a leaky ReLU's slope is not positive; [`Error::Type`] if
    /// one does not hold 32-bit floats.
    pub fn residual_add(&mut self, a: Var, b: Var, activation: Activation) -> Result<Var> {
        self.apply(ResidualAdd(activation), &[a, b])
    }
}

#[derive(Debug)]
struct ResidualAdd(Activation);

impl Operator for ResidualAdd {
    fn name(&self) -> &'static str {
        "residual_add"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        self.0.check(self.name())?;
        let (a, b) = (&inputs[0].shape, &inputs[1].shape);
        expect_rank(self.name(), "a", a, 4)?;
        expect_rank(self.name(), "b", b, 4)?;
        if a[0] != b[0] {
            return Err(Error::shape(
                self.name(),
                format!("a and b have different batches (a: {a}, b: {b})"),
            ));
        }
        let larger: Vec<usize> = a.iter().zip(b.iter()).map(|(&a, &b)| a.max(b)).collect();
        Ok(vec![TensorType::f32(larger)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (a, b, y) = (io.input(0), io.input(1), io.output(0));
        let params = Params::new([a.ty(), b.ty(), y.ty()], self.0);
        plan.dispatch(&FORWARD, params, &[a, b], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (y, dy) = (node.output(0), dy[0].expect("one output"));
        let mut of = |input: usize| {
            let shape = graph.shape(node.input(input)).clone();
            graph.apply(ResidualAddGradient { activation: self.0, shape }, &[y, dy])
        };
        Ok(vec![Some(of(0)?), Some(of(1)?)])
    }
}

/// The gradient of one side, of shape `shape`, from y and dy.
#[derive(Debug)]
struct ResidualAddGradient {
    activation: Activation,
    shape: Shape,
}

impl Operator for ResidualAddGradient {
    fn name(&self) -> &'static str {
        "residual_add gradient"
    }

    fn outputs(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(&self.shape)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (y, dy, dx) = (io.input(0), io.input(1), io.output(0));
        let params = Params::new([dx.ty(), dx.ty(), y.ty()], self.activation);
        plan.dispatch(&BACKWARD, params, &[y, dy], &[dx], Grid::linear(dx.len()))
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (a, b) = (slots.float(0), slots.float(1));
    let channels = p.y.channels as usize;
    slots.out().par_chunks_mut(channels).enumerate().for_each(move |(pixel, y)| {
        let at = p.y.place(pixel);
        y.fill(T::zero());
        for (image, size) in [(a, p.a), (b, p.b)] {
            if let Some(start) = size.pixel(at) {
                let values = &image[start..][..size.channels as usize];
                y.iter_mut().zip(values).for_each(|(y, &x)| *y += x);
            }
        }
        y.iter_mut().for_each(|y| *y = activate(p.kind, p.slope, *y));
    });
}

fn backward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (y, dy) = (slots.float(0), slots.float(1));
    let channels = p.a.channels as usize;
    slots.out().par_chunks_mut(channels).enumerate().for_each(move |(pixel, dx)| {
        let from = p.y.pixel(p.a.place(pixel)).expect("y is no smaller than its sides");
        let values = y[from..].iter().zip(&dy[from..]);
        for (dx, (&y, &dy)) in dx.iter_mut().zip(values) {
            *dx = dy * activation_slope(p.kind, p.slope, y);
        }
    });
}

/// `Params` of `residual_add.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    batch: u32,
    kind: u32,
    slope: f32,
    a: Size,
    b: Size,
    y: Size,
}

/// Size of an image.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Size {
    height: u32,
    width: u32,
    channels: u32,
}

impl Params {
    fn new(images: [&TensorType; 3], activation: Activation) -> Params {
        let [a, b, y] = images.map(|image| Size::of(&image.shape));
        let batch = images[2].shape[0] as u32;
        Params { batch, kind: activation.kind(), slope: activation.slope(), a, b, y }
    }
}

impl Size {
    fn of(shape: &Shape) -> Size {
        let [_, height, width, channels] = shape.dims().expect("an image");
        Size { height: height as u32, width: width as u32, channels: channels as u32 }
    }

    /// Picture, row and column of the pixel `pixel` of a batch.
    fn place(self, pixel: usize) -> [usize; 3] {
        let (height, width) = (self.height as usize, self.width as usize);
        [pixel / width / height, pixel / width % height, pixel % width]
    }

    /// Where the channels of a pixel begin, if the image has it.
    fn pixel(self, [n, row, column]: [usize; 3]) -> Option<usize> {
        let (height, width) = (self.height as usize, self.width as usize);
        let inside = row < height && column < width;
        inside.then_some(((n * height + row) * width + column) * self.channels as usize)
    }
}
