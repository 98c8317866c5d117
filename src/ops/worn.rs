//! Masks and sunglasses on a face: where they sit, from five landmarks, and the twin of `common/worn.wgsl`, whose head
//! tells what is drawn.

use bytemuck::{Pod, Zeroable};

/// Words that [`face_words`] makes of a face.
pub const FACE_WORDS: usize = 10;

/// What [`Graph::augment_faces`](crate::graph::Graph::augment_faces) has to know of the face on a picture: its coordinates,
/// how it is turned, how brightly it is lit, whether the photo has colours. All of it in integers, so that every device draws
/// the same.
///
/// `pixels` is RGB, `[height, width, 3]`; `landmarks` in its pixels, origin at the top left corner: left eye, right eye, nose,
/// left and right corner of the mouth. Without landmarks, or with some that are no upright face's, or of one smaller than
/// a thirtieth of the picture, the words say that there is none, and nothing will be put on it.
pub fn face_words(landmarks: Option<&[[f32; 2]; 5]>, pixels: &[u8], width: usize) -> [u32; FACE_WORDS] {
    landmarks
        .and_then(|landmarks| frame(landmarks, pixels, width))
        .unwrap_or_default()
        .map(|word| word as u32)
}

fn frame(landmarks: &[[f32; 2]; 5], pixels: &[u8], width: usize) -> Option<[i32; FACE_WORDS]> {
    let height = pixels.len() / (3 * width);
    if !landmarks.as_flattened().iter().all(|number| number.is_finite()) {
        return None;
    }
    // Pixels count from the middle of the first one.
    let [left, right, nose, mouth_left, mouth_right] =
        landmarks.map(|point| point.map(|number| f64::from(number) - 0.5));
    let middle = |a: [f64; 2], b: [f64; 2]| [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
    let (eyes, mouth) = (middle(left, right), middle(mouth_left, mouth_right));
    let across = [right[0] - left[0], right[1] - left[1]];
    let down = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
    let area = across[0] * down[1] - across[1] * down[0];
    // 1/1024 of a unit, in 1/4096, for each 1/16 pixel.
    let step = f64::from(1024 * 4096 / 16) / area;
    let coefficients = [down[1], -down[0], -across[1], across[0]].map(|side| (side * step).round());
    let most = f64::from(1 << 24) / (width + height) as f64;
    if area <= 0.0 || coefficients.iter().any(|coefficient| coefficient.abs() > most) {
        return None;
    }
    let to_nose = [nose[0] - eyes[0], nose[1] - eyes[1]];
    let turn = 1024.0 * (to_nose[0] * down[1] - to_nose[1] * down[0]) / area;
    let (light, chroma) = light(pixels, width, eyes, across, down);
    // An edge rises from nothing to all over one and a half pixels.
    let soft = (64.0 / 6.0 * area.sqrt()).round().max(1.0);
    let [ux, uy, vx, vy] = coefficients;
    let words = [
        soft,
        (16.0 * eyes[0]).round(),
        (16.0 * eyes[1]).round(),
        ux,
        uy,
        vx,
        vy,
        turn.round().clamp(-450.0, 450.0),
        light,
        chroma,
    ];
    Some(words.map(|word| word as i32))
}

/// The brightness of the lower face, 0 to 255, and how far its colours may be told from grey, 0 to 256.
fn light(pixels: &[u8], width: usize, eyes: [f64; 2], across: [f64; 2], down: [f64; 2]) -> (f64, f64) {
    let height = pixels.len() / (3 * width);
    let (mut light, mut chroma) = (0.0, 0.0);
    for (i, j) in (0..8).flat_map(|i| (0..8).map(move |j| (i, j))) {
        // u from -0.6 to 0.6, v from 0.2 to 1.5.
        let (u, v) = (-0.6 + 1.2 * f64::from(i) / 7.0, 0.2 + 1.3 * f64::from(j) / 7.0);
        let at = |axis: usize, size: usize| {
            let position = eyes[axis] + u * across[axis] + v * down[axis];
            position.round().clamp(0.0, size as f64 - 1.0) as usize
        };
        let pixel = &pixels[(at(1, height) * width + at(0, width)) * 3..][..3];
        light += f64::from(brightness([pixel[0], pixel[1], pixel[2]].map(u32::from)));
        let (high, low) = pixel.iter().fold((0, 255), |(high, low), &v| (v.max(high), v.min(low)));
        chroma += f64::from(high - low);
    }
    ((light / 64.0).round(), (16.0 * (chroma / 64.0 - 6.0)).round().clamp(0.0, 256.0))
}

/// Of red, green and blue in 0..=255.
pub(super) fn brightness([red, green, blue]: [u32; 3]) -> u32 {
    (red * 77 + green * 150 + blue * 29) >> 8
}

/// What one face wears: `Worn` of `common/worn.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Worn {
    soft: i32,
    reach: i32,
    ex: i32,
    ey: i32,
    ux: i32,
    uy: i32,
    vx: i32,
    vy: i32,
    nose: i32,
    light: i32,
    mask: i32,
    mask_colour: u32,
    pattern: i32,
    mask_u: i32,
    mask_v: i32,
    mask_size: i32,
    glasses: i32,
    lens_colour: u32,
    lens_cover: i32,
}

