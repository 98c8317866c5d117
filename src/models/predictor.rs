//! A model ready to predict: plans for a few batch sizes on one store of parameters.

use std::ops::Range;
use std::sync::Arc;

use super::calibration::at_temperature;
use super::fold::{Folded, fold};
use super::upper_face::{looks_masked, masked_features, without_lower_half};
use super::{Model, ModelFile};
use crate::gpu::block_on;
use crate::graph::{Graph, Params, Plan, Var};
use crate::tensor::{Data, Precision, TensorType};
use crate::{Device, Error, Result};

/// Batch sizes that plans are made for, when they are first needed.
const SIZES: [usize; 3] = [1, 8, 32];

/// How fast the probability of a person falls with the distance of a face in a mask: the most probable one of 351 faces with
/// drawn masks was 130, that of 61 in real ones 170.
const MASKED_SCALE: f32 = 140.0;

/// A trained model on a device. Takes any number of crops: the last batch is padded to a planned size and the
/// result cut. Where the device has no room for a batch, smaller ones do from then on.
#[derive(Debug)]
pub struct Predictor {
    file: Arc<ModelFile>,
    precision: Precision,
    params: Params,
    /// What gives the answers; the model of features is made when it is first asked.
    probabilities: Model,
    features: Option<Model>,
    plans: Vec<Planned>,
    largest: usize,
}

#[derive(Debug)]
struct Planned {
    what: Answer,
    batch: usize,
    plan: Plan,
    answer: Var,
}

/// What is asked of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Probabilities,
    Features,
    /// Probabilities of features.
    Classes,
}

/// What the model makes of a face.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The probability of each person, if it is one of them.
    pub probabilities: Vec<f32>,
    /// How far the face is from the nearest person, where the model knows strangers. That of a face in a mask is brought to
    /// the same scale: at the threshold for bare faces it is as far as masked ones may be.
    pub distance: Option<f32>,
    /// Whether it is nobody the model knows.
    pub stranger: bool,
}

impl Predictor {
    /// A predictor on `device`, with the weights of `file`; several may share one file. Batch normalisation is folded into
    /// the layers beside it where it can be.
    ///
    /// # Errors
    /// [`Error::State`] if a weight is missing or not finite, or the device has no room.
    pub fn new(device: &Device, file: impl Into<Arc<ModelFile>>) -> Result<Predictor> {
        Predictor::in_precision(device, file, Precision::F32)
    }

    /// As [`Predictor::new`], with [tensors in floats of `precision`](Model::predict) where the [device](Device::keeps) is
    /// better off with them.
    ///
    /// # Errors
    /// As [`Predictor::new`].
    pub fn in_precision(
        device: &Device,
        file: impl Into<Arc<ModelFile>>,
        precision: Precision,
    ) -> Result<Predictor> {
        let file = file.into();
        let params = Params::new(device);
        let probabilities = folded(&file, &file.model, &params)?;
        let largest = file.model.largest_batch(device.max_tensor())?;
        let precision = device.keeps(precision);
        Ok(Predictor { file, precision, params, probabilities, features: None, plans: vec![], largest })
    }

    /// The model, its labels and its preprocessing.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// The device it runs on.
    pub fn device(&self) -> &Device {
        self.params.device()
    }

    /// For each crop, the probability of each person, at the model's [temperature](super::Judgement). `pixels` holds the
    /// crops one after the other, RGB, `size × size` each.
    ///
    /// # Errors
    /// [`Error::HostData`] if `pixels` holds no whole number of crops.
    pub fn predict(&mut self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        block_on(self.predict_async(pixels))
    }

