//! The product of two matrices, either of which may be read transposed.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::activation::activate;
use super::column_sum::Ending;
use super::floats::{self, Floats};
use super::gemm::{self, Call, Family, Product, Width};
use super::ways::{Size, Split, Way};
use crate::cpu::{Float, Matrix, Slots, params, product};
use crate::error::expect_rank;
use crate::gpu::{Kernel, piece};
use crate::graph::{Gradients, Graph, Io, Node, Operator, PlanBuilder, Tensor, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

/// Of a dense layer's input and weight.
const LAYER: Family = Family::new::<Params>("matmul", piece!("matmul.wgsl"));
const PRODUCT: Family = LAYER.any_size();
/// Where a is given transposed.
const TURNED: Family = PRODUCT.along_rows();
const PLAIN: Kernel = PRODUCT.plain().twin(multiply::<f32>, multiply::<f64>).fast(multiply_fast);
pub(crate) const KERNELS: &[Kernel] = &LAYER.kernels::<{ LAYER.count() }>(Floats::Float);
/// For dense layers.
pub(crate) const HALF_IN_KERNELS: &[Kernel] = &LAYER.kernels::<{ LAYER.count() }>(Floats::HalfIn);
pub(crate) const TURNED_KERNELS: &[Kernel] = &TURNED.kernels::<{ TURNED.count() }>(Floats::Float);

/// Which factors of a product are transposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transpose {
    /// The first is given as `[depth, rows]`.
    pub a: bool,
    /// The second is given as `[columns, depth]`.
    pub b: bool,
}

impl Graph {
    /// The product of the matrices `a`, of shape `[rows, depth]`, and `b`, `[depth, columns]`, or of their
    /// transposes. The result has shape `[rows, columns]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if one is no matrix or the depths differ, [`Error::Type`] if one does not hold floats.
    pub fn matmul(&mut self, a: Var, b: Var, transpose: Transpose) -> Result<Var> {
        self.apply(Matmul(transpose), &[a, b])
    }
}

#[derive(Debug)]
struct Matmul(Transpose);

impl Matmul {
    fn size(&self, a: &TensorType, b: &TensorType) -> Result<Size> {
        let op = self.name();
        expect_rank(op, "a", &a.shape, 2)?;
        expect_rank(op, "b", &b.shape, 2)?;
        let turned =
            |shape: &[usize], turn: bool| if turn { [shape[1], shape[0]] } else { [shape[0], shape[1]] };
        let [rows, depth] = turned(&a.shape, self.0.a);
        let [found, columns] = turned(&b.shape, self.0.b);
        if depth != found {
            let problem = format!(
                "a has depth {depth} but b has {found} (a: {}, b: {}, {:?})",
                a.shape, b.shape, self.0
            );
            return Err(Error::shape(op, problem));
        }
        Ok(Size { rows, columns, depth })
    }
}

impl Operator for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        super::expect_floats(self.name(), inputs)?;
        let Size { rows, columns, .. } = self.size(&inputs[0], &inputs[1])?;
        Ok(vec![TensorType::f32([rows, columns])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (a, b) = (io.input(0), io.input(1));
        let size = self.size(a.ty(), b.ty())?;
        dispatch(plan, call(size, [a, b], self.0, io.output(0)), self.0)
    }

    /// With Y = A·B: dA = dY·Bᵀ and dB = Aᵀ·dY; where A or B is given transposed, so is its gradient.
    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (a, b, dy) = (node.input(0), node.input(1), dy[0].expect("one output"));
        let Transpose { a: ta, b: tb } = self.0;
        let da = match ta {
            false => graph.matmul(dy, b, Transpose { a: false, b: !tb })?,
            true => graph.matmul(b, dy, Transpose { a: tb, b: true })?,
        };
        let db = match tb {
            false => graph.matmul(a, dy, Transpose { a: !ta, b: false })?,
            true => graph.matmul(dy, a, Transpose { a: true, b: ta })?,
        };
        Ok(vec![Some(da), Some(db)])
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        self.size(&inputs[0], &inputs[1]).map_or(0, Size::flops)
    }
}

/// Adds the dispatches of a layer: the product of its input and its weight, with an ending.
pub(super) fn layer(
    plan: &mut PlanBuilder<'_>,
    size: Size,
    factors: [&Tensor; 2],
    y: &Tensor,
    ending: Ending<'_>,
) -> Result<()> {
    let transpose = Transpose::default();
    let call = Call { family: &LAYER, ending, ..call(size, factors, transpose, y) };
    dispatch(plan, call, transpose)
}

fn dispatch(plan: &mut PlanBuilder<'_>, call: Call<'_>, transpose: Transpose) -> Result<()> {
    let size = call.size;
    let way = gemm::choose_way(plan, &floats::problem("matmul", call.left.0.ty()), call.family, size);
    call.dispatch(plan, way, |product| Params::new(product, size, transpose))
}

/// Adds the dispatch, on a GPU, of the products that pieces of the depth are, one below the other in y. Their depth is a
/// multiple of 8.
pub(super) fn pieces(
    plan: &mut PlanBuilder<'_>,
    size: Size,
    factors: [&Tensor; 2],
    transpose: Transpose,
    y: &Tensor,
    pieces: Split,
) -> Result<()> {
    let call = call(size, factors, transpose, y);
    let way = Way::for_pieces(call.family.ways(), plan.device(), size, pieces);
    call.dispatch_pieces(plan, way, pieces, |product| Params::new(product, size, transpose))
}

