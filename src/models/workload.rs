//! What a model computes again and again, as graphs: a training step, a prediction. For tables and benches; `train` and
//! `Predictor` build their own, which read and keep more.

use super::Model;
use crate::graph::{Graph, Traffic, Var};
use crate::nn::{CrossEntropy, Metrics, Mode, Optimizer};
use crate::ops::Normalize;
use crate::tensor::{Shape, TensorType};
use crate::{Device, Result};

/// A graph with the outputs that are read of it.
#[derive(Clone, Debug)]
pub struct Workload {
    /// The graph. Its input `x` holds pictures as bytes, or, as floats, what frozen layers have made of them.
    pub graph: Graph,
    /// What is read after a run.
    pub outputs: Vec<Var>,
    /// Rows of a run.
    pub batch: usize,
}

impl Workload {
    /// A step of Adam on `batch` rows: forward, cross-entropy, backward, update. Where layers are frozen, rows are the
    /// features that they have made, as `train` keeps these and only runs the layers behind them.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the model's layers do not fit together.
    pub fn training(model: &Model, batch: usize) -> Result<Workload> {
        let mut graph = Graph::new();
        let head;
        let (model, x) = match model.frozen {
            0 => (model, pictures(&mut graph, model, batch)?),
            _ => {
                head = model.split_frozen()?.1;
                let x = graph.input("x", TensorType::f32(batched(&head, batch)));
                (&head, x)
            }
        };
        Workload::training_of(graph, model, x, batch)
    }

    /// As [`Workload::training`], frozen layers included: what a step holds if they run in it.
    pub(super) fn training_with_frozen(model: &Model, batch: usize) -> Result<Workload> {
        let mut graph = Graph::new();
        let x = pictures(&mut graph, model, batch)?;
        Workload::training_of(graph, model, x, batch)
    }

    /// The probabilities of `batch` pictures.
    ///
    /// # Errors
    /// As [`Workload::training`].
    pub fn prediction(model: &Model, batch: usize) -> Result<Workload> {
        let mut graph = Graph::new();
        let x = pictures(&mut graph, model, batch)?;
        let y = model.build(&mut graph, x, Mode::Predict, 0, None)?;
        Ok(Workload { graph, outputs: vec![y], batch })
    }

    /// Bytes that a run moves on `device`.
    ///
    /// # Errors
    /// As [`Graph::traffic`].
    pub fn traffic(&self, device: &Device) -> Result<Traffic> {
        self.graph.traffic(device, &self.outputs)
    }

    fn training_of(mut graph: Graph, model: &Model, x: Var, batch: usize) -> Result<Workload> {
        let step = graph.state_filled("step", TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled("rate", TensorType::f32([1]), 1e-3)?;
        let logits = model.build(&mut graph, x, Mode::Train, 0, Some(step))?;
        let targets = graph.input("targets", graph.ty(logits).clone());
        let Metrics { loss, correct } = CrossEntropy::default().build(&mut graph, logits, targets)?;
        let trained: Vec<_> = model.parameters()?.into_iter().filter(|p| p.trainable).collect();
        let states: Vec<Var> =
            trained.iter().map(|p| graph.state(&p.name, TensorType::f32(&p.shape))).collect::<Result<_>>()?;
        let gradients = graph.gradients(loss, &states)?;
        let names = trained.iter().map(|parameter| parameter.name.as_str());
        let gradients: Vec<(&str, Var)> = names.zip(gradients).collect();
        Optimizer::default().build(&mut graph, &gradients, rate, step)?;
        graph.labelled("optimizer", |graph| graph.increment(step))?;
        Ok(Workload { graph, outputs: vec![loss, correct], batch })
    }
}

/// The input `x` of a graph: pictures as bytes, normalised; floats for a model of something else.
fn pictures(graph: &mut Graph, model: &Model, batch: usize) -> Result<Var> {
    if !matches!(model.input[..], [_, _, 1..=4]) {
        return Ok(graph.input("x", TensorType::f32(batched(model, batch))));
    }
    let pixels = graph.input("x", TensorType::u8(batched(model, batch)));
    graph.labelled("pictures", |graph| graph.normalize(pixels, Normalize::unit()))
}

fn batched(model: &Model, batch: usize) -> Shape {
    std::iter::once(batch).chain(model.input.iter().copied()).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Params, Plan};
    use crate::models::{ScratchCnn, Vgg16, scratch_cnn, vgg16};
    use crate::profile::Work;

