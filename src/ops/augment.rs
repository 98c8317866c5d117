//! Augmentation of training pictures, with their normalisation: one inverse affine map, then colours, in one kernel.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::changes::{Augment, Fill};
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

/// Keeps the numbers of augmentation apart from those of layers with the same seed.
const STREAM: u32 = random::stream("augment");

/// Most pixels that height and width have together: positions are kept in 32 bits.
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

/// The high word of a product: `word` as a share of `range`.
fn share_of(word: u32, range: u32) -> u32 {
    ((u64::from(word) * u64::from(range)) >> 32) as u32
}

/// An integer in −reach to reach.
fn even(word: u32, reach: u32) -> i32 {
    (i64::from(share_of(word, 2 * reach + 1)) - i64::from(reach)) as i32
}

/// A number in −1 to 1, exact in 32 bits.
fn swing<T: Float>(word: u32) -> T {
    (T::of((word >> 8).into()) - T::of(8_388_608.0)) / T::of(8_388_608.0)
}

/// atan(2⁻ⁱ) for i = 0, 1, …, in 2⁻³² of a full turn.
const ARCS: [i32; 20] = [
    536_870_912,
    316_933_406,
    167_458_907,
    85_004_756,
    42_667_331,
    21_354_465,
    10_679_838,
    5_340_245,
    2_670_163,
    1_335_087,
    667_544,
    333_772,
    166_886,
    83_443,
    41_722,
    20_861,
    10_430,
    5_215,
    2_608,
    1_304,
];

/// Cosine and sine of an angle in 2⁻³² of a full turn, times 65536.
fn turned(angle: i32) -> [i32; 2] {
    if angle == 0 {
        return [65_536, 0];
    }
    let behind = !(-0x4000_0000..=0x4000_0000).contains(&angle);
    let mut left = if behind { angle ^ i32::MIN } else { angle };
    let [mut x, mut y] = [163_008_219, 0];
    for (i, arc) in ARCS.into_iter().enumerate() {
        let step = [-(y >> i), x >> i];
        let sign = if left >= 0 { 1 } else { -1 };
        [x, y] = [x + sign * step[0], y + sign * step[1]];
        left -= sign * arc;
    }
    let sign = if behind { -1 } else { 1 };
    [x, y].map(|v| (sign * v + 2048) >> 12)
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

/// What happens to the colours of a picture's pixels.
struct Colours<'a, T> {
    p: &'a Params,
    draws: &'a Draws,
    mean: [T; 4],
    contrast: T,
    brightness: T,
    saturation: T,
    hue: T,
    noise: T,
}

impl<'a, T: Float> Colours<'a, T> {
    fn new(p: &'a Params, draws: &'a Draws) -> Colours<'a, T> {
        let [zero, one] = [T::zero(), T::one()];
        let more = T::of(p.saturation.into()) * swing::<T>(draws.saturation);
        let pixels = T::count((p.height * p.width) as usize);
        let part = T::of((draws.noise >> 8).into()) / T::of(16_777_216.0);
        Colours {
            p,
            draws,
            mean: draws.sums.map(|sum| if p.contrast == 0.0 { zero } else { T::of(sum.into()) / pixels }),
            contrast: one + T::of(p.contrast.into()) * swing::<T>(draws.contrast),
            brightness: T::of(255.0) * T::of(p.brightness.into()) * swing::<T>(draws.brightness),
            saturation: (one + more) / (one - more),
            hue: T::of(3.0) * T::of(p.hue.into()) * swing::<T>(draws.hue),
            noise: T::of(255.0) * T::of(p.noise.into()) * part,
        }
    }

    /// The pixel at this place of the result.
    fn change(&self, mut v: [T; 4], h: u32, w: u32) -> [T; 4] {
        let Colours { p, draws, .. } = *self;
        let kept = |v: T| v.max(T::zero()).min(T::of(255.0));
        if p.contrast != 0.0 {
            v = std::array::from_fn(|c| self.mean[c] + (v[c] - self.mean[c]) * self.contrast);
        }
        v = v.map(|v| kept(v + self.brightness));
        if p.channels >= 3 && (p.saturation != 0.0 || p.hue != 0.0) {
            v = coloured(v, self.saturation, self.hue);
        }
        if p.noise != 0.0 {
            let words = random::philox([h * p.width + w, draws.epoch, 1, 0], [p.seed, draws.key]);
            v = std::array::from_fn(|c| {
                let bytes: u32 = words[c].to_le_bytes().map(u32::from).iter().sum();
                kept(v[c] + self.noise * ((T::of(bytes.into()) - T::of(510.0)) / T::of(147.800_54)))
            });
        }
        let [top, left, bottom, right] = draws.erase;
        if h >= top && h < bottom && w >= left && w < right {
            v = draws.erase_colour.to_le_bytes().map(|byte| T::of(byte.into()));
        }
        v
    }
}

/// Red, green and blue with more saturation, and the hue moved on by `turn` sixths of the circle.
fn coloured<T: Float>(v: [T; 4], saturation: T, turn: T) -> [T; 4] {
    let [red, green, blue, other] = v;
    let high = red.max(green).max(blue);
    let chroma = high - red.min(green).min(blue);
    if chroma <= T::zero() {
        return v;
    }
    let stronger = high.min(chroma * saturation);
    // With the same hue, each is as much farther from the highest.
    if turn == T::zero() {
        let factor = stronger / chroma;
        let [red, green, blue] = [red, green, blue].map(|v| high - (high - v) * factor);
        return [red, green, blue, other];
    }
    let hue = if red == high {
        (green - blue) / chroma
    } else if green == high {
        T::of(2.0) + (blue - red) / chroma
    } else {
        T::of(4.0) + (red - green) / chroma
    };
    let [red, green, blue] = [5.0, 3.0, 1.0].map(|first| {
        let sixths = T::of(first) + hue + turn;
        let k = sixths - T::of(6.0) * (sixths / T::of(6.0)).floor();
        high - stronger * k.min(T::of(4.0) - k).max(T::zero()).min(T::one())
    });
    [red, green, blue, other]
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
    reflect: u32,
    flip: u32,
    reach_y: u32,
    reach_x: u32,
    zoom: u32,
    shear: u32,
    turn: u32,
    spacing: u32,
    erase: u32,
    masks: u32,
    glasses: u32,
    brightness: f32,
    contrast: f32,
    saturation: f32,
    hue: f32,
    noise: f32,
}

