//! Sums over the rows of a matrix, column by column: dispatches that operators share, not an operator.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::Result;
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Grid, PlanBuilder, Tensor};
use crate::tensor::TensorType;

const SHADER: Shader = shader!("chunk_sum", "common/linear.wgsl", "common/reduce.wgsl", "chunk_sum.wgsl");
const SUM: Kernel = SHADER.kernel("sum").params::<Params>().reads(1).writes(1).twin(sum::<f32>, sum::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[SUM];

/// Chunks are at least this long, where the rows allow.
const SHORTEST: usize = 256;
/// At most this many chunks.
const MOST: usize = 512;
/// Columns of a workgroup at most: 128 bytes of each row.
const WIDEST: usize = 32;

/// `Columns` of `common/reduce.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Columns {
    rows: u32,
    channels: u32,
    chunk: u32,
    width: u32,
}

impl Columns {
    /// Sums of `chunk` rows each, of a matrix `[rows, channels]`.
    pub fn of_chunks(rows: usize, channels: usize, chunk: usize) -> Columns {
        let width = channels.next_power_of_two().min(WIDEST);
        Columns { rows: rows as u32, channels: channels as u32, chunk: chunk as u32, width: width as u32 }
    }

    /// The first of two stages: few chunks, for [`finish`] to add.
    pub fn first_stage(rows: usize, channels: usize) -> Columns {
        Columns::of_chunks(rows, channels, rows.div_ceil(MOST).max(SHORTEST))
    }

    /// The matrix whose columns are summed: all axes but the last are rows.
    pub fn first_stage_of(x: &TensorType) -> Columns {
        let channels = x.shape.last().copied().unwrap_or(1);
        Columns::first_stage(x.len() / channels, channels)
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Columns of the matrix.
    pub fn channels(&self) -> usize {
        self.channels as usize
    }

    /// The sums: `[chunks, channels]`.
    pub fn sums(&self) -> TensorType {
        TensorType::f32([self.rows.div_ceil(self.chunk) as usize, self.channels()])
    }

    /// A workgroup for each chunk and `width` columns.
    pub fn grid(&self) -> Grid {
        Grid::groups((self.rows.div_ceil(self.chunk) * self.channels.div_ceil(self.width)) as usize)
    }

    /// The twins' side: `add` adds a row to the sums of its chunk.
    pub fn sum<T: Float>(&self, sums: &mut [T], add: impl Fn(usize, &mut [T]) + Sync) {
        let chunk = self.chunk as usize;
        sums.par_chunks_mut(self.channels()).enumerate().for_each(|(k, sums)| {
            sums.fill(T::zero());
            (k * chunk..((k + 1) * chunk).min(self.rows())).for_each(|row| add(row, sums));
        });
    }
}

/// y = factor · the sums of x by chunks of rows.
pub(super) fn sum_chunks(
    plan: &mut PlanBuilder<'_>,
    columns: Columns,
    x: &Tensor,
    y: &Tensor,
    factor: f32,
) -> Result<()> {
    plan.dispatch(&SUM, Params { columns, factor }, &[x], &[y], columns.grid())
}

/// y = factor · the sum of the sums that a first stage left.
pub(super) fn finish(plan: &mut PlanBuilder<'_>, sums: &Tensor, y: &Tensor, factor: f32) -> Result<()> {
    let chunks = sums.len() / y.len();
    sum_chunks(plan, Columns::of_chunks(chunks, y.len(), chunks), sums, y, factor)
}

fn sum<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let Params { columns, factor } = params(bytes);
    let (x, channels, factor) = (slots.float(0), columns.channels(), T::of(factor.into()));
    let y = slots.out();
    columns.sum(y, |row, sums| {
        sums.iter_mut().zip(&x[row * channels..]).for_each(|(sum, &x)| *sum += x);
    });
    y.iter_mut().for_each(|y| *y *= factor);
}

/// `Params` of `chunk_sum.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    columns: Columns,
    factor: f32,
}
