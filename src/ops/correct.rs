//! How many rows a classifier gets right.

use bytemuck::{Pod, Zeroable};

use super::expect;
use crate::Result;
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};

const SHADER: Shader = shader!("correct", "common/linear.wgsl", "common/reduce.wgsl", "correct.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

impl Graph {
    /// The number of rows whose largest logit is at the class of the largest target; of equals the first counts.
    ///
    /// `logits` and `targets` are f32 `[rows, classes]`. The result is an f32 scalar, `[]`, without gradient.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) or [`Error::Type`](crate::Error::Type) if they are something else.
    pub fn correct(&mut self, logits: Var, targets: Var) -> Result<Var> {
        self.apply(Correct, &[logits, targets])
    }
}

#[derive(Debug)]
struct Correct;

impl Operator for Correct {
    fn name(&self) -> &'static str {
        "correct"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        expect::dtype(self.name(), inputs, 0, DType::F32)?;
        expect_rank(self.name(), "logits", &inputs[0].shape, 2)?;
        expect::ty(self.name(), "targets", inputs, 1, &inputs[0])?;
        Ok(vec![TensorType::f32([])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let [rows, classes] = io.input(0).ty().shape.dims().expect("logits are [rows, classes]");
        let params = Params { rows: rows as u32, classes: classes as u32 };
        plan.dispatch(&FORWARD, params, &[io.input(0), io.input(1)], &[io.output(0)], Grid::groups(1))
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let classes = p.classes as usize;
    let argmax = |row: &[T]| (1..classes).fold(0, |best, c| if row[c] > row[best] { c } else { best });
    let rows = slots.float(0).chunks(classes).zip(slots.float(1).chunks(classes));
    slots.out()[0] = T::count(rows.filter(|(z, t)| argmax(z) == argmax(t)).count());
}

/// `Params` of `correct.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    rows: u32,
    classes: u32,
}
