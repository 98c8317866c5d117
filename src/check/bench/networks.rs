//! The networks whose operators are measured, at the shapes they have in use.

use super::document::{Group, Whole};
use super::measure::{Effort, operators, whole};
use super::variants::{Contest, contests};
use crate::check::values;
use crate::graph::{Params, Plan};
use crate::models::{Model, ScratchCnn, Vgg16, Workload, scratch_cnn, vgg16};
use crate::tensor::{DType, Data, TensorType};
use crate::{Device, Result};

/// People that the networks tell apart.
const CLASSES: usize = 10;

/// A network in use.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// Name on the command line.
    pub name: &'static str,
    /// Whether it learns.
    pub trains: bool,
    /// Pictures of a run, unless told otherwise.
    pub batch: usize,
    build: fn() -> Result<Model>,
}

/// Those that `train` and `predict` use. Where layers are frozen, a training step is one of the layers behind them.
pub const NETWORKS: [Network; 4] = [
    Network { name: "scratch", trains: true, batch: 16, build: scratch },
    Network { name: "scratch", trains: false, batch: 16, build: scratch },
    Network { name: "vgg16", trains: true, batch: 16, build: pretrained },
    Network { name: "vgg16", trains: false, batch: 4, build: pretrained },
];

fn scratch() -> Result<Model> {
    Ok(scratch_cnn(&ScratchCnn::new(CLASSES)))
}

fn pretrained() -> Result<Model> {
    vgg16(&Vgg16::new(CLASSES))
}

impl Network {
    /// What is measured: `scratch, training step, 16 pictures`.
    pub fn title(&self, batch: usize) -> String {
        let what = if self.trains { "training step" } else { "prediction" };
        format!("{}, {what}, {batch} pictures", self.name)
    }

    /// Times its operators, then all of it.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge) if the device does not hold a tensor of the batch.
    pub fn measure(&self, device: &Device, batch: usize, effort: &Effort) -> Result<(Group, Whole)> {
        let (model, workload) = self.workload(batch)?;
        let params = Params::new(device);
        model.initialize(&params, 1)?;
        let mut plan = Plan::new(&workload.graph, &params, &workload.outputs)?;
        let inputs = fill(&mut plan)?;
        let rows = operators(&mut plan, effort)?;
        let seconds = whole(&mut plan, &inputs, &workload.outputs, effort)?;
        let title = self.title(batch);
        let flops = rows.iter().map(|row| row.flops).sum();
        let whole = Whole { title: title.clone(), batch, flops, traffic: plan.traffic(), seconds };
        Ok((Group { title, rows }, whole))
    }

    /// Times all variants of one of its operators.
    ///
    /// # Errors
    /// As [`Network::measure`].
    pub fn contests(
        &self,
        operator: &str,
        device: &Device,
        batch: usize,
        effort: &Effort,
    ) -> Result<Vec<Contest>> {
        let (_, Workload { graph, outputs, .. }) = self.workload(batch)?;
        contests(operator, &self.title(batch), &graph, &outputs, device, effort)
    }

    /// The model and what it computes.
    fn workload(&self, batch: usize) -> Result<(Model, Workload)> {
        let model = (self.build)()?;
        let workload = match self.trains {
            true => Workload::training(&model, batch)?,
            false => Workload::prediction(&model, batch)?,
        };
        Ok((model, workload))
    }
}

/// Something for every input of a plan, which it gets.
pub(super) fn fill(plan: &mut Plan) -> Result<Vec<(String, Data)>> {
    let inputs: Vec<(String, Data)> = plan.inputs().map(|(name, ty)| (name.to_owned(), filled(ty))).collect();
    inputs.iter().try_for_each(|(name, data)| plan.write(name, data))?;
    Ok(inputs)
}

/// Bytes, labels of two classes, or numbers between 0 and 1, as they come out of a ReLU.
fn filled(ty: &TensorType) -> Data {
    match ty.dtype {
        DType::U8 => values::bytes(ty.shape.clone(), 1).data().clone(),
        DType::U32 => values::integers(ty.shape.clone(), 1, 2).data().clone(),
        DType::F32 | DType::F16 => Data::F32(values::uniform(ty.shape.clone(), 1, 0.0, 1.0).to_f32()),
    }
}
