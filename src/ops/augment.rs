//! Augmentation of training pictures, with their normalisation: one inverse affine map, then colours, in one kernel.

use rayon::prelude::*;

use super::changes::Augment;
use super::colours::Colours;
use super::draws::{Draws, Params};
use super::normalize::{Normalize, expect_pictures};
use super::worn::{FACE_WORDS, Worn, brightness};
use super::{expect, random};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader = shader!(
    "augment",
    "common/linear.wgsl",
    "common/random.wgsl",
    "common/pixels.wgsl",
    "common/worn.wgsl",
    "augment.wgsl"
);
const SUMS: Kernel =
    SHADER.kernel("sums").params::<Params>().reads(1).writes(1).twin(sums::<f32>, sums::<f64>);
const DRAW: Kernel =
    SHADER.kernel("draw").params::<Params>().reads(4).writes(1).twin(draw::<f32>, draw::<f64>);
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[SUMS, DRAW, FORWARD];

/// Most pixels that height and width have together: positions stay in 32 bits, and so do sums of a channel's bytes, at most
/// 4096² · 255 < 2³².
const MOST_SIDES: usize = 8192;

impl Graph {
    /// Changes pictures at random, then normalises them as [`Graph::normalize`].
    ///
    /// `x` is u8 `[batch, height, width, channels]`, at most 4 channels; `keys` is `u32 [batch]`, the
    /// [hash](super::picture_hash) of each picture's content; `epoch` is `u32 [1]`. What happens to a picture depends on its
    /// key, the epoch and the seed, and on nothing else: its words are `philox([block, epoch, 0, 0], [seed ^
    /// stream("augment"), key])`. The result is f32 of the shape of `x`, without gradient. Where nothing may change, it is
    /// exactly that of `normalize`.
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

    /// The same, where masks and sunglasses may be put on faces: `x` is RGB, and `faces` is `u32 [batch, 10]`, the
    /// [words](super::face_words) of each picture's face.
    ///
    /// # Errors
    /// Those of [`Graph::augment`].
    pub fn augment_faces(
        &mut self,
        x: Var,
        [keys, epoch, faces]: [Var; 3],
        augment: Augment,
        normalize: Normalize,
    ) -> Result<Var> {
        self.apply(AugmentPictures { augment, normalize }, &[x, keys, epoch, faces])
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
        self.augment.check()?;
        if self.augment.needs_faces() {
            if inputs.len() < 4 {
                return Err(Error::shape(
                    op,
                    "masks and glasses need to know where faces are; use augment_faces",
                ));
            }
            expect::ty(op, "faces", inputs, 3, &TensorType::u32([shape[0], FACE_WORDS]))?;
            if shape[3] != 3 {
                return Err(Error::shape(
                    op,
                    format!("masks and glasses go on RGB pictures (x: {})", inputs[0]),
                ));
            }
        }
        if shape[1] + shape[2] > MOST_SIDES {
            let problem = format!(
                "pictures have {MOST_SIDES} pixels of height and width together at most (x: {})",
                inputs[0]
            );
            return Err(Error::shape(op, problem));
        }
        Ok(vec![TensorType::f32(shape)])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        if self.augment.is_none() {
            return self.normalize.dispatch(io, plan);
        }
        let (x, keys, epoch, y) = (io.input(0), io.input(1), io.input(2), io.output(0));
        let shape: [usize; 4] = x.ty().shape.dims().expect("pictures have four axes");
        let params = Params::new(shape, self.augment, self.normalize);
        let draws = plan.scratch(TensorType::u32([shape[0], size_of::<Draws>() / 4]));
        // What nobody reads, any tensor of integers can stand for.
        let faces = if self.augment.needs_faces() { io.input(3) } else { keys };
        if self.augment.contrast == 0.0 {
            plan.dispatch(&DRAW, params, &[keys, epoch, keys, faces], &[&draws], Grid::linear(shape[0]))?;
        } else {
            let sums = plan.scratch(TensorType::u32([shape[0], 4]));
            plan.dispatch(&SUMS, params, &[x], &[&sums], Grid::groups(shape[0]))?;
            plan.dispatch(&DRAW, params, &[keys, epoch, &sums, faces], &[&draws], Grid::linear(shape[0]))?;
        }
        plan.dispatch(&FORWARD, params, &[x, &draws], &[y], Grid::linear(y.len() / shape[3]))
    }

    fn gradient(&self, _graph: &mut Graph, node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![None; node.inputs.len()])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        32 * inputs[0].len() as u64
    }
}

fn sums<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let channels = p.channels as usize;
    let pictures = slots.u8(0).par_chunks((p.height * p.width) as usize * channels);
    slots.out_u32().par_chunks_mut(4).zip(pictures).for_each(|(sums, picture)| {
        sums.fill(0);
        for pixel in picture.chunks_exact(channels) {
            sums.iter_mut().zip(pixel).for_each(|(sum, &byte)| *sum += u32::from(byte));
        }
    });
}

