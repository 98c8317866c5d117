//! A model ready to predict: plans for a few batch sizes on one store of parameters.

use super::ModelFile;
use crate::graph::{Graph, Params, Plan, Var};
use crate::nn::Mode;
use crate::tensor::{Data, Shape, TensorType};
use crate::{Device, Result};

/// Batch sizes that plans are made for, when they are first needed.
const SIZES: [usize; 3] = [1, 8, 32];

/// A trained model on a device. Takes any number of crops: the last batch is padded to a planned size and the
/// result cut.
#[derive(Debug)]
pub struct Predictor {
    file: ModelFile,
    params: Params,
    plans: Vec<Planned>,
    largest: usize,
}

#[derive(Debug)]
struct Planned {
    batch: usize,
    plan: Plan,
    probabilities: Var,
}

impl Predictor {
    /// Loads the weights of `file` onto `device`.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) if a weight is missing or not finite, or the device has no room.
    pub fn new(device: &Device, file: ModelFile) -> Result<Predictor> {
        let params = Params::new(device);
        file.load(&params)?;
        let largest = file.model.largest_batch(device.max_tensor())?;
        Ok(Predictor { file, params, plans: vec![], largest })
    }

    /// The model, its labels and its preprocessing.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        self.params.device()
    }

    /// For each crop, the probability of each person. `pixels` holds the crops one after the other, RGB,
    /// `size × size` each.
    ///
    /// # Errors
    /// [`Error::HostData`](crate::Error::HostData) if `pixels` holds no whole number of crops.
    pub fn predict(&mut self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        let picture = self.file.model.input.len();
        if !pixels.len().is_multiple_of(picture) {
            return Err(crate::Error::HostData {
                tensor: "crops".into(),
                found: format!("{} bytes", pixels.len()),
                expected: format!("a multiple of {picture}"),
            });
        }
        let mut rows = Vec::new();
        let mut rest = pixels;
        while !rest.is_empty() {
            let count = rest.len() / picture;
            let planned = self.planned(count)?;
            let taken = count.min(planned.batch);
            let (now, later) = rest.split_at(taken * picture);
            let mut batch = now.to_vec();
            batch.resize(planned.batch * picture, 0);
            planned.plan.write("x", &Data::U8(batch))?;
            planned.plan.run()?;
            let probabilities = planned.plan.read(planned.probabilities)?.to_f32();
            let classes = probabilities.len() / planned.batch;
            rows.extend(probabilities.chunks_exact(classes).take(taken).map(<[f32]>::to_vec));
            rest = later;
        }
        Ok(rows)
    }

    /// The plan of the smallest size that holds `count` pictures, else the largest.
    fn planned(&mut self, count: usize) -> Result<&mut Planned> {
        let fitting = SIZES.into_iter().filter(|&size| size <= self.largest);
        let batch = fitting.clone().find(|&size| size >= count).or(fitting.max()).unwrap_or(1);
        let known = self.plans.iter().position(|planned| planned.batch == batch);
        let at = match known {
            Some(at) => at,
            None => {
                let planned = self.plan(batch)?;
                self.plans.push(planned);
                self.plans.len() - 1
            }
        };
        Ok(&mut self.plans[at])
    }

    fn plan(&self, batch: usize) -> Result<Planned> {
        let ModelFile { model, preprocessing, .. } = &self.file;
        let mut graph = Graph::new();
        let shape: Vec<usize> = std::iter::once(batch).chain(model.input.iter().copied()).collect();
        let pixels = graph.input("x", TensorType::u8(Shape::from(shape)));
        let x = graph.normalize(pixels, preprocessing.normalize)?;
        let probabilities = model.build(&mut graph, x, Mode::Predict, 0, None)?;
        Ok(Planned { batch, plan: Plan::new(&graph, &self.params, &[probabilities])?, probabilities })
    }
}
