//! What `augment` draws for a picture: its settings as the kernel takes them, and what they make of random words. In integers,
//! so that every device draws the same.

use bytemuck::{Pod, Zeroable};

use super::changes::{Augment, Fill};
use super::normalize::Normalize;
use super::random;
use super::worn::Worn;

/// Keeps the numbers of augmentation apart from those of layers with the same seed.
const STREAM: u32 = random::stream("augment");

/// `Params` of `augment.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Params {
    pub scale: [f32; 4],
    pub offset: [f32; 4],
    pub batch: u32,
    pub height: u32,
    pub width: u32,
    pub channels: u32,
    pub seed: u32,
    pub reverse: u32,
    pub reflect: u32,
    pub flip: u32,
    pub reach_y: u32,
    pub reach_x: u32,
    pub zoom: u32,
    pub shear: u32,
    pub turn: u32,
    pub spacing: u32,
    pub erase: u32,
    pub masks: u32,
    pub glasses: u32,
    pub brightness: f32,
    pub contrast: f32,
    pub saturation: f32,
    pub hue: f32,
    pub noise: f32,
}

impl Params {
    pub fn new(shape: [usize; 4], augment: Augment, normalize: Normalize) -> Params {
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
pub(super) struct Draws {
    /// The matrix from the result to the picture, in 1/65536.
    pub a: i32,
    pub b: i32,
    pub c: i32,
    pub d: i32,
    /// In 1/256 pixel.
    pub dy: i32,
    pub dx: i32,
    pub spacing: i32,
    /// Words from which factors are made.
    pub brightness: u32,
    pub contrast: u32,
    pub saturation: u32,
    pub hue: u32,
    pub noise: u32,
    /// Top, left, bottom and right.
    pub erase: [u32; 4],
    pub erase_colour: u32,
    pub key: u32,
    pub epoch: u32,
    /// Of each channel's bytes, where contrast changes.
    pub sums: [u32; 4],
    pub worn: Worn,
}

impl Draws {
    /// What the words of a picture make of it, without what it wears.
    pub fn new(p: &Params, words: &[[u32; 4]; 7]) -> Draws {
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

/// The high word of a product: `word` as a share of `range`.
fn share_of(word: u32, range: u32) -> u32 {
    ((u64::from(word) * u64::from(range)) >> 32) as u32
}

/// An integer in −reach to reach.
fn even(word: u32, reach: u32) -> i32 {
    (i64::from(share_of(word, 2 * reach + 1)) - i64::from(reach)) as i32
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
