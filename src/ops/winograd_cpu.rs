//! Winograd's F(4×4, 3×3) on the CPU path, for convolutions with many channels: a quarter of the products, on the fast
//! matrix product. The transforms are those of `common/winograd_4.wgsl`.
//!
//! Bands of four rows of outputs are worked on in groups: their tiles of inputs are transformed, multiplied, a product
//! for each point, and transformed back, so that what lies between stays in a shared cache.

use std::array::from_fn;

use rayon::prelude::*;

use super::conv2d::{Geometry, Params};
use super::winograd::Layer;
use crate::cpu::{Matrix, Slots, params, product};

/// Outputs and inputs of a tile along an axis.
const OUT: usize = 4;
const SIDE: usize = 6;
/// Products of a tile.
pub(super) const POINTS: usize = SIDE * SIDE;
/// Channels that are transformed at once: a few vector registers.
const LANES: usize = 16;
/// Floats of a group's transformed inputs and outputs.
const GROUP: usize = 2 << 20;
/// Tiles of a group at least, and at least as many as output channels, or the products would spend their time on fetching
/// and packing the weight.
const SHORTEST: usize = 128;

type Lanes = [f32; LANES];

/// Whether it may be taken, and pays: there are channels enough for the transforms, and pixels enough to fill a product.
pub(super) fn suits(layer: &Layer) -> bool {
    const MANY: usize = 64;
    const PIXELS: usize = 14 * 14;
    let many = |channels: usize| channels >= MANY && channels.is_multiple_of(LANES);
    let pixels = layer.out[0] * layer.out[1];
    many(layer.channels) && many(layer.out_channels) && pixels >= PIXELS && !layer.keeps_zeros
}

/// The weight's transform, G g Gᵀ: from `[3, 3, channels, out]` to `[channels, point, out]`.
pub(super) fn weights(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let Geometry { channels, out_channels, .. } = params::<Params>(bytes).geometry();
    let weight = slots.float(0);
    slots.out().par_chunks_mut(POINTS * out_channels).enumerate().for_each(|(c, u)| {
        for o in (0..out_channels).step_by(LANES) {
            let tap = |tap: usize| lanes(&weight[(tap * channels + c) * out_channels + o..]);
            let columns = [0, 1, 2].map(|column| weight_line([0, 1, 2].map(|row| tap(row * 3 + column))));
            for row in 0..SIDE {
                for (column, value) in weight_line(columns.map(|line| line[row])).iter().enumerate() {
                    u[(row * SIDE + column) * out_channels + o..][..LANES].copy_from_slice(value);
                }
            }
        }
    });
}

/// The convolution, from x, the transformed weight and the bias.
pub(super) fn convolve(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let p: Params = params(bytes);
    let geometry = p.geometry();
    let Geometry { channels, out_channels, axes: [down, right], .. } = geometry;
    let (x, u, bias) = (slots.float(0), slots.float(1), slots.float(2));
    let (bands_down, across) = (down.out.div_ceil(OUT), right.out.div_ceil(OUT));
    let line = right.out * out_channels;
    let mut bands: Vec<&mut [f32]> =
        slots.out().chunks_mut(down.out * line).flat_map(|image| image.chunks_mut(OUT * line)).collect();

    let tiles = (GROUP / (POINTS * (channels + out_channels))).max(SHORTEST).max(out_channels);
    let group = tiles.div_ceil(across);
    let most = group.min(bands.len()) * across;
    let mut v = vec![0.0; most * POINTS * channels];
    let mut m = vec![0.0; most * POINTS * out_channels];
    for (index, bands) in bands.chunks_mut(group).enumerate() {
        let tiles = bands.len() * across;
        v.par_chunks_mut(POINTS * channels).take(tiles).enumerate().for_each(|(tile, v)| {
            let band = index * group + tile / across;
            let at = [band / bands_down, band % bands_down * OUT, tile % across * OUT];
            transform_input(&geometry, x, at, v);
        });
        m.par_chunks_mut(tiles * out_channels).take(POINTS).enumerate().for_each(|(point, m)| {
            let v = Matrix { data: &v[point * channels..], row: POINTS * channels, column: 1 };
            let u = Matrix { data: &u[point * out_channels..], row: POINTS * out_channels, column: 1 };
            product(m, false, v, u, [tiles, out_channels, channels]);
        });
        bands.par_iter_mut().enumerate().for_each(|(band, y)| {
            for tile in 0..across {
                let from = |point: usize| &m[(point * tiles + band * across + tile) * out_channels..];
                transform_output(out_channels, from, tile * OUT, line, y);
            }
            y.chunks_mut(out_channels).for_each(|row| p.product.end_row(row, bias));
        });
    }
}

