//! A ring of scalars of the last steps, which the host reads now and then.

use bytemuck::{Pod, Zeroable};

use super::expect;
use crate::cpu::{Float, Slots, params};
use crate::error::expect_rank;
use crate::gpu::{Kernel, Shader, shader};
use crate::graph::{Graph, Grid, Io, Operator, PlanBuilder, Var};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

const SHADER: Shader = shader!("record", "record.wgsl");
const FORWARD: Kernel =
    SHADER.kernel("forward").params::<Params>().reads(2).writes(1).twin(forward::<f32>, forward::<f64>);
pub(crate) const KERNELS: &[Kernel] = &[FORWARD];

/// Place of the first value among the inputs, after the ring and the step.
const VALUES: usize = 2;

impl Graph {
    /// Writes scalars of this step into a ring: `ring[step % slots, k] = values[k]`.
    ///
    /// `ring` is a state, f32 `[slots, values]`; `step` is `u32 [1]`; each value is f32 with one element.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Type`] if one of them is something else.
    pub fn record(&mut self, ring: Var, step: Var, values: &[Var]) -> Result<()> {
        let inputs: Vec<Var> = [ring, step].iter().chain(values).copied().collect();
        self.apply_many(Record, &inputs).map(drop)
    }
}

#[derive(Debug)]
struct Record;

impl Operator for Record {
    fn name(&self) -> &'static str {
        "record"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let (op, ring) = (self.name(), &inputs[0]);
        expect::dtype(op, inputs, 0, DType::F32)?;
        expect_rank(op, "the ring", &ring.shape, 2)?;
        expect::counter(op, "step", inputs, 1)?;
        let values = inputs.len() - VALUES;
        if ring.shape[1] != values {
            return Err(Error::shape(op, format!("{values} values do not fill a slot of the ring, {ring}")));
        }
        for (k, value) in inputs[VALUES..].iter().enumerate() {
            expect::dtype(op, inputs, VALUES + k, DType::F32)?;
            if value.len() != 1 {
                return Err(Error::shape(op, format!("value {k} is {value}, expected one element")));
            }
        }
        Ok(vec![])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let ring = io.input(0);
        let [slots, columns] = ring.ty().shape.dims().expect("a ring is [slots, values]");
        for column in 0..columns {
            let params = Params { slots: slots as u32, columns: columns as u32, column: column as u32 };
            let reads = [io.input(1), io.input(VALUES + column)];
            plan.dispatch(&FORWARD, params, &reads, &[ring], Grid::groups(1))?;
        }
        Ok(())
    }

    fn updates(&self) -> &[usize] {
        &[0]
    }
}

fn forward<T: Float>(bytes: &[u8], slots: &mut Slots<'_, T>) {
    let p: Params = params(bytes);
    let (step, value) = (slots.u32(0)[0], slots.float(1)[0]);
    slots.out()[(step % p.slots * p.columns + p.column) as usize] = value;
}

/// `Params` of `record.wgsl`, field for field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
struct Params {
    slots: u32,
    columns: u32,
    column: u32,
}
