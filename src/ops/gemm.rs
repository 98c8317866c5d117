//! Products on a GPU: their kernels and dispatches. What is multiplied is the business of the operators on top of
//! `common/product.wgsl`; which kernel suits is that of `ways`.

use bytemuck::{NoUninit, Pod, Zeroable};
use rayon::prelude::*;

use super::Activation;
use super::cast;
use super::column_sum::{Ending, sum_columns};
use super::floats::Floats;
use super::ways::{Size, Split, Way};
use super::winograd::{Layer, Winograd};
use crate::Result;
use crate::gpu::{Kernel, Piece, Shader, piece};
use crate::graph::{Grid, PlanBuilder, Tensor};
use crate::tensor::{DType, TensorType};

/// The operator's side of a product: what `common/product.wgsl` asks of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    name: &'static str,
    /// Its own file, after declarations that it shares with others.
    pieces: [Option<Piece>; 2],
    /// Size of its `Params`.
    params: usize,
    along_rows: bool,
    /// Its factors may be as small as gradients are.
    any_size: bool,
    end: End,
}

/// What becomes of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// They get a bias and an activation; four rows may be pooled.
    Activated,
    /// The same, always pooled, and the winners are kept. Rows have a multiple of four elements.
    Winners,
    /// They are stored: the gradient of a convolution.
    Gradient,
    /// The same, where a max pooling and a ReLU route dy while it is loaded. Its rows have a multiple of four elements.
    Routed,
}

/// Tells a module that dy is routed: `common/routed.wgsl`.
pub(super) const ROUTED: &[(&str, f64)] = &[("ROUTED", 1.0)];

/// Elements that are loaded and stored at once: four where rows have a multiple of four.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    One,
    Four,
}

impl Width {
    /// For rows of this length.
    pub fn of(length: usize) -> Width {
        if length.is_multiple_of(4) { Width::Four } else { Width::One }
    }
}

impl Family {
    /// Of an operator's own file with parameters `P`, which loads a along the depth.
    pub const fn new<P>(name: &'static str, own: Piece) -> Family {
        let pieces = [None, Some(own)];
        let (along_rows, any_size, end) = (false, false, End::Activated);
        Family { name, pieces, params: size_of::<P>(), along_rows, any_size, end }
    }

    /// With declarations that it shares with other operators.
    pub const fn with(self, common: Piece) -> Family {
        Family { pieces: [Some(common), self.pieces[1]], ..self }
    }

    /// Of factors that may be too small or too large for `f16`, such as gradients.
    pub const fn any_size(self) -> Family {
        Family { any_size: true, ..self }
    }

    /// It loads a along its rows instead, and its factors have any size.
    pub const fn along_rows(self) -> Family {
        Family { along_rows: true, any_size: true, ..self }
    }

    /// With sums that end so.
    pub const fn ending(self, end: End) -> Family {
        Family { end, ..self }
    }

