//! Kernels that work on a matrix row by row (`common/rows.wgsl`).

use bytemuck::{Pod, Zeroable};

use crate::Result;
use crate::cpu::params;
use crate::gpu::Kernel;
use crate::graph::{Grid, PlanBuilder, Tensor};

/// Threads of a workgroup: `WORKGROUP` in `common/linear.wgsl`.
const THREADS: usize = 256;

/// `Params` of `common/rows.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Rows {
    rows: u32,
    length: u32,
    width: u32,
}

impl Rows {
    /// Numbers of a row, from the bytes of the parameters.
    pub fn length(bytes: &[u8]) -> usize {
        params::<Rows>(bytes).length as usize
    }

    /// Adds a dispatch of `kernel` on the rows of `out`, `[rows, length]`.
    pub fn dispatch(
        kernel: &Kernel,
        reads: &[&Tensor],
        out: &Tensor,
        plan: &mut PlanBuilder<'_>,
    ) -> Result<()> {
        let [rows, length] = out.ty().shape.dims().expect("rank 2");
        let width = THREADS / length.next_power_of_two().min(THREADS);
        let params = Rows { rows: rows as u32, length: length as u32, width: width as u32 };
        plan.dispatch(kernel, params, reads, &[out], Grid::groups(rows.div_ceil(width)))
    }
}