fn draw<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (keys, epoch, sums, faces) = (slots.u32(0), slots.u32(1)[0], slots.u32(2), slots.u32(3));
    let drawn: &mut [Draws] = bytemuck::cast_slice_mut(slots.out_u32());
    for (n, (drawn, &key)) in drawn.iter_mut().zip(keys).enumerate() {
        let words = std::array::from_fn(|block| random::philox([block as u32, epoch, 0, 0], [p.seed, key]));
        *drawn = Draws::new(&p, &words);
        (drawn.key, drawn.epoch) = (key, epoch);
        if p.contrast != 0.0 {
            drawn.sums.copy_from_slice(&sums[4 * n..][..4]);
        }
        if p.masks + p.glasses > 0 {
            let face = faces[FACE_WORDS * n..].first_chunk().expect("the words of each face");
            drawn.worn = Worn::dressed(face, words[5], words[6], p.masks, p.glasses);
        }
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let [height, width, channels] = [p.height, p.width, p.channels].map(|size| size as usize);
    let (x, draws): (_, &[Draws]) = (slots.u8(0), bytemuck::cast_slice(slots.u32(1)));
    slots.out().par_chunks_mut(width * channels).enumerate().for_each(|(row, y)| {
        let (n, h) = (row / height, row % height);
        let draws = &draws[n];
        let colours = Colours::new(&p, draws);
        let picture = &x[n * height * width * channels..][..height * width * channels];
        let down = 2 * h as i32 - height as i32 + 1;
        for (w, y) in y.chunks_exact_mut(channels).enumerate() {
            let across = 2 * w as i32 - width as i32 + 1;
            let at_x = (width as i32 - 1) * 128 + ((draws.a * across + draws.b * down + 256) >> 9) - draws.dx;
            let at_y =
                (height as i32 - 1) * 128 + ((draws.c * across + draws.d * down + 256) >> 9) - draws.dy;
            let mut sum = blurred(&p, picture, at_y, at_x, draws.spacing);
            if !draws.worn.is_nothing() {
                sum = draws.worn.over(at_y, at_x, sum, |at_y, at_x| light_at(&p, picture, at_y, at_x));
            }
            let v =
                colours.change(sum.map(|sum| T::of(f64::from(sum)) / T::of(65_536.0)), h as u32, w as u32);
            for (c, y) in y.iter_mut().enumerate() {
                let from = if p.reverse == 0 { c } else { channels - 1 - c };
                *y = v[from] * T::of(p.scale[c].into()) + T::of(p.offset[c].into());
            }
        }
    });
}

/// The pixel that stands for this position, which may lie outside.
fn inside(position: i32, size: u32, reflect: bool) -> usize {
    let side = size as i32;
    if !reflect {
        return position.clamp(0, side - 1) as usize;
    }
    let there = position.rem_euclid(2 * side);
    (if there >= side { 2 * side - 1 - there } else { there }) as usize
}

/// Each channel of a picture at a position in 1/256 pixel, times 65536.
fn sample(p: &Params, picture: &[u8], at_y: i32, at_x: i32) -> [u32; 4] {
    let channels = p.channels as usize;
    let (part_y, part_x) = ((at_y & 255) as u32, (at_x & 255) as u32);
    let rows = [0, 1].map(|below| inside((at_y >> 8) + below, p.height, p.reflect != 0) * p.width as usize);
    let columns = [0, 1].map(|right| inside((at_x >> 8) + right, p.width, p.reflect != 0));
    let mut sum = [0; 4];
    for (row, weight_y) in rows.into_iter().zip([256 - part_y, part_y]) {
        for (column, weight_x) in columns.into_iter().zip([256 - part_x, part_x]) {
            let pixel = &picture[(row + column) * channels..][..channels];
            let weight = weight_y * weight_x;
            // The usual number of channels has no loop.
            if let [red, green, blue] = *pixel {
                let rgb = [red, green, blue].map(|byte| u32::from(byte) * weight);
                sum = [sum[0] + rgb[0], sum[1] + rgb[1], sum[2] + rgb[2], 0];
            } else {
                sum.iter_mut().zip(pixel).for_each(|(sum, &byte)| *sum += u32::from(byte) * weight);
            }
        }
    }
    sum
}

/// The same, blurred.
fn blurred(p: &Params, picture: &[u8], at_y: i32, at_x: i32, spacing: i32) -> [u32; 4] {
    if spacing == 0 {
        return sample(p, picture, at_y, at_x);
    }
    let mut sum = [0; 4];
    for i in -1i32..=1 {
        for j in -1i32..=1 {
            let weight = ((2 - i.abs()) * (2 - j.abs())) as u32;
            let there = sample(p, picture, at_y + i * spacing, at_x + j * spacing);
            sum.iter_mut().zip(there).for_each(|(sum, there)| *sum += weight * there);
        }
    }
    sum.map(|sum| (sum + 8) >> 4)
}

/// How bright the nearest pixel is.
fn light_at(p: &Params, picture: &[u8], at_y: i32, at_x: i32) -> u32 {
    let row = inside((at_y + 128) >> 8, p.height, p.reflect != 0);
    let column = inside((at_x + 128) >> 8, p.width, p.reflect != 0);
    let pixel = &picture[(row * p.width as usize + column) * 3..][..3];
    brightness([pixel[0], pixel[1], pixel[2]].map(u32::from))
}
