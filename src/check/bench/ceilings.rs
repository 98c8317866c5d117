//! What a device can do at best: its kernels are ordinary operators, so they are timed as all others are.

use std::time::Instant;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::measure::{Effort, operators};
use crate::check::values;
use crate::cpu::{Float, Matrix, Slots, elements, params, product};
use crate::gpu::{Kernel, Piece, Shader, piece, shader};
use crate::graph::{Graph, Grid, Io, Operator, Params as Store, Plan, PlanBuilder, Var};
use crate::ops::tensor_core_variants;
use crate::tensor::{Data, TensorType};
use crate::{Device, Error, Result};

const SHADER: Shader = shader!("ceilings", "common/linear.wgsl", "ceilings.wgsl");
const COPY: Kernel =
    SHADER.kernel("copy").params::<Params>().reads(1).writes(1).twin(copy_twin::<f32>, copy_twin::<f64>);
const MULTIPLY_ADD: Kernel = SHADER
    .kernel("multiply_add")
    .params::<Params>()
    .reads(1)
    .writes(1)
    .twin(multiply_add_twin::<f32>, multiply_add_twin::<f64>);
/// The same in 16-bit floats.
const HALF: Shader = shader!("ceilings-half", "ceilings_half.wgsl", "common/linear.wgsl");
const MULTIPLY_ADD_HALF: Kernel = HALF
    .kernel("multiply_add")
    .params::<Params>()
    .reads(1)
    .writes(1)
    .halves()
    .twin(multiply_add_twin::<f32>, multiply_add_twin::<f64>);
/// Products of small matrices, by the kernel variant that computes with them.
const MATRICES: [(&str, u32, Kernel); 3] = [
    ("matrix-16", 16, matrices(piece!("common/matrix_16.wgsl"), "matrix-16")),
    ("matrix-8", 8, matrices(piece!("common/matrix_8.wgsl"), "matrix-8")),
    ("matrix-8-f32", 8, matrices(piece!("common/matrix_8_f32.wgsl"), "matrix-8-f32")),
];
pub(crate) const KERNELS: &[Kernel] =
    &[COPY, MULTIPLY_ADD, MULTIPLY_ADD_HALF, MATRICES[0].2, MATRICES[1].2, MATRICES[2].2];

const fn matrices(sizes: Piece, variant: &'static str) -> Kernel {
    Shader::new("ceilings-matrix")
        .and(piece!("common/enable_matrix.wgsl"))
        .and(piece!("common/linear.wgsl"))
        .and(sizes)
        .and(piece!("ceilings_matrix.wgsl"))
        .kernel("multiply_add")
        .params::<MatrixParams>()
        .reads(1)
        .writes(1)
        .variant(variant)
        .matrices()
        .twin(matrices_twin::<f32>, matrices_twin::<f64>)
}

/// Elements of the tensor that is copied: 128 MiB, far more than caches hold and as much as WebGPU binds.
const COPIED: usize = 1 << 25;
/// Threads that multiply and add: many times what a GPU runs at once.
const BUSY: usize = 1 << 20;
/// Independent numbers of a thread.
const CHAINS: usize = 16;
/// The same for matrices.
const MATRIX_CHAINS: usize = 4;
/// Steps of a round.
const STEPS: u32 = 8;
/// Seconds that a measurement lasts at least, so that neither a launch nor a clock's tick counts.
const SHORTEST: f64 = 5e-3;
/// Side of the matrices that each thread of a CPU multiplies: three of them stay in its cache.
const SIDE: usize = 256;

/// The best rate that was measured, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ceiling {
    /// Bytes or operations per second.
    pub rate: f64,
    /// What was run.
    pub how: String,
    /// Bytes or operations of a run.
    pub amount: u64,
    /// Seconds of each run; the shortest counts.
    pub seconds: Vec<f64>,
}