    /// As [`Predictor::predict`], without blocking where a GPU does the work. On the CPU the polling thread does it, as it does the
    /// making of plans for the first pictures of a batch size.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    pub async fn predict_async(&mut self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        let rows = self.answer(Answer::Probabilities, pixels).await?;
        Ok(self.at_temperature(rows))
    }

    /// For each crop, what [`Predictor::predict`] answers, and whether it is nobody the model knows. `pixels` as there.
    ///
    /// # Errors
    /// As [`Predictor::features`], where the model knows strangers; else as [`Predictor::predict`].
    pub fn judge(&mut self, pixels: &[u8]) -> Result<Vec<Judged>> {
        block_on(self.judge_async(pixels))
    }

    /// As [`Predictor::judge`], without blocking, as [`Predictor::predict_async`].
    ///
    /// # Errors
    /// As [`Predictor::judge`].
    pub async fn judge_async(&mut self, pixels: &[u8]) -> Result<Vec<Judged>> {
        let file = self.file.clone();
        let Some(strangers) = &file.judgement.strangers else {
            let known = |probabilities| Judged { probabilities, distance: None, stranger: false };
            return Ok(self.predict_async(pixels).await?.into_iter().map(known).collect());
        };
        // Once through the network: what is left is its last layer.
        let features = self.features_async(pixels).await?;
        let rows = self.classes(&features).await?;
        let rows = self.at_temperature(rows).into_iter().zip(&features);
        let judged = rows.map(|(probabilities, features)| {
            let (_, distance) = strangers.nearest(features);
            Judged { probabilities, distance: Some(distance), stranger: strangers.is_stranger(distance) }
        });
        let mut judged: Vec<Judged> = judged.collect();
        let Some(masked) = &file.judgement.masked else { return Ok(judged) };
        let pictures = pixels.chunks_exact(file.model.input.len()).enumerate();
        let (at, shown): (Vec<usize>, Vec<&[u8]>) = pictures.filter(|(_, shown)| looks_masked(shown)).unzip();
        let whole: Vec<_> = at.iter().map(|&at| features[at].clone()).collect();
        let in_masks = self.masked_features_async(&shown.concat(), &whole).await?;
        for (at, features) in at.into_iter().zip(in_masks) {
            let (_, distance) = masked.nearest(&features);
            judged[at] = Judged {
                probabilities: masked.probabilities(&features, MASKED_SCALE),
                distance: Some(distance * strangers.threshold / masked.threshold),
                stranger: masked.is_stranger(distance),
            };
        }
        Ok(judged)
    }

    /// For each crop, of which dlib's network made `features`, those by which it is known in a mask: they are the same
    /// with a mask and without one, as far as that is possible. `pixels` as for [`Predictor::predict`].
    ///
    /// # Errors
    /// As [`Predictor::features`].
    ///
    /// # Panics
    /// If the crops are smaller than those.
    pub fn masked_features(&mut self, pixels: &[u8], features: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        block_on(self.masked_features_async(pixels, features))
    }

    async fn masked_features_async(&mut self, pixels: &[u8], features: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let pictures = pixels.chunks_exact(self.file.model.input.len());
        let upper: Vec<u8> = pictures.flat_map(without_lower_half).collect();
        let upper = self.features_async(&upper).await?;
        Ok(features.iter().zip(&upper).map(|(whole, upper)| masked_features(whole, upper)).collect())
    }

    fn at_temperature(&self, rows: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
        match self.file.judgement.temperature {
            1.0 => rows,
            temperature => rows.iter().map(|row| at_temperature(row, temperature)).collect(),
        }
    }

    /// For each crop, its [features](super::Model::features). `pixels` as for [`Predictor::predict`].
    ///
    /// # Errors
    /// As [`Predictor::predict`] and [`Model::features`](super::Model::features).
    pub fn features(&mut self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        block_on(self.features_async(pixels))
    }

    /// As [`Predictor::features`], without blocking, as [`Predictor::predict_async`].
    ///
    /// # Errors
    /// As [`Predictor::features`].
    pub async fn features_async(&mut self, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        self.answer(Answer::Features, pixels).await
    }

    async fn answer(&mut self, what: Answer, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
        let picture = self.file.model.input.len();
        if !pixels.len().is_multiple_of(picture) {
            return Err(Error::HostData {
                tensor: "crops".into(),
                found: format!("{} bytes", pixels.len()),
                expected: format!("a multiple of {picture}"),
            });
        }
        self.run(what, pixels.len() / picture, |rows, batch| {
            let mut pixels = pixels[rows.start * picture..rows.end * picture].to_vec();
            pixels.resize(batch * picture, 0);
            Data::U8(pixels)
        })
        .await
    }

    /// The model's last layers on what the others made of faces.
    async fn classes(&mut self, features: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        self.run(Answer::Classes, features.len(), |rows, batch| {
            let count = rows.len();
            let mut values = features[rows].concat();
            values.resize(values.len() / count * batch, 0.0);
            Data::F32(values)
        })
        .await
    }

    /// An answer for each of `count` rows; `input` gives the plan's input for some of them, padded to the batch.
    async fn run(
        &mut self,
        what: Answer,
        count: usize,
        input: impl Fn(Range<usize>, usize) -> Data,
    ) -> Result<Vec<Vec<f32>>> {
        let mut answers = Vec::with_capacity(count);
        while answers.len() < count {
            let batch = self.batch(count - answers.len());
            match self.some(what, answers.len()..count, batch, &input).await {
                Err(Error::OutOfMemory { .. }) if batch > 1 => self.only_below(batch),
                some => answers.extend(some?),
            }
        }
        Ok(answers)
    }

    /// An answer for each of the first of these rows, as many as a batch.
    async fn some(
        &mut self,
        what: Answer,
        rows: Range<usize>,
        batch: usize,
        input: &impl Fn(Range<usize>, usize) -> Data,
    ) -> Result<Vec<Vec<f32>>> {
        let taken = batch.min(rows.len());
        let Planned { plan, answer, .. } = self.planned(what, batch)?;
        plan.write_async("x", &input(rows.start..rows.start + taken, batch)).await?;
        plan.run_async().await?;
        let answers = plan.read_async(*answer).await?.to_f32();
        Ok(answers.chunks_exact(answers.len() / batch).take(taken).map(<[f32]>::to_vec).collect())
    }

    /// The smallest size that holds `count` pictures, else the largest.
    fn batch(&self, count: usize) -> usize {
        let fitting = SIZES.into_iter().filter(|&size| size <= self.largest);
        fitting.clone().find(|&size| size >= count).or(fitting.max()).unwrap_or(1)
    }

    /// Gives back what plans of `batch` pictures and more hold, and makes no others.
    fn only_below(&mut self, batch: usize) {
        self.largest = batch - 1;
        self.plans.retain(|planned| planned.batch < batch);
    }

    fn planned(&mut self, what: Answer, batch: usize) -> Result<&mut Planned> {
        let known = self.plans.iter().position(|planned| (planned.what, planned.batch) == (what, batch));
        let at = match known {
            Some(at) => at,
            None => {
                let planned = self.plan(what, batch)?;
                self.plans.push(planned);
                self.plans.len() - 1
            }
        };
        Ok(&mut self.plans[at])
    }

    fn plan(&mut self, what: Answer, batch: usize) -> Result<Planned> {
        let model = match (what, &self.features) {
            (Answer::Probabilities, _) => self.probabilities.clone(),
            (Answer::Features, Some(model)) => model.clone(),
            (Answer::Features, None) => {
                let model = folded(&self.file, &self.file.model.before_classifier()?, &self.params)?;
                self.features.insert(model).clone()
            }
            (Answer::Classes, _) => folded(&self.file, &self.file.model.classifier()?, &self.params)?,
        };
        let mut graph = Graph::new();
        let shape: Vec<usize> = std::iter::once(batch).chain(model.input.iter().copied()).collect();
        let x = match what {
            Answer::Classes => graph.input("x", TensorType::f32(shape)),
            Answer::Probabilities | Answer::Features => {
                let pixels = graph.input("x", TensorType::u8(shape));
                let normalize = self.file.preprocessing.normalize;
                graph.labelled("pictures", |graph| graph.normalize(pixels, normalize))?
            }
        };
        let answer = model.predict(&mut graph, x, self.precision)?;
        Ok(Planned { what, batch, plan: Plan::new(&graph, &self.params, &[answer])?, answer })
    }
}

