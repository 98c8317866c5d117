//! Swaps the inner axes of a tensor on a GPU, for kernels that read a weight along the other one.

use bytemuck::{Pod, Zeroable};

use crate::Result;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Grid, PlanBuilder, Tensor};

const SHADER: Shader = shader!("swap", "common/linear.wgsl", "swap.wgsl");
const SWAP: Kernel = SHADER.kernel("swap").params::<Params>().reads(1).writes(1);
pub(crate) const KERNELS: &[Kernel] = &[SWAP];

/// y\[n, j, i\] = x\[n, i, j\]; y has three axes.
pub(super) fn swap(plan: &mut PlanBuilder<'_>, x: &Tensor, y: &Tensor) -> Result<()> {
    let [batch, columns, rows] = y.ty().shape.dims().expect("y has three axes");
    let params = Params { batch: batch as u32, rows: rows as u32, columns: columns as u32 };
    plan.dispatch(&SWAP, params, &[x], &[y], Grid::linear(y.len()))
}

/// `Params` of `swap.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    batch: u32,
    rows: u32,
    columns: u32,
}