fn cover(distance: i32, soft: i32) -> i32 {
    (128 + ((distance * soft) >> 6)).clamp(0, 256)
}

fn round_min(a: i32, b: i32, r: i32) -> i32 {
    let h = (r - (a - b).abs()).max(0);
    a.min(b) - h * h / (4 * r)
}

fn mask_outline(kind: i32, e: i32, v: i32) -> i32 {
    let bow = e * e;
    let (top, bottom, side) = match kind {
        2 => (330 + (bow >> 12) + (e.abs() >> 3), 1720 - (bow >> 11), 1010 - ((v - 1000).max(0) >> 1)),
        3 => (300 + (bow >> 11), 1640 - (bow >> 10), 870),
        4 => (420 + (bow >> 12), 2500, 1000 - (((v - 1100).max(0) * 5) >> 3)),
        _ => (340 + (bow >> 12), 1700 - (bow >> 11), 970 - ((v - 900).max(0) >> 2)),
    };
    round_min(round_min(v - top, bottom - v, 160), side - e.abs(), 160)
}

fn mask_shade(kind: i32, x: i32, v: i32, bow: i32) -> i32 {
    let mut shade = 262 - (bow >> 14) - ((v - 1100).max(0) >> 4);
    if v > 500 && v < 900 {
        shade += (14 - (x.abs() >> 4)).max(0);
    }
    shade
        + match kind {
            1 if v > 500 && v < 1460 => match (v - (bow >> 13) + 1000) % 300 {
                fold if fold < 40 => -(44 * (40 - fold)) / 40,
                fold if fold > 262 => 9,
                _ => 0,
            },
            2 => -(30 - x.abs() * 2).max(0),
            3 => (22 - (x.abs() >> 4)).max(0) - (30 - (v - 930 - (bow >> 13)).abs() * 2).max(0),
            4 => ((((x.abs() + (v >> 1)) & 511) - 256).abs() >> 3) - 16,
            _ => 0,
        }
}

fn mask_pattern(pattern: i32, x: i32, v: i32) -> i32 {
    let (across, down) = ((x + 4096) & 127, v & 127);
    match pattern {
        1 if down < 40 => -28,
        2 => {
            let r = (across - 64) * (across - 64) + (down - 64) * (down - 64);
            ((1200 - r) >> 3).clamp(0, 70)
        }
        3 => -18 * i32::from(across < 64) - 18 * i32::from(down < 64),
        _ => 0,
    }
}

fn glass_outline(kind: i32, across: i32, down: i32) -> i32 {
    if kind == 1 {
        return round_min(420 - (across + (down >> 3)).abs(), 265 - down.abs(), 260);
    }
    let (x, width, height) =
        if kind == 2 { (across + ((down * 3) >> 4), 430, 350) } else { (across, 350, 370) };
    let e = 1024 - x * x / ((width * width) >> 10) - down * down / ((height * height) >> 10);
    (e * 350) >> 11
}

fn channel_of(colour: u32, c: usize) -> i32 {
    i32::from(colour.to_le_bytes()[c])
}

impl Worn {
    /// Whether there is anything.
    pub(super) fn is_nothing(&self) -> bool {
        self.soft == 0
    }

    /// `sum`, each channel at this position times 65536, with what is worn over it; `light_at` is the brightness of the picture
    /// at a position.
    pub(super) fn over(
        &self,
        at_y: i32,
        at_x: i32,
        sum: [u32; 4],
        light_at: impl Fn(i32, i32) -> u32,
    ) -> [u32; 4] {
        let (px, py) = ((at_x >> 4) - self.ex, (at_y >> 4) - self.ey);
        let u = ((self.ux * px + self.uy * py) >> 12).clamp(-4096, 4096);
        let v = ((self.vx * px + self.vy * py) >> 12).clamp(-4096, 4096);
        if u.abs() > 2200 || !(-900..=2700).contains(&v) {
            return sum;
        }
        let mut y = sum.map(|sum| (sum >> 8) as i32);
        let exposure = (128 + self.light * 128 / 150).clamp(140, 290);
        if self.mask > 0 {
            self.mask_over(&mut y, [u, v], [at_y, at_x], exposure, light_at);
        }
        if self.glasses > 0 {
            self.glasses_over(&mut y, [u, v], exposure);
        }
        y.map(|y| (y as u32) << 8)
    }