impl Params {
    fn new(shape: [usize; 4], augment: Augment, normalize: Normalize) -> Params {
        let [batch, height, width, channels] = shape.map(|size| size as u32);
        let steps = |setting: f32, unit: f64| (f64::from(setting) * unit).round() as u32;
        let share = |setting: f32| steps(setting, 2f64.powi(24));
        let reach = |side: u32| steps(augment.shift, f64::from(side) * 256.0);
        Params {
            scale: normalize.scale,
            offset: normalize.offset,
            batch,
            height,
            width,
            channels,
            seed: augment.seed ^ STREAM,
            reverse: normalize.reverse.into(),
            reflect: (augment.fill == Fill::Reflect).into(),
            flip: augment.flip.into(),
            reach_y: reach(height),
            reach_x: reach(width),
            zoom: steps(augment.zoom, 4096.0),
            shear: steps(augment.shear, 4096.0),
            // Half a turn to the left is half a turn to the right; the word for the range is one short of overflowing.
            turn: steps(augment.rotation, 2f64.powi(32)).min(0x7fff_ffff),
            // Weights of 1, 2 and 1 have a variance of half the squared spacing.
            spacing: steps(augment.blur, 256.0 * std::f64::consts::SQRT_2),
            erase: share(augment.erase),
            masks: share(augment.masks),
            glasses: share(augment.glasses),
            brightness: augment.brightness,
            contrast: augment.contrast,
            saturation: augment.saturation,
            hue: augment.hue,
            noise: augment.noise,
        }
    }
}

/// What happens to one picture: `Draws` of `augment.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Draws {
    /// The matrix from the result to the picture, in 1/65536.
    a: i32,
    b: i32,
    c: i32,
    d: i32,
    /// In 1/256 pixel.
    dy: i32,
    dx: i32,
    spacing: i32,
    /// Words from which factors are made.
    brightness: u32,
    contrast: u32,
    saturation: u32,
    hue: u32,
    noise: u32,
    /// Top, left, bottom and right.
    erase: [u32; 4],
    erase_colour: u32,
    key: u32,
    epoch: u32,
    /// Of each channel's bytes, where contrast changes.
    sums: [u32; 4],
    worn: Worn,
}

impl Draws {
    /// What the words of a picture make of it, without what it wears.
    fn new(p: &Params, words: &[[u32; 4]; 7]) -> Draws {
        let zoom = 4096 + even(words[1][0], p.zoom);
        let [cos, sin] = turned(even(words[1][1], p.turn));
        let (shear_x, shear_y) = (even(words[1][2], p.shear), even(words[1][3], p.shear));
        let mirror = if p.flip != 0 && words[0][0] & 1 == 1 { -1 } else { 1 };
        let mut draws = Draws {
            a: (cos + ((shear_x * sin) >> 12)) * zoom / 4096 * mirror,
            b: (((shear_x * cos) >> 12) - sin) * zoom / 4096,
            c: (sin + ((shear_y * cos) >> 12)) * zoom / 4096 * mirror,
            d: (cos - ((shear_y * sin) >> 12)) * zoom / 4096,
            dy: even(words[0][1], p.reach_y),
            dx: even(words[0][2], p.reach_x),
            spacing: share_of(words[2][3], p.spacing + 1) as i32,
            brightness: words[0][3],
            contrast: words[2][0],
            saturation: words[2][1],
            hue: words[2][2],
            noise: words[3][0],
            ..Draws::zeroed()
        };
        if words[3][1] >> 8 < p.erase {
            let part = |word: u32| 8192 + share_of(word, 24_577);
            let tall = (p.height * part(words[3][2] << 16) / 65_536).max(1);
            let wide = (p.width * part(words[3][2] & 0xffff_0000) / 65_536).max(1);
            let top = share_of(words[4][0], p.height - tall + 1);
            let left = share_of(words[4][1], p.width - wide + 1);
            draws.erase = [top, left, top + tall, left + wide];
            draws.erase_colour = words[3][3];
        }
        draws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_and_sine_are_right_to_the_last_bit_or_the_one_beside_it() {
        for step in -1000..=1000 {
            let angle = (f64::from(step) / 1000.0 * 2f64.powi(31)).clamp(-2f64.powi(31), 2f64.powi(31) - 1.0);
            let radians = angle.trunc() / 2f64.powi(32) * std::f64::consts::TAU;
            let [cos, sin] = turned(angle as i32).map(f64::from);
            let off = (cos - 65_536.0 * radians.cos()).abs().max((sin - 65_536.0 * radians.sin()).abs());
            assert!(off <= 1.0, "{step}: off by {off}");
        }
    }

    #[test]
    fn what_is_drawn_reaches_both_ends() {
        for reach in [0, 1, 77, 0x7fff_ffff] {
            assert_eq!(even(0, reach), -(reach as i32));
            assert_eq!(even(u32::MAX, reach), reach as i32);
        }
    }
}
