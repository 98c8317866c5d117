//! Sums over the rows of a matrix, column by column: an operator, and dispatches that other operators share.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::activation::activate;
use super::max_pool2d_winners::CLOSED;
use super::{Activation, expect};
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Tensor, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!(
    "column_sum",
    "common/linear.wgsl",
    "common/reduce.wgsl",
    "common/activation.wgsl",
    "common/pixels.wgsl",
    "common/winners.wgsl",
    "column_sum.wgsl"
);
const SUM: Kernel = SHADER.kernel("sum").params::<Params>().reads(2).writes(1).twin(sum::<f32>, sum::<f64>);
const SUM_OPEN: Kernel =
    SHADER.kernel("sum_open").params::<Params>().reads(2).writes(1).twin(sum_open::<f32>, sum_open::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[SUM, SUM_OPEN];

impl Graph {
    /// The sum over all axes but the last: `x` has shape `[…, columns]`, the result `[columns]`. It has no
    /// gradient.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has no axis, [`Error::Type`] if it does not hold floats.
    pub fn column_sum(&mut self, x: Var) -> Result<Var> {
        self.apply(ColumnSum::All, &[x])
    }
}

#[derive(Debug)]
pub(super) enum ColumnSum {
    /// Of x.
    All,
    /// Of x where its winners are not closed: the sum of the gradient before a max pooling and a ReLU, from that behind
    /// them.
    Open,
}

impl Operator for ColumnSum {
    fn name(&self) -> &'static str {
        "column_sum"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        match &inputs[0].shape[..] {
            [.., columns] => Ok(vec![TensorType::f32([*columns])]),
            [] => Err(Error::shape(self.name(), format!("x has no axis (x: {})", inputs[0].shape))),
        }
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        match self {
            ColumnSum::All => sum_columns(plan, x, y, 1.0, Ending::default()),
            ColumnSum::Open => sum_open_columns(plan, [x, io.input(1)], y),
        }
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].len() as u64
    }
}

/// `Columns` of `common/reduce.wgsl`, field for field: how a matrix is summed in chunks of its rows.
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
        /// Columns of a workgroup at most: 128 bytes of each row.
        const WIDEST: usize = 32;
        let width = channels.next_power_of_two().min(WIDEST);
        Columns { rows: rows as u32, channels: channels as u32, chunk: chunk as u32, width: width as u32 }
    }

    /// The first of two stages: few chunks, for [`finish`] to add; one if there are few rows.
    pub fn first_stage(rows: usize, channels: usize) -> Columns {
        /// Chunks are at least this long, where the rows allow.
        const SHORTEST: usize = 256;
        /// At most this many chunks.
        const MOST: usize = 512;
        Columns::of_chunks(rows, channels, rows.div_ceil(MOST).max(SHORTEST))
    }

    /// The same of a tensor whose axes but the last are rows.
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

    fn chunks(&self) -> usize {
        self.rows.div_ceil(self.chunk) as usize
    }

    /// The sums: `[chunks, channels]`.
    pub fn sums(&self) -> TensorType {
        TensorType::f32([self.chunks(), self.channels()])
    }

    /// A workgroup for each chunk and `width` columns.
    pub fn grid(&self) -> Grid {
        Grid::groups(self.chunks() * self.channels.div_ceil(self.width) as usize)
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

/// What follows a sum: a bias, repeated along the columns, and an activation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ending<'a> {
    pub bias: Option<&'a Tensor>,
    pub activation: Activation,
}

/// y = factor · the sums of the columns of x, as many as y has elements, and the ending.
pub(super) fn sum_columns(
    plan: &mut PlanBuilder<'_>,
    x: &Tensor,
    y: &Tensor,
    factor: f32,
    ending: Ending<'_>,
) -> Result<()> {
    let columns = Columns::first_stage(x.len() / y.len(), y.len());
    if columns.chunks() == 1 {
        return pass(plan, columns, x, y, factor, ending);
    }
    let sums = plan.scratch(columns.sums());
    sum_chunks(plan, columns, x, &sums, 1.0)?;
    pass(plan, all_of(&sums, y), &sums, y, factor, ending)
}

/// y = the sums of the columns of x where `winners` are not closed.
fn sum_open_columns(plan: &mut PlanBuilder<'_>, [x, winners]: [&Tensor; 2], y: &Tensor) -> Result<()> {
    let columns = Columns::first_stage_of(x.ty());
    let params = Params::of(columns, 1.0, Ending::default());
    if columns.chunks() == 1 {
        return plan.dispatch(&SUM_OPEN, params, &[x, winners], &[y], columns.grid());
    }
    let sums = plan.scratch(columns.sums());
    plan.dispatch(&SUM_OPEN, params, &[x, winners], &[&sums], columns.grid())?;
    finish(plan, &sums, y, 1.0)
}

/// y = factor · the sums of x by chunks of rows.
pub(super) fn sum_chunks(
    plan: &mut PlanBuilder<'_>,
    columns: Columns,
    x: &Tensor,
    y: &Tensor,
    factor: f32,
) -> Result<()> {
    pass(plan, columns, x, y, factor, Ending::default())
}

/// y = factor · the sum of the sums that a first stage left.
pub(super) fn finish(plan: &mut PlanBuilder<'_>, sums: &Tensor, y: &Tensor, factor: f32) -> Result<()> {
    sum_chunks(plan, all_of(sums, y), sums, y, factor)
}

/// All rows of x in one chunk, with a column for each element of y.
fn all_of(x: &Tensor, y: &Tensor) -> Columns {
    let rows = x.len() / y.len();
    Columns::of_chunks(rows, y.len(), rows)
}

fn pass(
    plan: &mut PlanBuilder<'_>,
    columns: Columns,
    x: &Tensor,
    y: &Tensor,
    factor: f32,
    ending: Ending<'_>,
) -> Result<()> {
    let params = Params::of(columns, factor, ending);
    plan.dispatch(&SUM, params, &[x, ending.bias.unwrap_or(x)], &[y], columns.grid())
}

fn sum<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, bias, y) = (slots.float(0), slots.float(1), slots.out());
    let (channels, factor) = (p.columns.channels(), T::of(p.factor.into()));
    p.columns.sum(y, |row, sums| {
        sums.iter_mut().zip(&x[row * channels..]).for_each(|(sum, &x)| *sum += x);
    });
    for (at, y) in y.iter_mut().enumerate() {
        let bias = if p.biased == 1 { bias[at % channels % p.bias_len as usize] } else { T::zero() };
        *y = activate(p.kind, p.slope, factor * *y + bias);
    }
}

fn sum_open<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, winners, channels) = (slots.float(0), slots.u8(1), p.columns.channels());
    let factor = T::of(p.factor.into());
    let y = slots.out();
    p.columns.sum(y, |row, sums| {
        let row = sums.iter_mut().zip(&x[row * channels..]).zip(&winners[row * channels..]);
        row.filter(|(_, winner)| **winner != CLOSED).for_each(|((sum, &x), _)| *sum += x);
    });
    y.iter_mut().for_each(|y| *y = factor * *y);
}

/// `Params` of `column_sum.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    columns: Columns,
    factor: f32,
    bias_len: u32,
    biased: u32,
    kind: u32,
    slope: f32,
}

impl Params {
    fn of(columns: Columns, factor: f32, ending: Ending<'_>) -> Params {
        Params {
            columns,
            factor,
            bias_len: ending.bias.map_or(1, |bias| bias.len() as u32),
            biased: ending.bias.is_some().into(),
            kind: ending.activation.kind(),
            slope: ending.activation.slope(),
        }
    }
}