/// The two lines of a roofline, and what lies above them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ceilings {
    /// Bytes per second, read and written.
    pub memory: Ceiling,
    /// Operations per second in f32; a multiplication with an addition counts as two.
    pub compute: Ceiling,
    /// The same in f16, where the device computes in it. No kernel does: they keep tensors in f16 and sum in f32.
    pub half: Option<Ceiling>,
    /// On the device's units for small matrices, where kernels may use them.
    pub matrices: Option<Ceiling>,
}

impl Ceiling {
    fn of(how: String, amount: u64, seconds: Vec<f64>) -> Ceiling {
        let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        Ceiling { rate: amount as f64 / best, how, amount, seconds }
    }
}

impl Ceilings {
    /// Measures them.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device fails, or its clock does not move.
    pub fn measure(device: &Device, effort: &Effort) -> Result<Ceilings> {
        let compute = match device.gpu() {
            Some(_) => multiply_add_rate(device, effort, Floats::Single)?,
            None => product_rate(effort),
        };
        let half = match device.gpu() {
            Some(gpu) if gpu.has_f16() => Some(multiply_add_rate(device, effort, Floats::Half)?),
            _ => None,
        };
        let matrices = match matrices_of(device) {
            Some(at) => Some(matrix_rate(device, effort, at)?),
            None => None,
        };
        Ok(Ceilings { memory: copy_rate(device, effort)?, compute, half, matrices })
    }
}

fn copy_rate(device: &Device, effort: &Effort) -> Result<Ceiling> {
    let most = usize::try_from(device.max_tensor() / 4).unwrap_or(usize::MAX);
    let len = COPIED.min(most / 4 * 4);
    let seconds = time(device, effort, len, copy)?;
    Ok(Ceiling::of(format!("copy of {len} floats"), 8 * len as u64, seconds))
}

fn multiply_add_rate(device: &Device, effort: &Effort, floats: Floats) -> Result<Ceiling> {
    let measure = |effort: &Effort, rounds| {
        time(device, effort, BUSY, |graph, x| multiply_add(graph, x, rounds, floats))
    };
    let rounds = enough(&measure)?;
    let seconds = measure(effort, rounds)?;
    Ok(Ceiling::of(format!("{rounds} rounds of multiply-add"), flops(BUSY, rounds), seconds))
}

fn matrix_rate(device: &Device, effort: &Effort, at: usize) -> Result<Ceiling> {
    let (name, side, _) = MATRICES[at];
    let measure = |effort: &Effort, rounds| {
        time(device, effort, BUSY, |graph, x| graph.apply(MultiplyMatrices { rounds, at }, &[x]))
    };
    let rounds = enough(&measure)?;
    let seconds = measure(effort, rounds)?;
    let how = format!("{rounds} rounds of products of {side}×{side} matrices, {name}");
    Ok(Ceiling::of(how, matrix_flops(BUSY, rounds, side), seconds))
}

/// As many rounds as take long enough to be timed.
fn enough(measure: &impl Fn(&Effort, u32) -> Result<Vec<f64>>) -> Result<u32> {
    let once = Effort { seconds: 0.0, runs: 1 };
    let mut rounds = 4;
    while rounds < 1 << 16 && measure(&once, rounds)?[0] < SHORTEST {
        rounds *= 4;
    }
    Ok(rounds)
}

/// Which of [`MATRICES`] the device's kernels may use.
fn matrices_of(device: &Device) -> Option<usize> {
    let offered = tensor_core_variants(device);
    MATRICES.iter().position(|(name, _, _)| offered.contains(name) && device.allows(name))
}

