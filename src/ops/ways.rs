//! The ways to compute a product on a GPU, and the table that tells which suits a device and a shape.

use crate::Device;
use crate::gpu::{Class, Matrices, Piece, piece};

/// Sizes of a product: `[rows, depth] · [depth, columns]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
}

impl Size {
    /// Multiplications and additions.
    pub fn flops(self) -> u64 {
        2 * self.rows as u64 * self.columns as u64 * self.depth as u64
    }

    /// What a choice is remembered under: the operator, and each size to the power of two.
    pub fn problem(self, operator: &str) -> String {
        let [rows, columns, depth] =
            [self.rows, self.columns, self.depth].map(|n| n.next_power_of_two().ilog2());
        format!("{operator} 2^{rows} x 2^{columns} x 2^{depth}")
    }
}

/// A file `common/gemm*.wgsl`, with its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `common/gemm.wgsl` or `gemm_rows.wgsl` with `tile_32.wgsl`.
    Tile32,
    /// With `tile_64.wgsl`.
    Tile64,
    /// With `tile_128.wgsl`.
    Tile128,
    /// `common/gemm_narrow.wgsl`.
    Narrow,
    /// `common/gemm_subgroup.wgsl` or `gemm_subgroup_rows.wgsl`.
    Subgroup,
    /// `common/gemm_matrix.wgsl` with `matrix_16.wgsl`.
    Matrix16,
    /// With `matrix_8.wgsl`.
    Matrix8,
    /// With `matrix_8_f32.wgsl`.
    Matrix8F32,
}

/// What a workgroup covers.
#[derive(Clone, Copy, Debug)]
struct Tile {
    rows: usize,
    columns: usize,
    /// Steps along the depth: a piece of a split is a multiple of it.
    depth: usize,
}

/// Pieces that the depth is cut into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Split {
    pub count: usize,
    pub depth: usize,
}

/// Workgroups that keep a GPU busy: two for each of 128 compute units, as wgpu does not tell how many there are.
const BUSY: usize = 256;
/// Depth below which a piece would spend more on its partial sums than on its products.
const SHORTEST: usize = 128;
/// Columns up to which a thread takes them all.
const FEW_COLUMNS: usize = 16;

impl Way {
    /// All, where a is loaded along the depth and what is multiplied is of ordinary size; the first is the plain one.
    pub const ALL: &[Way] = &[
        Way::Tile32,
        Way::Tile64,
        Way::Tile128,
        Way::Narrow,
        Way::Subgroup,
        Way::Matrix8,
        Way::Matrix8F32,
        Way::Matrix16,
    ];
    /// All but the last, for factors of any size. Gradients are often too small for `f16`, which knows nothing under 2⁻²⁵.
    /// `Matrix8` is among them for the tests alone: the only driver that offers its matrices to 8 lanes is a software one.
    pub const ANY_SIZE: &[Way] = Way::ALL.split_at(7).0;
    /// Those of `ANY_SIZE` that can load a along its rows.
    pub const ALONG_ROWS: &[Way] =
        &[Way::Tile32, Way::Tile64, Way::Tile128, Way::Subgroup, Way::Matrix8, Way::Matrix8F32];