/// `model`, of the file or a part of it, without the normalisations that can be folded; its parameters are in `params`
/// then.
fn folded(file: &ModelFile, model: &Model, params: &Params) -> Result<Model> {
    let Folded { model, changed } = fold(model, &file.weights)?;
    let find = |name: &str| changed.get(name).or_else(|| file.weights.get(name));
    for (name, value) in model.find_parameters(find)? {
        // Equal names are equal values: another model of the file may have set them.
        if params.ty(&name).is_none() {
            params.set(&name, value)?;
        }
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::models::{
        FacePlacement, Gallery, Judgement, Preprocessing, ScratchCnn, Strangers, scratch_cnn,
    };
    use crate::nn::layers::BatchNormalization;
    use crate::ops::Normalize;
    use crate::tensor::HostTensor;

    const SIZE: usize = FacePlacement::Dlib.size();

    fn predictor(size: usize) -> Predictor {
        let sizes = ScratchCnn { size, widths: vec![2], dense: 5, ..ScratchCnn::new(3) };
        let mut model = scratch_cnn(&sizes);
        model.layers.insert(model.layers.len() - 1, Arc::new(BatchNormalization::new("norm")));
        let params = Params::new(&Device::cpu());
        model.initialize(&params, 1).unwrap();
        let names = model.parameters().unwrap().into_iter().map(|p| p.name);
        let mut weights: BTreeMap<_, _> =
            names.map(|name| (name.clone(), params.get(&name).unwrap())).collect();
        for (name, value) in
            [("gamma", 3.0f32), ("beta", -0.5), ("moving_mean", 0.2), ("moving_variance", 0.1)]
        {
            weights.insert(format!("norm/{name}"), HostTensor::new([5], vec![value; 5]));
        }
        let preprocessing = Preprocessing {
            size,
            detector: "lbp".into(),
            margin: 0.2,
            align: false,
            placed: None,
            whole: false,
            normalize: Normalize::unit(),
        };
        let labels = ["a", "b", "c"].map(str::to_owned).to_vec();
        let file = ModelFile::new(model, labels, preprocessing, weights);
        Predictor::new(&Device::cpu(), file).unwrap()
    }

    #[test]
    fn the_last_layer_makes_probabilities_of_the_features() {
        let mut predictor = predictor(8);
        let layers = &predictor.probabilities.layers;
        assert!(layers.iter().all(|layer| layer.class_name() != "BatchNormalization"), "it is folded");
        let pixels: Vec<u8> = (0..9 * 8 * 8 * 3).map(|i| (i * i % 251) as u8).collect();
        let features = predictor.features(&pixels).unwrap();
        let kernel = predictor.file().weights["dense2/kernel"].to_f32();
        let bias = predictor.file().weights["dense2/bias"].to_f32();
        let rows = predictor.predict(&pixels).unwrap();
        assert_eq!((features.len(), rows.len()), (9, 9));
        for (features, row) in features.iter().zip(&rows) {
            let logit = |class: usize| {
                bias[class] + features.iter().enumerate().map(|(i, x)| x * kernel[i * 3 + class]).sum::<f32>()
            };
            let exps = [0, 1, 2].map(|class| logit(class).exp());
            for (exp, probability) in exps.iter().zip(row) {
                assert!((exp / exps.iter().sum::<f32>() - probability).abs() < 1e-5, "{row:?}");
            }
        }
        assert!(predictor.judge(&pixels).unwrap().iter().all(|judged| !judged.stranger));
        assert_eq!(
            predictor.features(&pixels[..8 * 8 * 3]).unwrap()[0].len(),
            5,
            "one picture, another plan"
        );
        assert!(predictor.features(&pixels[1..]).is_err());
    }

    #[test]
    fn strangers_are_told_and_probabilities_tempered() {
        let mut predictor = predictor(8);
        let pixels: Vec<u8> = (0..40 * 8 * 8 * 3).map(|i| (i * i % 251) as u8).collect();
        let (features, rows) = (predictor.features(&pixels).unwrap(), predictor.predict(&pixels).unwrap());
        let people: Vec<usize> = (0..40).map(|i| i % 3).collect();
        let groups: Vec<i64> = (0..40).collect();
        let known = Gallery { features: &features, labels: &people, groups: &groups, people: 3 };
        let strangers = Strangers::new(known, 0.05, 1e-3);
        let mut file = predictor.file().clone();
        file.judgement = Judgement { temperature: 2.0, strangers: Some(strangers.clone()), masked: None };
        let mut predictor = Predictor::new(&Device::cpu(), file).unwrap();
        let judged = predictor.judge(&pixels).unwrap();
        assert_eq!(judged.len(), 40);
        for ((judged, features), row) in judged.iter().zip(&features).zip(&rows) {
            let (_, distance) = strangers.nearest(features);
            assert_eq!((judged.distance, judged.stranger), (Some(distance), distance >= strangers.threshold));
            for (found, expected) in judged.probabilities.iter().zip(at_temperature(row, 2.0)) {
                assert!((found - expected).abs() < 1e-5, "{judged:?}, {row:?}");
            }
        }
        assert!(judged.iter().any(|judged| judged.stranger) && judged.iter().any(|judged| !judged.stranger));
        assert_eq!(predictor.predict(&pixels).unwrap()[0].len(), 3);
    }

    /// A face that has the colour of skin down to the nose, and this one below.
    fn face(skin: [u8; 3], lower: [u8; 3]) -> Vec<u8> {
        let row = |row: usize| if row < 66 { skin } else { lower };
        (0..SIZE * SIZE).flat_map(|index| row(index / SIZE)).collect()
    }

    #[test]
    fn who_wears_a_mask_is_known_by_the_upper_half() {
        let mut predictor = predictor(SIZE);
        let skins = [[220, 180, 160], [150, 110, 90], [90, 60, 50]];
        let bare: Vec<u8> = skins.iter().flat_map(|&skin| face(skin, skin)).collect();
        let features = predictor.features(&bare).unwrap();
        let in_masks = predictor.masked_features(&bare, &features).unwrap();
        assert_eq!(in_masks[0].len(), 2 * features[0].len());
        let known = Gallery { features: &features, labels: &[0, 1, 2], groups: &[0, 1, 2], people: 3 };
        let strangers = Strangers::new(known, 0.01, 0.2);
        let masked = Strangers::new(Gallery { features: &in_masks, ..known }, 0.01, 0.1);
        let mut file = predictor.file().clone();
        file.judgement = Judgement { strangers: Some(strangers.clone()), ..Judgement::default() };
        let mut without = Predictor::new(&Device::cpu(), file.clone()).unwrap();
        file.judgement.masked = Some(masked.clone());
        let mut predictor = Predictor::new(&Device::cpu(), file).unwrap();

        let shown = [bare.clone(), face(skins[1], [70, 120, 220])].concat();
        let [found, known] = [&mut predictor, &mut without].map(|predictor| predictor.judge(&shown).unwrap());
        assert_eq!(found[..3], known[..3], "bare faces are judged as ever");
        let last = &shown[bare.len()..];
        let features = predictor.features(last).unwrap();
        let features = predictor.masked_features(last, &features).unwrap();
        let (_, distance) = masked.nearest(&features[0]);
        let expected = Judged {
            probabilities: masked.probabilities(&features[0], MASKED_SCALE),
            distance: Some(2.0 * distance),
            stranger: masked.is_stranger(distance),
        };
        assert_eq!(found[3], expected);
        assert_ne!(found[3], known[3]);
    }
}