/// Seconds of the one operator that `append` makes of `len` floats.
fn time(
    device: &Device,
    effort: &Effort,
    len: usize,
    append: impl Fn(&mut Graph, Var) -> Result<Var>,
) -> Result<Vec<f64>> {
    let mut graph = Graph::new();
    // No state: what depends on states alone is computed once.
    let x = graph.input("x", TensorType::f32([len]));
    let y = append(&mut graph, x)?;
    let mut plan = Plan::new(&graph, &Store::new(device), &[y])?;
    // Not all equal, which some memories compress.
    plan.write("x", &Data::F32((0..len).map(|i| (i % 251) as f32).collect()))?;
    let seconds = operators(&mut plan, effort)?.swap_remove(0).seconds;
    match seconds.iter().all(|&seconds| seconds > 0.0) {
        true => Ok(seconds),
        false => Err(Error::Gpu("its clock does not move while it computes, so nothing can be timed".into())),
    }
}

/// Products of small matrices, on every thread at once.
fn product_rate(effort: &Effort) -> Ceiling {
    let threads = rayon::current_num_threads();
    let repeats = 64;
    let [a, b] = [1, 2].map(|seed| values::uniform([SIDE, SIDE], seed, -1.0, 1.0).to_f32());
    let run = || {
        let start = Instant::now();
        rayon::broadcast(|_| {
            let mut c = vec![0.0; SIDE * SIDE];
            for _ in 0..repeats {
                let [a, b] = [&a, &b].map(|matrix| Matrix::rows(matrix, SIDE));
                product(&mut c, true, a, b, [SIDE; 3]);
            }
            std::hint::black_box(&c);
        });
        start.elapsed().as_secs_f64()
    };
    let amount = (2 * SIDE.pow(3) * repeats * threads) as u64;
    let how = format!("products of {SIDE}×{SIDE} matrices on {threads} threads");
    Ceiling::of(how, amount, effort.repeat(|| Ok(run())).expect("a product does not fail"))
}

fn flops(len: usize, rounds: u32) -> u64 {
    len as u64 * CHAINS as u64 * u64::from(STEPS * rounds) * 2
}

fn matrix_flops(len: usize, rounds: u32, side: u32) -> u64 {
    len as u64 * MATRIX_CHAINS as u64 * u64::from(STEPS * rounds) * 2 * u64::from(side)
}

/// Appends `multiply_add` of `ceilings_matrix.wgsl`, by the matrices that a kernel variant computes with.
///
/// # Errors
/// [`Error::Input`] if no variant of this name does.
pub fn multiply_matrices(graph: &mut Graph, x: Var, rounds: u32, variant: &str) -> Result<Var> {
    let at = MATRICES.iter().position(|(name, _, _)| *name == variant);
    let at = at.ok_or_else(|| Error::Input(format!("variant {variant} has no matrices")))?;
    graph.apply(MultiplyMatrices { rounds, at }, &[x])
}

/// Appends `copy` of `ceilings.wgsl`. The number of elements is a multiple of 4.
///
/// # Errors
/// [`Error::Shape`] if it is not.
pub fn copy(graph: &mut Graph, x: Var) -> Result<Var> {
    graph.apply(Copy, &[x])
}

/// What `multiply_add` computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floats {
    /// f32.
    Single,
    /// f16.
    Half,
}

/// Appends `multiply_add` of `ceilings.wgsl` or `ceilings_half.wgsl`.
///
/// # Errors
/// [`Error::Shape`] if `x` is empty.
pub fn multiply_add(graph: &mut Graph, x: Var, rounds: u32, floats: Floats) -> Result<Var> {
    graph.apply(MultiplyAdd { rounds, floats }, &[x])
}

#[derive(Debug)]
struct Copy;

impl Operator for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        match inputs[0].len().is_multiple_of(4) {
            true => Ok(vec![inputs[0].clone()]),
            false => Err(Error::shape("copy", format!("{} is not a multiple of 4 elements", inputs[0]))),
        }
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        plan.dispatch(&COPY, Params::new(y.len(), 0), &[x], &[y], Grid::linear(y.len() / 4))
    }

    fn flops(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

#[derive(Debug)]
struct MultiplyAdd {
    rounds: u32,
    floats: Floats,
}

impl Operator for MultiplyAdd {
    fn name(&self) -> &'static str {
        "multiply_add"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let (kernel, params) = match self.floats {
            Floats::Single => (&MULTIPLY_ADD, Params::new(y.len(), self.rounds)),
            Floats::Half => (&MULTIPLY_ADD_HALF, Params::half(y.len(), self.rounds)),
        };
        plan.dispatch(kernel, params, &[x], &[y], Grid::linear(y.len()))
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        flops(inputs[0].len(), self.rounds)
    }
}

