//! Proof that a kernel is right: its twin in `f64` against central differences, then every device against the
//! twin, with outputs poisoned and guard words behind them. And damaged files, for what reads them.

pub mod bench;
mod case;
mod devices;
pub mod mutate;
mod rival;
mod selftest;
mod turns;
mod values;
mod verify;

pub use case::{Check, Failure};
pub use devices::{folded, gpu};
pub use rival::{Rival, Step};
pub use selftest::{Outcome, SelfTest, selftest};
pub use turns::{Times, take_turns};
pub use values::{apart, bytes, halves, integers, normal, uniform};
pub use verify::{Verdict, verified_tensor_cores, verify};

use crate::gpu::Kernel;

/// What a test needs to know of a kernel to validate and translate it.
#[derive(Clone, Debug)]
pub struct KernelSource {
    /// `shader/entry_point`.
    pub name: String,
    /// Entry point.
    pub entry: &'static str,
    /// Files of its pieces, under `shaders/`.
    pub files: Vec<&'static str>,
    /// The whole module.
    pub source: String,
    /// Bindings: tensors read, tensors written.
    pub bindings: (usize, usize),
    /// Size of the Rust `Params` in bytes.
    pub params: usize,
    /// Whether it uses subgroup operations.
    pub needs_subgroups: bool,
    /// Whether it reads or writes 16-bit floats.
    pub needs_f16: bool,
    /// Whether it uses cooperative matrices.
    pub needs_matrices: bool,
    /// Values of overridable constants.
    pub constants: &'static [(&'static str, f64)],
}

/// Every kernel of the library.
pub fn kernels() -> Vec<KernelSource> {
    let describe = |kernel: &Kernel| KernelSource {
        name: kernel.name(),
        entry: kernel.entry,
        files: kernel.shader.files(),
        source: kernel.shader.source(),
        bindings: (kernel.reads, kernel.writes),
        params: kernel.params,
        needs_subgroups: kernel.needs_subgroups,
        needs_f16: kernel.needs_f16,
        needs_matrices: kernel.needs_matrices,
        constants: kernel.constants,
    };
    let ceilings = [bench::ceilings::KERNELS];
    crate::ops::KERNELS.iter().copied().chain(ceilings).flatten().map(describe).collect()
}