/// V = Bᵀ d B of the tile whose first output is (n, i, j): `[point, channels]`.
fn transform_input(geometry: &Geometry, x: &[f32], [n, i, j]: [usize; 3], v: &mut [f32]) {
    let Geometry { channels, axes: [down, right], .. } = *geometry;
    let at = |axis: super::window::Axis, first: usize, step: usize| {
        (first + step).checked_sub(axis.before).filter(|&pixel| pixel < axis.size)
    };
    let pixels: [Option<usize>; POINTS] = from_fn(|point| {
        let (h, w) = (at(down, i, point / SIDE)?, at(right, j, point % SIDE)?);
        Some(((n * down.size + h) * right.size + w) * channels)
    });
    for c in (0..channels).step_by(LANES) {
        let pixel = |point: usize| pixels[point].map_or([0.0; LANES], |at| lanes(&x[at + c..]));
        let columns: [[Lanes; SIDE]; SIDE] =
            from_fn(|column| input_line(from_fn(|row| pixel(row * SIDE + column))));
        for row in 0..SIDE {
            for (column, value) in input_line(columns.map(|line| line[row])).iter().enumerate() {
                v[(row * SIDE + column) * channels + c..][..LANES].copy_from_slice(value);
            }
        }
    }
}

/// y = Aᵀ M A of the tile whose first output is in column `first` of a band of rows, each `line` long; `m` gives the sums
/// of a point.
fn transform_output<'a>(
    out_channels: usize,
    m: impl Fn(usize) -> &'a [f32],
    first: usize,
    line: usize,
    y: &mut [f32],
) {
    for o in (0..out_channels).step_by(LANES) {
        let sums = |point: usize| lanes(&m(point)[o..]);
        let columns: [[Lanes; OUT]; SIDE] =
            from_fn(|column| output_line(from_fn(|row| sums(row * SIDE + column))));
        for (row, y) in y.chunks_mut(line).enumerate() {
            let pixels = y[first * out_channels..].chunks_mut(out_channels);
            for (value, pixel) in output_line(columns.map(|line| line[row])).iter().zip(pixels) {
                pixel[o..o + LANES].copy_from_slice(value);
            }
        }
    }
}

fn lanes(from: &[f32]) -> Lanes {
    *from.first_chunk().expect("channels are whole groups of lanes")
}

/// By lanes: the matrix `ROWS` × `N` of `factors` times a vector. Zeros and ones cost nothing, as the factors are known
/// when this is compiled.
macro_rules! transform {
    ($name:ident, $from:literal, $to:literal, $factors:expr) => {
        #[inline(always)]
        fn $name(from: [Lanes; $from]) -> [Lanes; $to] {
            const FACTORS: [[f32; $from]; $to] = $factors;
            let mut to = [[0.0; LANES]; $to];
            for lane in 0..LANES {
                for row in 0..$to {
                    let mut sum = 0.0;
                    for column in 0..$from {
                        let factor = FACTORS[row][column];
                        if factor != 0.0 {
                            sum += factor * from[column][lane];
                        }
                    }
                    to[row][lane] = sum;
                }
            }
            to
        }
    };
}

// Bᵀ d
transform!(
    input_line,
    6,
    6,
    [
        [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
        [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
        [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
        [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
        [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
        [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
    ]
);
// G g
transform!(
    weight_line,
    3,
    6,
    [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ]
);
// Aᵀ m
transform!(
    output_line,
    6,
    4,
    [
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
        [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
        [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
    ]
);
