//! Grad-CAM: which activations of a convolution a person's score rests on.
//!
//! ```text
//! weight[k]   = mean over positions of ∂score / ∂activation[·, ·, k]
//! heat[i, j]  = max(0, Σ_k weight[k] · activation[i, j, k])
//! ```
//!
//! Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017,
//! equations 1 and 2. The score is the person's output before the softmax, but for networks made for faces. Their people are
//! points among the features, and their outputs are how far the face has gone in the direction of each: of dlib's network, whose
//! features lie in about one direction from the origin, all of them say first of all that this is a face. Who it is lies in their
//! differences, so there the score is the person's output less the mean of the others'. Where features have length 1, what their
//! length was before counts as given: with it the gradient would be zero where a face is as like the person as can be, and
//! nothing would be explained. A face in a mask that dlib's network is shown is judged by its likeness to what is known of people
//! in masks ([`Predictor::judge`](crate::models::Predictor::judge)), so there that is in the outputs' place.

use std::sync::Arc;

use super::heat_map::{Coarse, HeatMap};
use super::layer;
use super::overlay::overlay;
use crate::graph::{Graph, Params, Plan, Var};
use crate::models::{Model, ModelFile, UPPER, looks_masked, without_lower_half};
use crate::nn::Mode;
use crate::nn::layers::UnitNormalization;
use crate::tensor::{Data, TensorType};
use crate::vision::RgbImage;
use crate::{Device, Error, Result};

/// A model whose gradients can be asked.
#[derive(Debug)]
pub struct GradCam {
    file: Arc<ModelFile>,
    at: usize,
    scores: Cam,
    /// For faces in masks: to the features, which are compared.
    features: Option<Cam>,
}

/// What Grad-CAM says of a crop.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The heat of each position of the layer.
    pub coarse: Coarse,
    /// The same, spread over the crop.
    pub heat: HeatMap,
}

impl GradCam {
    /// One that looks at what the layer called `layer` gives, else at the last convolution that has 7 × 7 positions or more.
    ///
    /// # Errors
    /// [`Error::Input`] if the model has no such layer, or does not take pictures; or if the device has no room.
    pub fn new(device: &Device, file: impl Into<Arc<ModelFile>>, layer: Option<&str>) -> Result<GradCam> {
        let file = file.into();
        let model = &file.model;
        let at = match layer {
            Some(name) => layer::named(model, name)?,
            None => layer::usual(model)?,
        };
        let params = Params::new(device);
        file.load(&params)?;
        let scores = Cam::new(&file, model, at, &params)?;
        let features = match (&file.judgement.strangers, &file.judgement.masked) {
            (Some(_), Some(_)) => Some(Cam::new(&file, &model.before_classifier()?, at, &params)?),
            _ => None,
        };
        Ok(GradCam { file, at, scores, features })
    }

    /// Name of the layer that it looks at.
    pub fn layer(&self) -> &str {
        self.file.model.layers[self.at].name()
    }

    /// What speaks for `person`, a number among the model's labels, on a crop: RGB, as large as the model's input.
    ///
    /// # Errors
    /// [`Error::HostData`] if the crop has another size, or if the device fails.
    ///
    /// # Panics
    /// If the model has no such person.
    pub fn explain(&mut self, pixels: &[u8], person: usize) -> Result<Explained> {
        let [height, width, channels] = self.scores.input;
        if pixels.len() != height * width * channels {
            return Err(Error::HostData {
                tensor: "crop".into(),
                found: format!("{} bytes", pixels.len()),
                expected: format!("{height} × {width} × {channels}"),
            });
        }
        // Only networks made for faces are shown them in their places.
        let by_likeness = self.file.preprocessing.placed.is_some();
        let masked = self.file.judgement.masked.as_ref().filter(|_| looks_masked(pixels));
        let heat = match self.features.as_mut().zip(masked) {
            Some((features, known)) => {
                let means = score(person, self.file.labels.len(), by_likeness);
                heat_in_mask(features, pixels, &known.mixed(&means))?
            }
            None => self.scores.heat(pixels, &score(person, self.scores.count, by_likeness))?.0,
        };
        let heat = heat.into_iter().map(|heat| heat.max(0.0) as f32).collect();
        let coarse = Coarse::of_parts(heat, self.scores.columns, [width, height]);
        Ok(Explained { heat: coarse.spread(width, height), coarse })
    }

    /// The crop with its heat over it, for a strip of such pictures.
    ///
    /// # Errors
    /// As [`GradCam::explain`].
    ///
    /// # Panics
    /// As [`GradCam::explain`].
    pub fn picture(&mut self, pixels: &[u8], person: usize) -> Result<RgbImage> {
        let heat = self.explain(pixels, person)?.heat;
        Ok(overlay(&RgbImage::new(heat.width(), heat.height(), pixels.to_vec())?, &heat))
    }
}

