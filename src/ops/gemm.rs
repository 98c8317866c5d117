//! Products on a GPU: the choice of a tile, and how the depth is split where there are few tiles. What is
//! multiplied is the business of the operators on top of `common/gemm.wgsl`.

use bytemuck::{NoUninit, Pod, Zeroable};
use rayon::prelude::*;

use super::Activation;
use super::column_sum::{Ending, sum_columns};
use crate::Result;
use crate::gpu::Kernel;
use crate::graph::{Grid, PlanBuilder, Tensor};
use crate::tensor::TensorType;

/// A product's kernel with each tile of `common/gemm.wgsl`.
pub(super) struct Tiled {
    /// With `tile_32.wgsl`. The only one with a twin, as it alone runs on the CPU.
    pub tile_32: Kernel,
    /// With `tile_64.wgsl`, for large GPUs.
    pub tile_64: Kernel,
}

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
}

/// The first fields of every product's `Params`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Product {
    pub rows: u32,
    pub columns: u32,
    pub depth: u32,
    pub split_depth: u32,
    pub biased: u32,
    pub kind: u32,
    pub slope: f32,
}

impl Product {
    /// Adds the bias and applies the activation to a finished row of sums, as `store` does.
    pub fn end_row(&self, sums: &mut [f32], bias: &[f32]) {
        if self.biased == 1 {
            sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
        }
        if self.kind != Activation::Linear.kind() {
            sums.iter_mut().for_each(|sum| *sum = super::activation::activate(self.kind, self.slope, *sum));
        }
    }
}

/// y = the sum of the partial products, each as long as `y`, in their order.
pub(super) fn add_up(y: &mut [f32], partial: &[f32]) {
    const PIECE: usize = 4096;
    let len = y.len();
    y.par_chunks_mut(PIECE).enumerate().for_each(|(index, y)| {
        y.fill(0.0);
        for partial in partial.chunks(len) {
            y.iter_mut().zip(&partial[index * PIECE..]).for_each(|(y, partial)| *y += partial);
        }
    });
}

/// Adds the dispatches of a product that writes `y`; `params` completes the kernel's parameters. A kernel with an
/// ending reads its bias last; one without is given [`Ending::default`].
pub(super) fn dispatch<P: NoUninit>(
    plan: &mut PlanBuilder<'_>,
    kernels: &Tiled,
    size: Size,
    reads: &[&Tensor],
    y: &Tensor,
    ending: Ending<'_>,
    params: impl FnOnce(Product) -> P,
) -> Result<()> {
    let large = plan.device().is_large_gpu();
    let (kernel, tile) = if large { (&kernels.tile_64, LARGE) } else { (&kernels.tile_32, SMALL) };
    // A split is a variant for GPUs; the twins compute the whole depth.
    let split = match plan.device().gpu() {
        Some(_) => tile.split(size),
        None => Split { count: 1, depth: size.depth },
    };
    let groups = Grid::groups(tile.count(size) * split.count);
    let product = |ending: Ending<'_>| Product {
        rows: size.rows as u32,
        columns: size.columns as u32,
        depth: size.depth as u32,
        split_depth: split.depth as u32,
        biased: ending.bias.is_some().into(),
        kind: ending.activation.kind(),
        slope: ending.activation.slope(),
    };
    if split.count == 1 {
        return plan.dispatch(kernel, params(product(ending)), reads, &[y], groups);
    }
    let len = size.rows * size.columns;
    let partial = plan.scratch(TensorType::f32([split.count, len]));
    plan.dispatch(kernel, params(product(Ending::default())), reads, &[&partial], groups)?;
    sum_columns(plan, &partial, y, 1.0, ending)
}

/// A tile of `common/gemm.wgsl`: `TILE` and `TILE_DEPTH` of its file.
#[derive(Clone, Copy)]
struct Tile {
    side: usize,
    depth: usize,
}

const SMALL: Tile = Tile { side: 32, depth: 32 };
const LARGE: Tile = Tile { side: 64, depth: 16 };

/// Pieces that the depth is cut into.
#[derive(Debug, PartialEq)]
struct Split {
    count: usize,
    depth: usize,
}

/// Workgroups that keep a GPU busy: two for each of 128 compute units, as wgpu does not tell how many there are.
const BUSY: usize = 256;
/// Depth below which a piece would spend more on its partial sums than on its products.
const SHORTEST: usize = 128;

impl Tile {
    /// Tiles that cover the result.
    fn count(self, size: Size) -> usize {
        size.rows.div_ceil(self.side) * size.columns.div_ceil(self.side)
    }

    /// Splits the depth where there are fewer tiles than keep a GPU busy. The partial sums fill at most [`BUSY`]
    /// tiles, 4 MiB, so no binding grows too large.
    fn split(self, size: Size) -> Split {
        let wanted = (BUSY / self.count(size)).min(size.depth / SHORTEST).max(1);
        let depth = size.depth.div_ceil(wanted).next_multiple_of(self.depth);
        Split { count: size.depth.div_ceil(depth), depth }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_split_only_where_tiles_are_few() {
        let size = |rows, columns, depth| Size { rows, columns, depth };
        assert_eq!(SMALL.split(size(4096, 64, 4096)), Split { count: 1, depth: 4096 });
        assert_eq!(SMALL.split(size(27, 16, 100)), Split { count: 1, depth: 128 });
        assert_eq!(SMALL.split(size(27, 16, 802_816)), Split { count: 256, depth: 3136 });
        for tile in [SMALL, LARGE] {
            for depth in (1..3000).step_by(7) {
                let Split { count, depth: piece } = tile.split(size(40, 40, depth));
                assert!(
                    piece.is_multiple_of(tile.depth) && (count - 1) * piece < depth && depth <= count * piece
                );
            }
        }
    }
}
