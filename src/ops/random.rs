//! Random numbers that depend on nothing but a counter and a key, equal on every device.
//!
//! The word of element `e` of a stream at a step is component `e % 4` of
//! `philox([e / 4, step, 0, 0], [seed, stream])`, where `stream` is a hash of a layer's name and `e` counts
//! over the whole batch. So editing a graph or splitting a batch changes no number elsewhere.

use bytemuck::{Pod, Zeroable};

use super::expect;
use crate::Result;
use crate::cpu::{Float, Slots, params};
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Gradients, Graph, Grid, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{Shape, TensorType};

const SHADER: Shader = shader!("random", "common/linear.wgsl", "common/random.wgsl", "random.wgsl");
const WORDS: Kernel =
    SHADER.kernel("words").params::<Params>().reads(1).writes(1).twin(words::<f32>, words::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[WORDS];

/// Philox 4×32-10: four words from a counter and a key (Salmon, Moraes, Dror, Shaw, SC 2011).
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let wide = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    let ([mut c0, mut c1, mut c2, mut c3], [mut k0, mut k1]) = (counter, key);
    for _ in 0..10 {
        let (high0, low0) = wide(0xd251_1f53, c0);
        let (high1, low1) = wide(0xcd9e_8d57, c2);
        [c0, c1, c2, c3] = [high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0];
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    [c0, c1, c2, c3]
}

/// The random word of one element of a stream.
pub fn word(seed: u32, stream: u32, step: u32, element: u32) -> u32 {
    philox([element / 4, step, 0, 0], [seed, stream])[element as usize % 4]
}

/// The words of the elements `first`, `first + 1`, …: those of [`word`], but each block is drawn once.
pub(super) fn words_from(seed: u32, stream: u32, step: u32, first: u32) -> impl Iterator<Item = u32> {
    let blocks = (first / 4..).flat_map(move |block| philox([block, step, 0, 0], [seed, stream]));
    blocks.skip(first as usize % 4)
}

/// The stream of a layer: FNV-1a of its name, in 32 bits.
pub const fn stream(name: &str) -> u32 {
    let bytes = name.as_bytes();
    let mut hash: u32 = 0x811c_9dc5;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
        i += 1;
    }
    hash
}

impl Graph {
    /// Random words in `0..=u32::MAX`, those of [`word`] with the element's row-major index.
    ///
    /// `step` is `u32 [1]`. The result is u32 of shape `shape`, and has no gradient.
    ///
    /// # Errors
    /// [`Error::Type`](crate::Error::Type) or [`Error::Shape`](crate::Error::Shape) if `step` is something
    /// else, or the result would be empty.
    pub fn random_words(
        &mut self,
        shape: impl Into<Shape>,
        seed: u32,
        stream: u32,
        step: Var,
    ) -> Result<Var> {
        self.apply(RandomWords { shape: shape.into(), seed, stream }, &[step])
    }
}

#[derive(Debug)]
struct RandomWords {
    shape: Shape,
    seed: u32,
    stream: u32,
}

impl Operator for RandomWords {
    fn name(&self) -> &'static str {
        "random"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::counter(self.name(), "step", inputs, 0)?;
        Ok(vec![TensorType::u32(self.shape.clone())])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let params = Params { len: y.len() as u32, seed: self.seed, stream: self.stream };
        plan.dispatch(&WORDS, params, &[io.input(0)], &[y], Grid::linear(y.len().div_ceil(4)))
    }

    fn gradient(&self, _graph: &mut Graph, _node: &Node, _dy: &[Option<Var>]) -> Result<Gradients> {
        Ok(vec![None])
    }
}

fn words<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let step = slots.u32(0)[0];
    let words = words_from(p.seed, p.stream, step, 0);
    slots.out_u32().iter_mut().zip(words).for_each(|(y, word)| *y = word);
}

/// `Params` of `random.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    len: u32,
    seed: u32,
    stream: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `philox4x32 10` in `tests/kat_vectors` of Random123.
    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn words_are_components_of_blocks() {
        let block = philox([3, 7, 0, 0], [1, 2]);
        for (component, expected) in (0..).zip(block) {
            assert_eq!(word(1, 2, 7, 12 + component), expected);
        }
    }

    #[test]
    fn words_in_a_row_are_those_of_their_elements() {
        for first in [0, 1, 3, 4, 1000, u32::MAX - 20] {
            let expected: Vec<u32> = (first..first + 9).map(|element| word(1, 2, 7, element)).collect();
            assert_eq!(words_from(1, 2, 7, first).take(9).collect::<Vec<_>>(), expected);
        }
    }

    /// Values of the FNV reference implementation.
    #[test]
    fn streams_are_fnv_1a() {
        assert_eq!(stream(""), 0x811c_9dc5);
        assert_eq!(stream("a"), 0xe40c_292c);
        assert_eq!(stream("foobar"), 0xbf9c_f968);
    }
}