/// How much each output counts for a person's score.
fn score(person: usize, people: usize, by_likeness: bool) -> Vec<f32> {
    let others = match by_likeness && people > 1 {
        true => -1.0 / (people - 1) as f32,
        false => 0.0,
    };
    let mut score = vec![others; people];
    score[person] = 1.0;
    score
}

/// The heat of a masked face, for what is known of people in masks.
///
/// A person's likeness is the cosine of both, `Σ mean · [w/|w|, √2·u/|u|] / √3`, where w are the features of the whole face and
/// u those without its lower half. The lengths |w| and |u| count as given: with them the gradient would be zero where a face is
/// as like the person as can be, and nothing would be explained.
fn heat_in_mask(features: &mut Cam, pixels: &[u8], mean: &[f32]) -> Result<Vec<f64>> {
    let (of_whole, of_upper) = mean.split_at(mean.len() / 2);
    let upper = without_lower_half(pixels);
    let mut heat: Vec<f64> = Vec::new();
    for (pixels, mean, weight) in [(pixels, of_whole, 1.0), (&upper[..], of_upper, f64::from(UPPER).sqrt())] {
        let (part, found) = features.heat(pixels, mean)?;
        let length = found.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        heat.resize(part.len(), 0.0);
        heat.iter_mut().zip(part).for_each(|(heat, part)| *heat += weight * part / length);
    }
    Ok(heat)
}

/// A network from a picture to numbers, and back from these to a layer on the way.
#[derive(Debug)]
struct Cam {
    plan: Plan,
    /// Height, width and channels of a picture.
    input: [usize; 3],
    /// Columns of the layer's positions.
    columns: usize,
    channels: usize,
    activations: Var,
    gradient: Var,
    outputs: Var,
    count: usize,
}

impl Cam {
    /// Of `model`, the file's or a part of it, to the layer `at`.
    fn new(file: &ModelFile, model: &Model, at: usize, params: &Params) -> Result<Cam> {
        let [height, width, channels] = model.input[..] else {
            return Err(Error::Input(format!(
                "the model '{}' takes {}, no pictures",
                model.name, model.input
            )));
        };
        let (front, mut back) = model.split(at + 1)?;
        // Lengths count as given.
        back.layers.retain(|layer| layer.class_name() != UnitNormalization::CLASS);
        let mut graph = Graph::new();
        let pixels = graph.input("x", TensorType::u8([1, height, width, channels]));
        let x = graph.normalize(pixels, file.preprocessing.normalize)?;
        let activations = front.build(&mut graph, x, Mode::Predict, 0, None)?;
        let outputs = back.logits(&mut graph, activations)?;
        let wanted = graph.input("wanted", graph.ty(outputs).clone());
        let gradient = graph.gradients_of(&[(outputs, wanted)], &[activations])?[0];
        let plan = Plan::new(&graph, params, &[activations, gradient, outputs])?;
        let shape = graph.shape(activations);
        let (columns, maps, count) = (shape[2], shape[3], graph.shape(outputs).len());
        let input = [height, width, channels];
        Ok(Cam { plan, input, columns, channels: maps, activations, gradient, outputs, count })
    }

    /// What each position counts for the sum of the outputs with these weights, and the outputs.
    fn heat(&mut self, pixels: &[u8], wanted: &[f32]) -> Result<(Vec<f64>, Vec<f32>)> {
        self.plan.write("x", &Data::U8(pixels.to_vec()))?;
        self.plan.write("wanted", &Data::F32(wanted.to_vec()))?;
        self.plan.run()?;
        let [activations, gradient, outputs] =
            [self.activations, self.gradient, self.outputs].map(|var| self.plan.read(var));
        let (activations, gradient) = (activations?.to_f32(), gradient?.to_f32());
        let mut weights = vec![0.0; self.channels];
        for position in gradient.chunks_exact(self.channels) {
            weights.iter_mut().zip(position).for_each(|(weight, &slope)| *weight += f64::from(slope));
        }
        let positions = activations.len() as f64 / self.channels as f64;
        let heat = |position: &[f32]| {
            let products =
                position.iter().zip(&weights).map(|(&activation, weight)| f64::from(activation) * weight);
            products.sum::<f64>() / positions
        };
        Ok((activations.chunks_exact(self.channels).map(heat).collect(), outputs?.to_f32()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_likeness_is_held_against_that_of_the_others() {
        assert_eq!(score(1, 3, false), [0.0, 1.0, 0.0]);
        assert_eq!(score(1, 3, true), [-0.5, 1.0, -0.5]);
        assert_eq!(score(0, 1, true), [1.0]);
    }
}