    /// How it can be computed; the first way is the plain one.
    pub const fn ways(&self) -> &'static [Way] {
        match (self.along_rows, self.any_size) {
            (true, _) => Way::ALONG_ROWS,
            (false, true) => Way::ANY_SIZE,
            (false, false) => Way::ALL,
        }
    }

    /// What runs without a GPU, for the operator to give its twins to.
    pub const fn plain(&self) -> Kernel {
        self.kernel(Way::Tile32, Width::One, Width::One, Floats::Float).without_variant()
    }

    /// How many kernels it has for one kind of floats.
    pub const fn count(&self) -> usize {
        self.ways().len() * 4
    }

    /// All its kernels for such floats, [`Family::count`] of them.
    pub const fn kernels<const COUNT: usize>(&self, floats: Floats) -> [Kernel; COUNT] {
        let mut all = [self.plain(); COUNT];
        let mut at = 0;
        while at < COUNT {
            let left = if at / 2 % 2 == 1 { Width::Four } else { Width::One };
            let right = if at % 2 == 1 { Width::Four } else { Width::One };
            all[at] = self.kernel(self.ways()[at / 4], left, right, floats);
            at += 1;
        }
        all
    }

    const fn kernel(&self, way: Way, left: Width, right: Width, floats: Floats) -> Kernel {
        let mut shader = Shader::new(self.name);
        // What a module enables stands before all that it declares.
        if way.matrices().is_some() {
            shader = shader.and(piece!("common/enable_matrix.wgsl"));
        }
        shader = shader.and(floats.piece());
        if way.matrices().is_some() {
            shader = shader.and(match self.along_rows {
                true => piece!("common/matrix_rows.wgsl"),
                false => piece!("common/matrix_depth.wgsl"),
            });
        }
        shader = shader
            .and(piece!("common/linear.wgsl"))
            .and(piece!("common/activation.wgsl"))
            .and(piece!("common/product.wgsl"))
            .and(match left {
                Width::One => piece!("common/left_1.wgsl"),
                Width::Four => piece!("common/left_4.wgsl"),
            })
            .and(match right {
                Width::One => piece!("common/right_1.wgsl"),
                Width::Four => piece!("common/right_4.wgsl"),
            })
            .and(piece!("common/winners.wgsl"));
        shader = match (self.end, right) {
            (End::Activated, Width::One) => shader.and(piece!("common/end_1.wgsl")),
            (End::Activated, Width::Four) => {
                shader.and(piece!("common/bias_4.wgsl")).and(piece!("common/end_4.wgsl"))
            }
            (End::Winners, _) => {
                shader.and(piece!("common/bias_4.wgsl")).and(piece!("common/end_winners_4.wgsl"))
            }
            (End::Gradient | End::Routed, Width::One) => {
                shader.and(piece!("common/routed.wgsl")).and(piece!("common/end_gradient_1.wgsl"))
            }
            (End::Gradient | End::Routed, Width::Four) => {
                shader.and(piece!("common/routed.wgsl")).and(piece!("common/end_gradient_4.wgsl"))
            }
        };
        shader = shader.and(match way {
            Way::Narrow => piece!("common/gemm_narrow.wgsl"),
            Way::Subgroup if self.along_rows => piece!("common/gemm_subgroup_rows.wgsl"),
            Way::Subgroup => piece!("common/gemm_subgroup.wgsl"),
            Way::Matrix16 | Way::Matrix8 | Way::Matrix8F32 => piece!("common/gemm_matrix.wgsl"),
            _ if self.along_rows => piece!("common/gemm_rows.wgsl"),
            _ => piece!("common/gemm.wgsl"),
        });
        if let Some(tile) = way.tile_piece() {
            shader = shader.and(tile);
        }
        if let Some(common) = self.pieces[0] {
            shader = shader.and(common);
        }
        if let Some(own) = self.pieces[1] {
            shader = shader.and(own);
        }
        let kernel = shader.kernel("product").reads(3).sized(self.params).variant(way.name());
        let kernel = match self.end {
            End::Activated | End::Gradient => kernel.writes(1),
            End::Winners => kernel.writes(2),
            End::Routed => kernel.writes(1).constants(ROUTED),
        };
        let kernel = floats.mark(kernel);
        match way {
            Way::Subgroup => kernel.subgroups(),
            _ if way.matrices().is_some() => kernel.matrices(),
            _ => kernel,
        }
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
    pub pooled: u32,
}

