//! Normalisation: pixels to the floats that a network was trained on.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::expect;
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("normalize", "common/linear.wgsl", "common/pixels.wgsl", "normalize.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(1).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

/// How a pixel becomes a float: y = x · scale + offset, with x in 0..=255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalize {
    /// Factor of each output channel.
    pub scale: [f32; 4],
    /// What is added to each output channel.
    pub offset: [f32; 4],
    /// Whether the channels come out in reverse order: BGR from RGB.
    pub reverse: bool,
}

impl Normalize {
    /// To 0..=1: x / 255.
    pub fn unit() -> Normalize {
        Normalize { scale: [1.0 / 255.0; 4], offset: [0.0; 4], reverse: false }
    }

    /// As PyTorch's models of ImageNet want it: (x / 255 − mean) / deviation, RGB. A fourth channel only to 0..=1.
    pub fn torch() -> Normalize {
        let mean = [0.485, 0.456, 0.406, 0.0];
        let deviation = [0.229, 0.224, 0.225, 1.0];
        Normalize {
            scale: deviation.map(|deviation: f64| (1.0 / (255.0 * deviation)) as f32),
            offset: std::array::from_fn(|c| (-mean[c] / deviation[c]) as f32),
            reverse: false,
        }
    }

    /// The normalisation that Keras calls `mode` in `preprocess_input`, by our names: `unit`, `torch` or `caffe`.
    pub fn named(name: &str) -> Option<Normalize> {
        match name {
            "unit" => Some(Normalize::unit()),
            "torch" => Some(Normalize::torch()),
            "caffe" => Some(Normalize::caffe()),
            _ => None,
        }
    }

    /// As the VGG of Keras wants it: BGR from RGB, less the mean of ImageNet, not scaled.
    pub fn caffe() -> Normalize {
        Normalize { scale: [1.0; 4], offset: [-103.939, -116.779, -123.68, 0.0], reverse: true }
    }
}

impl Graph {
    /// Pixels to floats.
    ///
    /// `x` is u8 `[batch, height, width, channels]` with at most 4 channels; the result is f32 of the same shape.
    /// It has no gradient.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if `x` is something else.
    pub fn normalize(&mut self, x: Var, normalize: Normalize) -> Result<Var> {
        self.apply(normalize, &[x])
    }
}

/// Checks that input 0 holds pictures; gives their shape.
pub(super) fn expect_pictures(op: &'static str, inputs: &[TensorType]) -> Result<[usize; 4]> {
    let x = &inputs[0];
    expect::dtype(op, inputs, 0, DType::U8)?;
    expect_rank(op, "x", &x.shape, 4)?;
    match x.shape.dims() {
        Some(shape @ [_, _, _, 1..=4]) => Ok(shape),
        _ => Err(Error::shape(op, format!("x has {} channels, expected 1 to 4 (x: {x})", x.shape[3]))),
    }
}

impl Operator for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::f32(expect_pictures(self.name(), inputs)?)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params {
            scale: self.scale,
            offset: self.offset,
            len: y.len() as u32,
            channels: y.ty().shape[3] as u32,
            reverse: self.reverse.into(),
        };
        plan.dispatch(&FORWARD, params, &[io.input(0)], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![None])
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let channels = p.channels as usize;
    let pixels = slots.u8(0).par_chunks(channels);
    slots.out().par_chunks_mut(channels).zip(pixels).for_each(|(y, x)| {
        for (c, y) in y.iter_mut().enumerate() {
            let from = if p.reverse == 0 { c } else { channels - 1 - c };
            *y = T::of(x[from].into()) * T::of(p.scale[c].into()) + T::of(p.offset[c].into());
        }
    });
}

/// `Params` of `normalize.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    scale: [f32; 4],
    offset: [f32; 4],
    len: u32,
    channels: u32,
    reverse: u32,
}
