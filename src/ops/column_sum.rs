//! The sum over all axes but the last: the gradient of a bias, and the end of a product whose depth was split.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::Activation;
use super::activation::activate;
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Tensor, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

const SHADER: Shader =
    shader!("column_sum", "common/linear.wgsl", "common/activation.wgsl", "column_sum.wgsl");
const SUM: Kernel = SHADER.kernel("sum").params::<Params>().reads(2).writes(1).twin(sum::<f32>, sum::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[SUM];

/// `WIDTH` and `HEIGHT` in `column_sum.wgsl`: columns of a workgroup, threads that share one.
const WIDTH: usize = 16;
const HEIGHT: usize = 16;

impl Graph {
    /// The sum over all axes but the last: `x` has shape `[…, columns]`, the result `[columns]`. It has no
    /// gradient.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has no axis, [`Error::Type`] if it does not hold floats.
    pub fn column_sum(&mut self, x: Var) -> Result<Var> {
        self.apply(ColumnSum, &[x])
    }
}

#[derive(Debug)]
struct ColumnSum;

impl Operator for ColumnSum {
    fn name(&self) -> &'static str {
        "column_sum"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        match &inputs[0].shape[..] {
            [.., columns] => Ok(vec![TensorType::f32([*columns])]),
            [] => Err(Error::shape(self.name(), format!("x has no axis (x: {})", inputs[0].shape))),
        }
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        dispatch(plan, x, [x.len() / y.len(), y.len()], y, Ending::default())
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].len() as u64
    }
}

/// What follows a sum: a bias, repeated along the columns, and an activation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ending<'a> {
    pub bias: Option<&'a Tensor>,
    pub activation: Activation,
}

/// Adds the dispatches that write the sum of each column of `x`, seen as `[rows, columns]`, to `y`.
pub(super) fn dispatch(
    plan: &mut PlanBuilder<'_>,
    x: &Tensor,
    [rows, columns]: [usize; 2],
    y: &Tensor,
    ending: Ending<'_>,
) -> Result<()> {
    let piece = piece(rows, columns);
    let pieces = rows.div_ceil(piece);
    if pieces == 1 {
        return pass(plan, x, [rows, columns], rows, y, ending);
    }
    let partial = plan.scratch(TensorType::f32([pieces, columns]));
    pass(plan, x, [rows, columns], piece, &partial, Ending::default())?;
    pass(plan, &partial, [pieces, columns], pieces, y, ending)
}

/// Rows of a piece: all, if one pass over the column is short or the columns alone keep a GPU busy, else so many
/// that a thread has about as much to do in the first pass as in the second.
fn piece(rows: usize, columns: usize) -> usize {
    const SHORT: usize = 32 * HEIGHT;
    const BUSY: usize = 256;
    if rows <= SHORT || columns.div_ceil(WIDTH) >= BUSY {
        return rows;
    }
    rows.isqrt().next_multiple_of(HEIGHT)
}

fn pass(
    plan: &mut PlanBuilder<'_>,
    x: &Tensor,
    [rows, columns]: [usize; 2],
    piece: usize,
    y: &Tensor,
    ending: Ending<'_>,
) -> Result<()> {
    let params = Params {
        rows: rows as u32,
        columns: columns as u32,
        piece: piece as u32,
        bias_len: ending.bias.map_or(1, |bias| bias.len() as u32),
        biased: ending.bias.is_some().into(),
        kind: ending.activation.kind(),
        slope: ending.activation.slope(),
    };
    let groups = rows.div_ceil(piece) * columns.div_ceil(WIDTH);
    plan.dispatch(&SUM, params, &[x, ending.bias.unwrap_or(x)], &[y], Grid::groups(groups))
}

fn sum<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, bias) = (slots.float(0), slots.float(1));
    let (columns, piece) = (p.columns as usize, p.piece as usize);
    let pieces = x.par_chunks(piece * columns);
    slots.out().par_chunks_mut(columns).zip(pieces).for_each(|(y, piece)| {
        y.fill(T::zero());
        for row in piece.chunks(columns) {
            y.iter_mut().zip(row).for_each(|(y, &x)| *y += x);
        }
        for (column, y) in y.iter_mut().enumerate() {
            let bias = if p.biased == 1 { bias[column % p.bias_len as usize] } else { T::zero() };
            *y = activate(p.kind, p.slope, *y + bias);
        }
    });
}

/// `Params` of `column_sum.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    rows: u32,
    columns: u32,
    piece: u32,
    bias_len: u32,
    biased: u32,
    kind: u32,
    slope: f32,
}