    fn mask_over(
        &self,
        y: &mut [i32; 4],
        [u, v]: [i32; 2],
        [at_y, at_x]: [i32; 2],
        exposure: i32,
        light_at: impl Fn(i32, i32) -> u32,
    ) {
        let mu = ((u - self.mask_u) * self.mask_size) >> 10;
        let mv = v - self.mask_v;
        let e = mu - (self.nose >> 2);
        let x = mu - ((self.nose * (1024 - (mv - 640).abs()).max(0)) >> 10);
        let distance = mask_outline(self.mask, e, mv);
        let mut covered = cover(distance, self.soft);
        let seen = self.nose * e < 140_000;
        if self.mask < 4 && covered < 256 && seen && e.abs() > 650 && e.abs() < 1130 {
            let upper = 15 - (mv - 560 + (((e.abs() - 850) * 3) >> 3)).abs();
            let lower = 15 - (((mv - 1240 + (e.abs() - 780) * 2).abs() * 7) >> 4);
            covered = covered.max(cover(upper.max(lower), self.soft) * 7 / 8);
        }
        let shadow = (70 + distance).clamp(0, 70) * 40 / 70;
        *y = y.map(|y| (y * (256 - shadow)) >> 8);
        if covered == 0 {
            return;
        }
        let mut sum = 0;
        for i in -1i32..=1 {
            for j in -1i32..=1 {
                let weight = (2 - i.abs()) * (2 - j.abs());
                sum += weight * light_at(at_y + i * self.reach, at_x + j * self.reach) as i32;
            }
        }
        let ratio = (sum * 16 / self.light.max(1)).clamp(110, 380);
        let lit = 256 + (((ratio - 256) * 5) >> 3);
        let [column, row] = [at_x, at_y].map(|at| (at >> 8) as u32);
        let hash = column.wrapping_mul(73_856_093) ^ row.wrapping_mul(19_349_663);
        let grain = ((hash >> 13) & 7) as i32 - 4;
        let shade = (mask_shade(self.mask, x, mv, e * e) + grain).max(0);
        let bright = (((shade * lit) >> 8) * exposure) >> 8;
        let pattern = mask_pattern(self.pattern, x, mv);
        for (c, y) in y.iter_mut().enumerate() {
            let colour = (((channel_of(self.mask_colour, c) + pattern) * bright) >> 8).clamp(0, 255);
            *y = (*y * (256 - covered) + colour * 256 * covered) >> 8;
        }
    }

    fn glasses_over(&self, y: &mut [i32; 4], [u, v]: [i32; 2], exposure: i32) {
        let gu = u - (self.nose >> 2);
        let (across, down) = (gu.abs() - 525, v - 30);
        let distance = glass_outline(self.glasses, across, down);
        let lens = (cover(distance, self.soft) * (self.lens_cover - ((down + 200).clamp(0, 600) >> 4))) >> 8;
        let bridge = (26 - (v + 40 + (gu.abs() >> 3)).abs()).min(240 - gu.abs());
        let temple = (34 - (v + 70).abs()).min(gu.abs() - 880).min(1010 - gu.abs());
        let rim = (distance + 38).min(8 - distance);
        let frame = cover(rim.max(bridge).max(temple), self.soft);
        let streak = (22 - ((across + down + 180).abs() >> 2)).max(0) + (24 - ((down + 260) >> 3)).max(0);
        for (c, y) in y.iter_mut().enumerate() {
            let colour = channel_of(self.lens_colour, c);
            let glass = ((colour + streak) * exposure) >> 8;
            *y = (*y * (256 - lens) + glass * 256 * lens) >> 8;
            let rim = (((colour * 5) >> 3) * exposure) >> 8;
            *y = (*y * (256 - frame) + rim * 256 * frame) >> 8;
        }
    }