impl Product {
    /// Of a product whose depth is computed in pieces of `split_depth`.
    pub fn new(size: Size, split_depth: usize, ending: Ending<'_>) -> Product {
        Product {
            rows: size.rows as u32,
            columns: size.columns as u32,
            depth: size.depth as u32,
            split_depth: split_depth as u32,
            biased: ending.bias.is_some().into(),
            kind: ending.activation.kind(),
            slope: ending.activation.slope(),
            pooled: 0,
        }
    }

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

/// A product to dispatch. Its bias, where it has one, is that of the ending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    pub family: &'a Family,
    /// The family's plain kernel, with its twins: what runs without a GPU.
    pub plain: &'a Kernel,
    pub size: Size,
    pub left: (&'a Tensor, Width),
    pub right: (&'a Tensor, Width),
    pub y: &'a Tensor,
    pub ending: Ending<'a>,
    /// Whether four rows in turn are one of y, their maximum. Then the depth is not split.
    pub pooled: bool,
    /// Of that pooling, where the family keeps them; of dy, where it is routed.
    pub winners: Option<&'a Tensor>,
}

impl Call<'_> {
    /// Adds the dispatches, computed the `way` that was chosen, or by the plain kernel without a GPU; `params`
    /// completes the kernel's parameters.
    pub fn dispatch<P: NoUninit>(
        self,
        plan: &mut PlanBuilder<'_>,
        way: Option<Way>,
        params: impl FnOnce(Product) -> P,
    ) -> Result<()> {
        let size = self.size;
        let whole = Split { count: 1, depth: size.depth };
        let Some(way) = way else { return self.pass(plan, self.plain, whole, 1, params) };
        let split = if self.pooled { whole } else { way.split(size) };
        let groups = way.groups(size) * split.count;
        if split.count == 1 {
            return self.pass(plan, &self.kernel(way), split, groups, params);
        }
        let partial = plan.scratch(TensorType::f32([split.count, size.rows * size.columns]));
        let pieces = Call { y: &partial, ending: Ending::default(), ..self };
        pieces.pass(plan, &pieces.kernel(way), split, groups, params)?;
        if self.y.ty().dtype == DType::F32 {
            return sum_columns(plan, &partial, self.y, 1.0, self.ending);
        }
        let sums = plan.scratch(TensorType::f32(&self.y.ty().shape));
        sum_columns(plan, &partial, &sums, 1.0, self.ending)?;
        cast::dispatch(plan, &sums, self.y)
    }

    fn kernel(&self, way: Way) -> Kernel {
        let floats = Floats::of(self.left.0.ty(), self.y.ty());
        self.family.kernel(way, self.left.1, self.right.1, floats)
    }

    /// Adds the dispatch of pieces of the depth that are products of their own. The way divides their depth.
    pub fn dispatch_pieces<P: NoUninit>(
        self,
        plan: &mut PlanBuilder<'_>,
        way: Way,
        pieces: Split,
        params: impl FnOnce(Product) -> P,
    ) -> Result<()> {
        let groups = way.groups(self.size) * pieces.count;
        self.pass(plan, &self.kernel(way), pieces, groups, params)
    }

    fn pass<P: NoUninit>(
        self,
        plan: &mut PlanBuilder<'_>,
        kernel: &Kernel,
        split: Split,
        groups: usize,
        params: impl FnOnce(Product) -> P,
    ) -> Result<()> {
        let Call { size, left: (left, _), right: (right, _), y, ending, .. } = self;
        let product = Product { pooled: self.pooled.into(), ..Product::new(size, split.depth, ending) };
        let params = params(product);
        let grid = Grid::groups(groups);
        match (self.family.end, self.winners) {
            (End::Winners, Some(winners)) => {
                let reads = [left, right, ending.bias.unwrap_or(right)];
                plan.dispatch(kernel, params, &reads, &[y, winners], grid)
            }
            (_, winners) => {
                let reads = [left, right, winners.or(ending.bias).unwrap_or(right)];
                plan.dispatch(kernel, params, &reads, &[y], grid)
            }
        }
    }
}

/// What was chosen for a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chosen<'a> {
    Product(Way),
    Winograd(Winograd, &'a Layer),
}

/// How the plan's GPU computes a product of `operator`: by preference, by measurement, by the table. `None` without a
/// GPU.
pub(super) fn choose_way(
    plan: &mut PlanBuilder<'_>,
    operator: &str,
    family: &Family,
    size: Size,
) -> Option<Way> {
    choose(plan, operator, family, size, None).map(|chosen| match chosen {
        Chosen::Product(way) => way,
        Chosen::Winograd(..) => unreachable!("no layer was given"),
    })
}

/// The same for a convolution, which may also be computed by Winograd's method if it is such a `layer`.
pub(super) fn choose<'a>(
    plan: &mut PlanBuilder<'_>,
    operator: &str,
    family: &Family,
    size: Size,
    layer: Option<&'a Layer>,
) -> Option<Chosen<'a>> {
    let gpu = plan.device().gpu()?;
    let ways = Way::ranked(family.ways(), plan.device(), size);
    let mut names: Vec<&'static str> = ways.iter().map(|way| way.name()).collect();
    if let Some(layer) = layer {
        let at = match ways[0] {
            // Its units are many times as fast as those that Winograd's method spares.
            Way::Matrix16 => 1,
            _ if Winograd::suits(gpu, layer) => 0,
            _ => names.len(),
        };
        names.splice(at..at, Winograd::candidates(plan.device(), layer));
    }
    let mut problem = size.problem(operator);
    // What is the fastest among all need not be so among fewer.
    if ways.iter().any(|way| way.matrices().is_some()) {
        problem += ", tensor cores";
    }
    if layer.is_some_and(|layer| layer.keeps_zeros) {
        problem += ", in training";
    }
    let taken = plan.choose(&problem, &names);
    match (Winograd::named(taken), layer) {
        (Some(winograd), Some(layer)) => Some(Chosen::Winograd(winograd, layer)),
        _ => Way::named(taken).map(Chosen::Product),
    }
}