    /// Its name in profiles and options.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Tile32 => "tile-32",
            Way::Tile64 => "tile-64",
            Way::Tile128 => "tile-128",
            Way::Narrow => "narrow",
            Way::Subgroup => "subgroup",
            Way::Matrix16 => "matrix-16",
            Way::Matrix8 => "matrix-8",
            Way::Matrix8F32 => "matrix-8-f32",
        }
    }

    /// The way of this name.
    pub fn named(name: &str) -> Option<Way> {
        Way::ALL.iter().copied().find(|way| way.name() == name)
    }

    /// Its sizes, where it has a choice.
    pub const fn tile_piece(self) -> Option<Piece> {
        match self {
            Way::Tile32 => Some(piece!("common/tile_32.wgsl")),
            Way::Tile64 => Some(piece!("common/tile_64.wgsl")),
            Way::Tile128 => Some(piece!("common/tile_128.wgsl")),
            Way::Matrix16 => Some(piece!("common/matrix_16.wgsl")),
            Way::Matrix8 => Some(piece!("common/matrix_8.wgsl")),
            Way::Matrix8F32 => Some(piece!("common/matrix_8_f32.wgsl")),
            Way::Narrow | Way::Subgroup => None,
        }
    }

    /// The matrices that it needs a device for.
    pub const fn matrices(self) -> Option<Matrices> {
        match self {
            Way::Matrix16 => Some(Matrices { side: 16, half: true, lanes: 32 }),
            Way::Matrix8 => Some(Matrices { side: 8, half: true, lanes: 8 }),
            Way::Matrix8F32 => Some(Matrices { side: 8, half: false, lanes: 32 }),
            _ => None,
        }
    }

    fn tile(self) -> Tile {
        let square = |side, depth| Tile { rows: side, columns: side, depth };
        match self {
            Way::Tile32 => square(32, 32),
            Way::Tile64 => square(64, 16),
            Way::Tile128 => square(128, 8),
            Way::Narrow => Tile { rows: 256, columns: 16, depth: 32 },
            Way::Subgroup => Tile { rows: 64, columns: 32, depth: 4 },
            Way::Matrix16 => square(64, 32),
            Way::Matrix8 | Way::Matrix8F32 => square(32, 32),
        }
    }

    /// Workgroups that cover the result.
    pub fn groups(self, size: Size) -> usize {
        let tile = self.tile();
        size.rows.div_ceil(tile.rows) * size.columns.div_ceil(tile.columns)
    }

    /// Splits the depth where there are fewer tiles than keep a GPU busy. The partial sums fill at most [`BUSY`]
    /// tiles, 16 MiB, so no binding grows too large.
    pub fn split(self, size: Size) -> Split {
        let wanted = (BUSY / self.groups(size)).min(size.depth / SHORTEST).max(1);
        let depth = size.depth.div_ceil(wanted).next_multiple_of(self.tile().depth);
        Split { count: size.depth.div_ceil(depth), depth }
    }

    /// The best by the table whose steps divide the depth of pieces that are products of their own, a multiple of 8.
    pub fn for_pieces(ways: &[Way], device: &Device, size: Size, pieces: Split) -> Way {
        // Those with matrices would round Winograd's transforms, which lose digits already.
        let divides = |way: &Way| way.matrices().is_none() && pieces.depth.is_multiple_of(way.tile().depth);
        // The pieces share the device like tiles of one product with so many more rows.
        let size = Size { rows: size.rows * pieces.count, ..size };
        let found = Way::ranked(ways, device, size).into_iter().find(divides);
        found.expect("the steps of the largest tile are 8 long")
    }

    /// Those of `ways` that this GPU can run, the best first by the table: matrices where they are allowed, else the
    /// largest tile that suits the device, that the result fills, and of which there are enough to keep the device busy.
    /// None without a GPU.
    pub fn ranked(ways: &[Way], device: &Device, size: Size) -> Vec<Way> {
        let Some(gpu) = device.gpu() else { return vec![] };
        let most = match gpu.class() {
            Class::Software | Class::Small => 32,
            Class::Middle => 64,
            Class::Large => 128,
        };
        let suits = |way: Way| {
            let tile = way.tile();
            let filled = size.columns > tile.columns / 2 && size.rows > tile.rows / 2;
            match way {
                Way::Narrow => size.columns <= FEW_COLUMNS,
                // On lavapipe it takes a third of the time of the tiles. No GPU is known on which it is best; `--tune`
                // finds out.
                Way::Subgroup => gpu.class() == Class::Software,
                Way::Tile32 => true,
                Way::Matrix16 | Way::Matrix8 | Way::Matrix8F32 => {
                    gpu.class() >= Class::Middle && filled && size.depth >= tile.depth
                }
                Way::Tile64 | Way::Tile128 => tile.columns <= most && filled && way.groups(size) >= BUSY,
            }
        };
        let order = [
            Way::Narrow,
            Way::Matrix16,
            Way::Matrix8F32,
            Way::Matrix8,
            Way::Tile128,
            Way::Tile64,
            Way::Tile32,
            Way::Subgroup,
        ];
        let runs = |way: Way| match way.matrices() {
            Some(matrices) => device.allows(way.name()) && gpu.has_matrices(matrices),
            None => way != Way::Subgroup || gpu.has_subgroups_of(8),
        };
        // Something has to compute: where even the plain way failed its check, it stays.
        let barred = |way: Way| device.bars(way.name()) && way != ways[0];
        let known = order.into_iter().filter(|way| ways.contains(way));
        let mut ranked: Vec<Way> = known.filter(|&way| runs(way) && !barred(way)).collect();
        // Where the subgroup suits, it comes before all else.
        ranked.sort_by_key(|&way| (!suits(way), suits(Way::Subgroup) && way != Way::Subgroup));
        ranked
    }
}

/// Kernel variants on units for small matrices that this GPU can run, if it was opened with
/// [`tensor_cores`](crate::gpu::GpuOptions::tensor_cores). Plans take them only where the device
/// [allows](crate::Device::allowing) them by name; check them first, as
/// drivers differ.
///
/// `matrix-16` and `matrix-8` round the factors of a convolution or a dense layer to `f16` and add up in `f32`:
///
/// - |error| ≤ 2⁻¹⁰ · Σ|a·b|, and what `f32` sums lose, for factors from 2⁻¹⁴ to 65504, as each is off by at most a part in
///   2¹¹. With values of either sign, errors cancel as terms do: results are off by no more than 2⁻⁹ times the largest,
///   which is what checks allow.
/// - A smaller factor is off by up to 2⁻²⁵, a larger one is infinite. So `matrix-16` is for forward passes alone:
///   gradients are often smaller.
///
/// `matrix-8-f32` computes in `f32` throughout.
pub fn tensor_core_variants(device: &Device) -> Vec<&'static str> {
    let runs = |way: &&Way| match (way.matrices(), device.gpu()) {
        (Some(matrices), Some(gpu)) => gpu.has_matrices(matrices),
        _ => false,
    };
    Way::ALL.iter().filter(runs).map(|way| way.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_split_only_where_tiles_are_few() {
        let size = |rows, columns, depth| Size { rows, columns, depth };
        assert_eq!(Way::Tile32.split(size(4096, 64, 4096)), Split { count: 1, depth: 4096 });
        assert_eq!(Way::Tile32.split(size(27, 16, 100)), Split { count: 1, depth: 128 });
        assert_eq!(Way::Tile32.split(size(27, 16, 802_816)), Split { count: 256, depth: 3136 });
        for way in Way::ALL {
            for depth in (1..3000).step_by(7) {
                let Split { count, depth: piece } = way.split(size(40, 40, depth));
                assert!(piece.is_multiple_of(way.tile().depth));
                assert!((count - 1) * piece < depth && depth <= count * piece);
            }
        }
    }
}