#[derive(Debug)]
struct MultiplyMatrices {
    rounds: u32,
    /// Which of [`MATRICES`].
    at: usize,
}

impl Operator for MultiplyMatrices {
    fn name(&self) -> &'static str {
        "multiply_matrices"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let (x, y) = (io.input(0), io.output(0));
        let (_, side, kernel) = &MATRICES[self.at];
        // Powers of two, so that sums of some thousand are exact.
        let params = MatrixParams {
            len: y.len() as u32,
            rounds: self.rounds,
            left: 1.0 / *side as f32,
            right: 1.0 / 1024.0,
            apart: 1.0,
            side: *side,
        };
        // Four subgroups, each with a matrix of its own.
        let groups = y.len().div_ceil(4 * (side * side) as usize);
        plan.dispatch(kernel, params, &[x], &[y], Grid::groups(groups))
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        matrix_flops(inputs[0].len(), self.rounds, MATRICES[self.at].1)
    }
}

fn matrices_twin<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: MatrixParams = params(bytes);
    let step = T::of(f64::from(p.side) * f64::from(p.left) * f64::from(p.right));
    let apart = T::of(p.apart.into());
    let chain = move |start: T| (0..STEPS * p.rounds).fold(start, |z, _| z + step);
    let x = slots.float(0);
    elements(slots.out())
        .zip(x)
        .for_each(move |(y, &x)| *y = (0..MATRIX_CHAINS).map(|k| chain(x + T::count(k) * apart)).sum());
}

/// `Params` of `ceilings_matrix.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct MatrixParams {
    len: u32,
    rounds: u32,
    left: f32,
    right: f32,
    apart: f32,
    side: u32,
}

/// Twin of `copy` in `ceilings.wgsl`: a long piece for each thread, as that is the fastest.
fn copy_twin<T: Float>(_params: &[u8], slots: &mut Slots<'_, T>) {
    let x = slots.float(0);
    let y = slots.out();
    let piece = y.len().div_ceil(rayon::current_num_threads());
    y.par_chunks_mut(piece).zip(x.par_chunks(piece)).for_each(|(y, x)| y.copy_from_slice(x));
}

/// Twin of both `multiply_add`. In f16 the numbers are exact for the few rounds of a test, and only grow no more after those
/// of a measurement.
fn multiply_add_twin<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (factor, addend) = (T::of(p.factor.into()), T::of(p.addend.into()));
    let apart = T::of(p.apart.into());
    let chain = move |start: T| (0..STEPS * p.rounds).fold(start, |z, _| z * factor + addend);
    let x = slots.float(0);
    elements(slots.out())
        .zip(x)
        .for_each(move |(y, &x)| *y = (0..CHAINS).map(|k| chain(x + T::count(k) * apart)).sum());
}

/// `Params` of `ceilings.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    rounds: u32,
    factor: f32,
    addend: f32,
    /// From one chain's first number to the next one's.
    apart: f32,
}

impl Params {
    /// Factor and addend keep the numbers near 1, however many rounds there are.
    fn new(len: usize, rounds: u32) -> Params {
        Params { len: len as u32, rounds, factor: 0.9990234, addend: 0.0009765625, apart: 1.0 }
    }

    /// Such that the first thousand steps from numbers below 1/16 are exact in f16.
    fn half(len: usize, rounds: u32) -> Params {
        Params { factor: 1.0, apart: 0.0625, ..Params::new(len, rounds) }
    }
}