    fn small() -> Model {
        scratch_cnn(&ScratchCnn { size: 8, widths: vec![2], dense: 5, ..ScratchCnn::new(3) })
    }

    fn works(model: &Model, workload: &Workload) -> Vec<Work> {
        let params = Params::new(&Device::cpu());
        model.initialize(&params, 1).unwrap();
        Plan::new(&workload.graph, &params, &workload.outputs).unwrap().works().to_vec()
    }

    #[test]
    fn dispatches_know_their_layers() {
        let model = small();
        let works = works(&model, &Workload::training(&model, 2).unwrap());
        let find = |layer: &str, operator: &str| {
            let found = works.iter().find(|work| (&*work.layer, work.operator) == (layer, operator));
            found.unwrap_or_else(|| panic!("no {layer} · {operator} among {works:#?}"))
        };
        let gradient = find("conv1", "conv2d_weight_gradient");
        assert_eq!(gradient.kernel, "conv2d_weight_gradient/product");
        let conv = find("conv1", "conv2d");
        assert_eq!(&*conv.inputs, "f32 [2, 8, 8, 3], f32 [3, 3, 3, 2], f32 [2]");
        // Pictures, kernel, bias, result.
        assert_eq!(conv.bytes, 4 * (2 * 8 * 8 * 3 + 3 * 3 * 3 * 2 + 2 + 2 * 8 * 8 * 2));
        assert_eq!(conv.flops, 2 * (2 * 8 * 8) * 2 * 27);
        // Bytes in, floats out.
        assert_eq!(find("pictures", "normalize").bytes, 5 * (2 * 8 * 8 * 3));
        for (layer, operator) in
            [("loss", "softmax cross-entropy"), ("optimizer", "adam"), ("dense1", "matmul")]
        {
            find(layer, operator);
        }
    }

    #[test]
    fn the_least_is_what_goes_in_and_comes_out() {
        let model = small();
        let parameters: usize = model.parameters().unwrap().iter().map(|p| p.shape.len()).sum();
        let traffic = Workload::prediction(&model, 2).unwrap().traffic(&Device::cpu()).unwrap();
        assert_eq!(traffic.least as usize, 2 * 8 * 8 * 3 + 4 * parameters + 4 * 2 * 3);
        assert!(traffic.moved > traffic.least);
        let traffic = Workload::training(&model, 2).unwrap().traffic(&Device::cpu()).unwrap();
        // Parameters and two moments and the step both ways, the rate, the targets, loss and count.
        let states = 4 * (3 * parameters * 2 + 2 + 1);
        assert_eq!(traffic.least as usize, 2 * 8 * 8 * 3 + states + 4 * 2 * 3 + 4 * 2);
    }

    #[test]
    fn frozen_layers_are_no_part_of_a_step() {
        let model = vgg16(&Vgg16 { size: 32, dense: 4, ..Vgg16::new(3) }).unwrap();
        let works = works(&model, &Workload::training(&model, 4).unwrap());
        assert!(works.iter().all(|work| work.operator != "conv2d"));
        assert!(works.iter().any(|work| &*work.layer == "dense1"));
        let all = Workload::training_with_frozen(&model, 4).unwrap();
        assert!(all.traffic(&Device::cpu()).unwrap().moved > works.iter().map(|work| work.bytes).sum());
    }
}