fn call<'a>(size: Size, [a, b]: [&'a Tensor; 2], transpose: Transpose, y: &'a Tensor) -> Call<'a> {
    let (family, width) = match transpose.a {
        false => (&PRODUCT, Width::of(size.depth)),
        true => (&TURNED, Width::of(size.rows)),
    };
    Call {
        family,
        plain: &PLAIN,
        size,
        left: (a, width),
        right: (b, Width::of(size.columns)),
        y,
        ending: Ending::default(),
        pooled: false,
        winners: None,
    }
}

fn multiply<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (a, b, bias) = (slots.float(0), slots.float(1), slots.float(2));
    let Size { rows: _, columns, depth } = p.size();
    let at_a = |i: usize, k: usize| a[i * p.a_row_stride as usize + k * p.a_depth_stride as usize];
    let at_b = |k: usize, j: usize| b[k * p.b_depth_stride as usize + j * p.b_column_stride as usize];
    slots.out().par_chunks_mut(columns).enumerate().for_each(|(i, y)| {
        for (j, y) in y.iter_mut().enumerate() {
            let sum: T = (0..depth).map(|k| at_a(i, k) * at_b(k, j)).sum();
            let bias = if p.product.biased == 1 { bias[j] } else { T::zero() };
            *y = activate(p.product.kind, p.product.slope, sum + bias);
        }
    });
}

/// Cuts the longest axis into pieces that the shape alone determines: the same numbers with any number of threads.
fn multiply_fast(bytes: &[u8], slots: &mut Slots<'_, f32>) {
    let p: Params = params(bytes);
    let (bias, size) = (slots.float(2), p.size());
    let a = Matrix { data: slots.float(0), row: p.a_row_stride as usize, column: p.a_depth_stride as usize };
    let b =
        Matrix { data: slots.float(1), row: p.b_depth_stride as usize, column: p.b_column_stride as usize };
    let y = slots.out();
    let Size { rows, columns, depth } = size;
    if rows >= WIDE {
        by_rows(y, a, b, size);
    } else if columns >= WIDE {
        // Columns of y do not lie side by side in memory, rows of its transpose do: yᵀ = bᵀ·aᵀ.
        let mut turned = vec![0.0; rows * columns];
        by_rows(&mut turned, b.transposed(), a.transposed(), Size { rows: columns, columns: rows, depth });
        y.par_chunks_mut(columns).enumerate().for_each(|(i, y)| {
            y.iter_mut().zip(turned[i..].iter().step_by(rows)).for_each(|(y, &sum)| *y = sum);
        });
    } else {
        by_depth(y, a, b, size);
    }
    y.chunks_mut(columns).for_each(|row| p.product.end_row(row, bias));
}

/// Rows or columns from which they are cut.
const WIDE: usize = 256;
/// Pieces that an axis is cut into: enough for a machine with many cores.
const PIECES: usize = 64;
/// Rows and depth of the smallest piece.
const SHORTEST_ROWS: usize = 64;
const SHORTEST_DEPTH: usize = 1024;

fn by_rows(y: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, Size { rows, columns, depth }: Size) {
    let piece = rows.div_ceil(PIECES).max(SHORTEST_ROWS);
    y.par_chunks_mut(piece * columns).enumerate().for_each(|(index, y)| {
        let a = Matrix { data: &a.data[index * piece * a.row..], ..a };
        product(y, false, a, b, [y.len() / columns, columns, depth]);
    });
}

/// Adds the pieces' partial products in order.
fn by_depth(y: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, Size { rows, columns, depth }: Size) {
    let piece = depth.div_ceil(PIECES).max(SHORTEST_DEPTH);
    let mut partial = vec![0.0; depth.div_ceil(piece) * y.len()];
    partial.par_chunks_mut(y.len()).enumerate().for_each(|(index, partial)| {
        let first = index * piece;
        let a = Matrix { data: &a.data[first * a.column..], ..a };
        let b = Matrix { data: &b.data[first * b.row..], ..b };
        product(partial, false, a, b, [rows, columns, piece.min(depth - first)]);
    });
    super::gemm::add_up(y, &partial);
}

/// `Params` of `matmul.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    product: Product,
    a_row_stride: u32,
    a_depth_stride: u32,
    b_depth_stride: u32,
    b_column_stride: u32,
}

impl Params {
    fn new(product: Product, Size { rows, columns, depth }: Size, transpose: Transpose) -> Params {
        let [a_row_stride, a_depth_stride] = if transpose.a { [1, rows] } else { [depth, 1] };
        let [b_depth_stride, b_column_stride] = if transpose.b { [1, depth] } else { [columns, 1] };
        Params {
            product,
            a_row_stride: a_row_stride as u32,
            a_depth_stride: a_depth_stride as u32,
            b_depth_stride: b_depth_stride as u32,
            b_column_stride: b_column_stride as u32,
        }
    }

    fn size(&self) -> Size {
        let Product { rows, columns, depth, .. } = self.product;
        Size { rows: rows as usize, columns: columns as usize, depth: depth as usize }
    }
}
