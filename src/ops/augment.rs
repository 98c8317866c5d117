//! Augmentation of training pictures, with their normalisation: random flip, shift and brightness.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::normalize::{Normalize, expect_pictures};
use super::{expect, random};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader =
    shader!("augment", "common/linear.wgsl", "common/random.wgsl", "common/pixels.wgsl", "augment.wgsl");
const DRAW: Kernel =
    SHADER.kernel("draw").params::<Params>().reads(2).writes(1).twin(draw::<f32>, draw::<f64>);
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[DRAW, FORWARD];

/// Keeps the numbers of augmentation apart from those of layers with the same seed.
const STREAM: u32 = random::stream("augment");

/// How much a training picture may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// The run's seed.
    pub seed: u32,
    /// Whether half of the pictures are mirrored, left for right.
    pub flip: bool,
    /// Largest shift up, down, left or right, as a share of the side, in `[0, 1]`. Edges are extended.
    pub shift: f32,
    /// Largest change of the pixels' values, as a share, in `[0, 1)`. They stay at most 255.
    pub brightness: f32,
}

impl Default for Augment {
    fn default() -> Augment {
        Augment { seed: 0, flip: true, shift: 0.1, brightness: 0.2 }
    }
}

/// A picture's key for [`Graph::augment`]: FNV-1a of its bytes.
pub fn picture_hash(pixels: &[u8]) -> u32 {
    pixels.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Graph {
    /// Changes pictures at random, then normalises them as [`Graph::normalize`].
    ///
    /// `x` is u8 `[batch, height, width, channels]`, at most 4 channels; `keys` is `u32 [batch]`, the [hash](picture_hash)
    /// of each picture's content; `epoch` is `u32 [1]`. What happens to a picture depends on its key, the epoch and the
    /// seed, and on nothing else: its words for flip, vertical shift, horizontal shift and brightness are
    /// `philox([0, epoch, 0, 0], [seed ^ stream("augment"), key])`. The result is f32 of the shape of `x`, without
    /// gradient. Where nothing may change, it is exactly that of `normalize`.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if an input is something else or a setting is out of its range.
    pub fn augment(
        &mut self,
        x: Var,
        keys: Var,
        epoch: Var,
        augment: Augment,
        normalize: Normalize,
    ) -> Result<Var> {
        self.apply(AugmentPictures { augment, normalize }, &[x, keys, epoch])
    }
}

#[derive(Debug)]
struct AugmentPictures {
    augment: Augment,
    normalize: Normalize,
}

impl Operator for AugmentPictures {
    fn name(&self) -> &'static str {
        "augment"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let op = self.name();
        let shape = expect_pictures(op, inputs)?;
        expect::ty(op, "keys", inputs, 1, &TensorType::u32([shape[0]]))?;
        expect::counter(op, "epoch", inputs, 2)?;
        let Augment { shift, brightness, .. } = self.augment;
        if !(0.0..=1.0).contains(&shift) {
            return Err(Error::shape(op, format!("the shift lies in [0, 1], given {shift}")));
        }
        if !(0.0..1.0).contains(&brightness) {
            return Err(Error::shape(op, format!("the brightness lies in [0, 1), given {brightness}")));
        }
        Ok(vec![TensorType::f32(shape)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let Augment { flip, shift, brightness, .. } = self.augment;
        if !flip && shift == 0.0 && brightness == 0.0 {
            return self.normalize.dispatch(io, plan);
        }
        let (x, keys, epoch, y) = (io.input(0), io.input(1), io.input(2), io.output(0));
        let shape: [usize; 4] = x.ty().shape.dims().expect("pictures have four axes");
        let params = Params::new(shape, self.augment, self.normalize);
        let draws = plan.scratch(TensorType::u32([shape[0], 4]));
        plan.dispatch(&DRAW, params, &[keys, epoch], &[&draws], Grid::linear(shape[0]))?;
        plan.dispatch(&FORWARD, params, &[x, &draws], &[y], Grid::linear(y.len()))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![None; 3])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        32 * inputs[0].len() as u64
    }
}

fn draw<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (keys, epoch) = (slots.u32(0), slots.u32(1)[0]);
    for (draws, &key) in slots.out_u32().chunks_mut(4).zip(keys) {
        draws.copy_from_slice(&random::philox([0, epoch, 0, 0], [p.seed, key]));
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let [height, width, channels] = [p.height, p.width, p.channels].map(|size| size as usize);
    let picture = height * width * channels;
    let pictures = slots.u8(0).par_chunks(picture).zip(slots.u32(1).par_chunks(4));
    slots.out().par_chunks_mut(picture).zip(pictures).for_each(|(y, (x, draws))| {
        let shift = |word: u32, reach: u32| {
            ((u64::from(word) * u64::from(2 * reach + 1)) >> 32) as i64 - i64::from(reach)
        };
        let (dy, dx) = (shift(draws[1], p.reach_y), shift(draws[2], p.reach_x));
        let mirror = p.flip != 0 && draws[0] & 1 == 1;
        let pixel = |row: i64, column: i64, c: usize| {
            let row = row.clamp(0, height as i64 - 1) as usize;
            let column = column.clamp(0, width as i64 - 1) as usize;
            let column = if mirror { width - 1 - column } else { column };
            i64::from(x[(row * width + column) * channels + c])
        };
        let swing = (T::of((draws[3] >> 8).into()) - T::of(8_388_608.0)) / T::of(8_388_608.0);
        let factor = T::one() + T::of(p.brightness.into()) * swing;
        for (i, y) in y.iter_mut().enumerate() {
            let (c, w, h) = (i % channels, i / channels % width, i / channels / width);
            let from = if p.reverse == 0 { c } else { channels - 1 - c };
            let (at_y, at_x) = (h as i64 * 256 - dy, w as i64 * 256 - dx);
            let (row, column) = (at_y.div_euclid(256), at_x.div_euclid(256));
            let (below, right) = (at_y.rem_euclid(256), at_x.rem_euclid(256));
            let sum = (256 - below) * (256 - right) * pixel(row, column, from)
                + (256 - below) * right * pixel(row, column + 1, from)
                + below * (256 - right) * pixel(row + 1, column, from)
                + below * right * pixel(row + 1, column + 1, from);
            let value = (T::of(sum as f64 / 65_536.0) * factor).min(T::of(255.0));
            *y = value * T::of(p.scale[c].into()) + T::of(p.offset[c].into());
        }
    });
}

/// `Params` of `augment.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    scale: [f32; 4],
    offset: [f32; 4],
    batch: u32,
    height: u32,
    width: u32,
    channels: u32,
    seed: u32,
    reverse: u32,
    flip: u32,
    reach_y: u32,
    reach_x: u32,
    brightness: f32,
}

impl Params {
    fn new(shape: [usize; 4], augment: Augment, normalize: Normalize) -> Params {
        let [batch, height, width, channels] = shape.map(|size| size as u32);
        let reach = |side: u32| (f64::from(augment.shift) * f64::from(side) * 256.0).round() as u32;
        Params {
            scale: normalize.scale,
            offset: normalize.offset,
            batch,
            height,
            width,
            channels,
            seed: augment.seed ^ STREAM,
            reverse: normalize.reverse.into(),
            flip: augment.flip.into(),
            reach_y: reach(height),
            reach_x: reach(width),
            brightness: augment.brightness,
        }
    }
}
