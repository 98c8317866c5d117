//! What `augment` does to colours: the twin of the last part of `augment.wgsl`.

use super::draws::{Draws, Params};
use super::random;
use crate::cpu::Float;

/// What happens to the colours of a picture's pixels.
pub(super) struct Colours<'a, T> {
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
    pub fn new(p: &'a Params, draws: &'a Draws) -> Colours<'a, T> {
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
    pub fn change(&self, mut v: [T; 4], h: u32, w: u32) -> [T; 4] {
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

/// A number in −1 to 1, exact in 32 bits.
fn swing<T: Float>(word: u32) -> T {
    (T::of((word >> 8).into()) - T::of(8_388_608.0)) / T::of(8_388_608.0)
}
