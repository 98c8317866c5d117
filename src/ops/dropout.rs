//! Dropout with a counter-based mask that is never stored.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::{expect, random};
use crate::cpu::{Float, PIECE, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("dropout", "common/linear.wgsl", "common/random.wgsl", "dropout.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

/// Which elements dropout sets to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropout {
    /// Share of the elements that become zero, `0 ≤ rate < 1`.
    pub rate: f32,
    /// The run's seed.
    pub seed: u32,
    /// The layer's stream, from [`random::stream`].
    pub stream: u32,
    /// Index of the first element of `x` in the whole batch: not 0 where a batch is split.
    pub offset: u32,
}

impl Graph {
    /// Sets a share `rate` of the elements of `x` to zero and multiplies the others by 1 / (1 − rate).
    ///
    /// `x` is f32 of any shape; `step` is `u32 [1]`, and each value of it gives another mask. Element `i` stays
    /// if `word(seed, stream, step, offset + i) ≥ rate · 2³²` (see [`random::word`]), on every device alike.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rate is outside `[0, 1)`, the offset passes 2³² or `step` is no counter;
    /// [`Error::Type`] if `x` does not hold floats.
    pub fn dropout(&mut self, x: Var, dropout: Dropout, step: Var) -> Result<Var> {
        self.apply(dropout, &[x, step])
    }
}

impl Operator for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        expect::counter(self.name(), "step", inputs, 1)?;
        if !(0.0..1.0).contains(&self.rate) {
            let problem = format!("the rate is at least 0 and less than 1, given {}", self.rate);
            return Err(Error::shape(self.name(), problem));
        }
        if self.offset as usize + inputs[0].len() > u32::MAX as usize {
            let problem = format!("offset {} leaves no room for {} below 2^32", self.offset, inputs[0]);
            return Err(Error::shape(self.name(), problem));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let rate = f64::from(self.rate);
        let params = Params {
            len: y.len() as u32,
            seed: self.seed,
            stream: self.stream,
            offset: self.offset,
            threshold: (rate * 2f64.powi(32)).round() as u32,
            scale: (1.0 / (1.0 - rate)) as f32,
        };
        let blocks = (self.offset as usize % 4 + y.len()).div_ceil(4);
        plan.dispatch(&FORWARD, params, &[io.input(0), io.input(1)], &[y], Grid::linear(blocks))
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let dy = dy[0].expect("one output");
        Ok(vec![Some(graph.dropout(dy, *self, node.input(1))?), None])
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (x, step) = (slots.float(0), slots.u32(1)[0]);
    let scale = T::of(p.scale.into());
    let pieces = slots.out().par_chunks_mut(PIECE).zip(x.par_chunks(PIECE));
    pieces.enumerate().for_each(|(piece, (y, x))| {
        let words = random::words_from(p.seed, p.stream, step, p.offset + (piece * PIECE) as u32);
        for ((y, &x), word) in y.iter_mut().zip(x).zip(words) {
            *y = if word >= p.threshold { x * scale } else { T::zero() };
        }
    });
}

/// `Params` of `dropout.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    seed: u32,
    stream: u32,
    offset: u32,
    threshold: u32,
    scale: f32,
}