    /// What a face wears, from [`face_words`] and eight random words; `masks` and `glasses` are shares in 2⁻²⁴.
    pub(super) fn dressed(
        face: &[u32; FACE_WORDS],
        first: [u32; 4],
        second: [u32; 4],
        masks: u32,
        glasses: u32,
    ) -> Worn {
        let [soft, ex, ey, ux, uy, vx, vy, nose, light, chroma] = face.map(|word| word as i32);
        let (has_mask, has_glasses) = (first[0] >> 8 < masks, second[0] >> 8 < glasses);
        if soft == 0 || !(has_mask || has_glasses) {
            return Worn::zeroed();
        }
        let mut worn = Worn {
            soft: (soft * (140 + (second[3] & 127) as i32)) >> 8,
            reach: (soft * 27) >> 3,
            ex,
            ey,
            ux,
            uy,
            vx,
            vy,
            nose,
            light,
            ..Worn::zeroed()
        };
        if has_mask {
            worn.mask = 1 + below(first[1], 4) as i32;
            let pick = first[1] << 2;
            let colour = match worn.mask {
                2 => 3 + below(pick, 9),
                3 => {
                    if below(pick, 4) > 0 {
                        0
                    } else {
                        4
                    }
                }
                4 => 4 + below(pick, 8),
                _ => below(pick, 6),
            };
            if worn.mask == 2 || worn.mask == 4 {
                worn.pattern = (below(first[1] << 8, 5) as i32 - 1).max(0);
            }
            worn.mask_colour = dyed(CLOTH[colour as usize], first[2], 18, chroma);
            worn.mask_u = below(first[3], 81) as i32 - 40;
            worn.mask_v = below(first[3] << 8, 121) as i32 - 60;
            worn.mask_size = 970 + below(first[3] << 16, 109) as i32;
        }
        if has_glasses {
            worn.glasses = 1 + below(second[1], 3) as i32;
            worn.lens_colour = dyed(GLASS[below(second[1] << 2, 4) as usize], second[2], 8, chroma);
            worn.lens_cover = 215 + below(second[1] << 8, 42) as i32;
        }
        worn
    }
}

/// Colours of cloth, red lowest: white, light blue, green, pink, black, grey, navy, red, beige, olive, violet, dark green.
const CLOTH: [u32; 12] = [
    0xe6_e6e4, 0xd9_bf99, 0xa8_ba84, 0xb7_abe0, 0x2a_2626, 0x73_706e, 0x5a_3428, 0x30_2a96, 0x96_b4c8,
    0x46_605a, 0x78_4660, 0x3c_4623,
];
/// Colours of glass: black, brown, green, blue.
const GLASS: [u32; 4] = [0x1a_1818, 0x1c_2838, 0x24_2c24, 0x38_2c24];

fn dyed(colour: u32, word: u32, most: i32, chroma: i32) -> u32 {
    let rgb: [i32; 3] = std::array::from_fn(|c| {
        let off = (i32::from(word.to_le_bytes()[c]) - 128) * most / 128;
        (channel_of(colour, c) + off).clamp(0, 255)
    });
    let grey = brightness(rgb.map(|v| v as u32)) as i32;
    let [red, green, blue] = rgb.map(|v| (grey + (((v - grey) * chroma) >> 8)) as u8);
    u32::from_le_bytes([red, green, blue, 0])
}

fn below(word: u32, count: u32) -> u32 {
    ((u64::from(word) * u64::from(count)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: [[f32; 2]; 5] = [[80.5, 90.5], [140.5, 90.5], [110.5, 125.5], [86.5, 155.5], [134.5, 155.5]];

    fn grey() -> Vec<u8> {
        vec![90; 224 * 224 * 3]
    }

    #[test]
    fn eyes_and_mouth_have_the_coordinates_that_the_shader_expects() {
        let words = face_words(Some(&FACE), &grey(), 224).map(|word| word as i32);
        let [_, ex, ey, ux, uy, vx, vy, nose, light, chroma] = words;
        let at = |[x, y]: [f32; 2]| {
            let (px, py) = ((16.0 * (x - 0.5)) as i32 - ex, (16.0 * (y - 0.5)) as i32 - ey);
            [(ux * px + uy * py) >> 12, (vx * px + vy * py) >> 12]
        };
        for (point, expected) in
            FACE.into_iter().zip([[-512, 0], [512, 0], [0, 551], [-410, 1024], [410, 1024]])
        {
            let found = at(point);
            assert!((0..2).all(|i| (found[i] - expected[i]).abs() <= 2), "{found:?}, expected {expected:?}");
        }
        assert_eq!((nose, light, chroma), (0, 90, 0));
    }

    #[test]
    fn what_is_no_upright_face_of_some_size_has_none() {
        let none = [0; FACE_WORDS];
        let with = |change: &dyn Fn(&mut [[f32; 2]; 5])| {
            let mut face = FACE;
            change(&mut face);
            face_words(Some(&face), &grey(), 224)
        };
        assert_ne!(with(&|_| ()), none);
        assert_eq!(face_words(None, &grey(), 224), none);
        assert_eq!(with(&|face| face[2][1] = f32::NAN), none);
        assert_eq!(with(&|face| face.swap(0, 1)), none, "mirrored");
        assert_eq!(with(&|face| face[1] = face[0]), none, "both eyes in one place");
        assert_eq!(with(&|face| *face = face.map(|point| point.map(|v| v * 0.05))), none, "too small");
    }
}
