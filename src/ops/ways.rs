//! The ways to compute a product on a GPU, and the table that tells which suits a device and a shape.

use crate::gpu::{Class, Gpu, Piece, piece};

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
    /// `common/gemm_subgroup.wgsl`.
    Subgroup,
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
    /// All where a is loaded along the depth; the first is the plain one.
    pub const ALONG_DEPTH: &[Way] = &[Way::Tile32, Way::Tile64, Way::Tile128, Way::Narrow, Way::Subgroup];
    /// All where a is loaded along its rows.
    pub const ALONG_ROWS: &[Way] = &[Way::Tile32, Way::Tile64, Way::Tile128];

    /// Its name in profiles and options.
    pub const fn name(self) -> &'static str {
        match self {
            Way::Tile32 => "tile-32",
            Way::Tile64 => "tile-64",
            Way::Tile128 => "tile-128",
            Way::Narrow => "narrow",
            Way::Subgroup => "subgroup",
        }
    }

    /// The way of this name.
    pub fn named(name: &str) -> Option<Way> {
        Way::ALONG_DEPTH.iter().copied().find(|way| way.name() == name)
    }

    /// Its sizes, where it has a choice.
    pub const fn tile_piece(self) -> Option<Piece> {
        match self {
            Way::Tile32 => Some(piece!("common/tile_32.wgsl")),
            Way::Tile64 => Some(piece!("common/tile_64.wgsl")),
            Way::Tile128 => Some(piece!("common/tile_128.wgsl")),
            Way::Narrow | Way::Subgroup => None,
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
    pub fn for_pieces(ways: &[Way], gpu: &Gpu, size: Size, pieces: Split) -> Way {
        let divides = |way: &Way| pieces.depth.is_multiple_of(way.tile().depth);
        // The pieces share the device like tiles of one product with so many more rows.
        let size = Size { rows: size.rows * pieces.count, ..size };
        let found = Way::ranked(ways, gpu, size).into_iter().find(divides);
        found.expect("the steps of the largest tile are 8 long")
    }

    /// Those of `ways` that this GPU can run, the best first by the table: the largest tile that suits the device,
    /// that the result fills, and of which there are enough to keep the device busy.
    pub fn ranked(ways: &[Way], gpu: &Gpu, size: Size) -> Vec<Way> {
        let most = match gpu.class() {
            Class::Small => 32,
            Class::Middle => 64,
            Class::Large => 128,
        };
        let suits = |way: Way| {
            let tile = way.tile();
            let filled = size.columns > tile.columns / 2 && size.rows > tile.rows / 2;
            match way {
                Way::Narrow => size.columns <= FEW_COLUMNS,
                // No device is known on which it is best; `--tune` finds out.
                Way::Subgroup => false,
                Way::Tile32 => true,
                Way::Tile64 | Way::Tile128 => tile.columns <= most && filled && way.groups(size) >= BUSY,
            }
        };
        let order = [Way::Narrow, Way::Tile128, Way::Tile64, Way::Tile32, Way::Subgroup];
        let runs = |way: &Way| ways.contains(way) && (*way != Way::Subgroup || gpu.has_subgroups_of(8));
        let mut ranked: Vec<Way> = order.into_iter().filter(runs).collect();
        ranked.sort_by_key(|&way| !suits(way));
        ranked
    }
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
        for way in Way::ALONG_DEPTH {
            for depth in (1..3000).step_by(7) {
                let Split { count, depth: piece } = way.split(size(40, 40, depth));
                assert!(piece.is_multiple_of(way.tile().depth));
                assert!((count - 1) * piece < depth && depth <= count * piece);
            }
        }
    }
}
