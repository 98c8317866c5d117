//! The model file: weights, architecture, labels, preprocessing and history in one safetensors file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

#[cfg(feature = "train")]
use super::foreign::{self, Format, Given};
use super::{FacePlacement, Judgement, Model};
use crate::formats::safetensors::{self, TensorFile};
use crate::graph::Params;
use crate::ops::Normalize;
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// Version of the metadata; files of a later one are refused.
const VERSION: u64 = 1;

/// A trained recogniser: complete by itself, nobody has to remember how the photos were scaled.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The architecture.
    pub model: Model,
    /// The people, in the order of the model's outputs.
    pub labels: Vec<String>,
    /// How a photo becomes the model's input.
    pub preprocessing: Preprocessing,
    /// Learning curves and settings, without clock times: equal runs give equal files.
    pub training: Value,
    /// How its answers are to be taken.
    pub judgement: Judgement,
    /// The parameters by name.
    pub weights: BTreeMap<String, HostTensor>,
}

/// How a photo becomes the model's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// Height and width of a crop in pixels.
    pub size: usize,
    /// Name of the detector that finds the faces.
    pub detector: String,
    /// Share of a face's box that is added on each side.
    pub margin: f32,
    /// Whether faces are turned upright whose eyes the detector has found.
    pub align: bool,
    /// For a network that sees, instead of the crop, what `detect::place_face` makes of it: where it wants the face.
    pub placed: Option<FacePlacement>,
    /// Whether a tight head shot in which no face is found is used whole.
    pub whole: bool,
    /// From bytes to numbers.
    pub normalize: Normalize,
}

impl ModelFile {
    /// One that says nothing of its training, and whose answers are believed.
    pub fn new(
        model: Model,
        labels: Vec<String>,
        preprocessing: Preprocessing,
        weights: BTreeMap<String, HostTensor>,
    ) -> ModelFile {
        let (training, judgement) = (Value::Null, Judgement::default());
        ModelFile { model, labels, preprocessing, training, judgement, weights }
    }

    /// Reads a model file: `.safetensors`, or by its ending what [`ModelFile::save`] writes.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::Format`] if it is none of ours, damaged, or its weights do
    /// not fit its architecture.
    pub fn open(path: &Path) -> Result<ModelFile> {
        #[cfg(feature = "train")]
        if let Some(format) = Format::of(path) {
            return foreign::open(path, format, &Given::default());
        }
        let TensorFile { tensors, metadata } = safetensors::read(path)?;
        if metadata.is_null() {
            let problem =
                "is a safetensors file, but not a model that lookalike wrote; give the file that train wrote";
            return Err(Error::format(path, problem));
        }
        let file = ModelFile::from_parts(&metadata["keras"], &metadata, tensors);
        file.map_err(|error| Error::format(path, error.to_string()))
    }

    /// As [`ModelFile::open`], with what the file does not say: Keras's own files know no labels and no preprocessing.
    ///
    /// # Errors
    /// As [`ModelFile::open`], or if what is given does not fit the model.
    #[cfg(feature = "train")]
    pub fn open_with(path: &Path, given: &Given) -> Result<ModelFile> {
        if let Some(format) = Format::of(path) {
            return foreign::open(path, format, given);
        }
        let mut file = ModelFile::open(path)?;
        given.apply(&mut file).map_err(|error| Error::format(path, error.to_string()))?;
        Ok(file)
    }

    /// Writes the model file, whole or not at all, by its ending: `.h5` and `.keras`, which Keras opens, `.npz`,
    /// `.onnx`, and `.safetensors` for every other one. Equal models give equal bytes.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        #[cfg(feature = "train")]
        if let Some(format) = Format::of(path) {
            return foreign::save(self, path, format);
        }
        let metadata = self.metadata_with_architecture();
        safetensors::write(path, &TensorFile { tensors: self.weights.clone(), metadata })
    }

    /// The model that a Keras config and our metadata describe, with these weights.
    ///
    /// # Errors
    /// [`Error::Input`] if the metadata lack something, [`Error::State`] if the weights do not fit.
    pub(super) fn from_parts(
        keras: &Value,
        metadata: &Value,
        weights: BTreeMap<String, HostTensor>,
    ) -> Result<ModelFile> {
        let wrong = |problem: String| Error::Input(problem);
        let version = metadata["version"].as_u64().unwrap_or(0);
        if version != VERSION {
            return Err(wrong(format!(
                "has format version {version}, this program reads {VERSION}; use the program that wrote it"
            )));
        }
        let model = Model::from_keras(keras)?;
        let labels: Vec<String> =
            serde_json::from_value(metadata["labels"].clone()).map_err(|e| wrong(format!("labels: {e}")))?;
        let how = &metadata["preprocessing"];
        if let Some(name) = how["placed"].as_str().filter(|name| FacePlacement::named(name).is_none()) {
            return Err(wrong(format!(
                "wants its faces placed as '{name}', which this program does not know; use the program that wrote it"
            )));
        }
        let preprocessing = Preprocessing::from_json(how)
            .ok_or_else(|| wrong("has no preprocessing; train the model again".into()))?;
        let training = metadata["training"].clone();
        let judgement = Judgement::from_json(&metadata["judgement"], labels.len()).ok_or_else(|| {
            wrong("tells in a damaged way how to take its answers; train the model again".into())
        })?;
        let file = ModelFile { model, labels, preprocessing, training, judgement, weights };
        file.check()?;
        Ok(file)
    }

    /// What the file says beside the weights and the architecture.
    pub(super) fn metadata(&self) -> Value {
        json!({
            "version": VERSION,
            "labels": self.labels,
            "preprocessing": self.preprocessing.to_json(),
            "training": self.training,
            "judgement": self.judgement.to_json(),
        })
    }

    /// What the file says beside the weights.
    pub(super) fn metadata_with_architecture(&self) -> Value {
        let mut metadata = self.metadata();
        metadata["keras"] = self.model.to_keras();
        metadata
    }

    /// Whether there is a label for each output, and a weight of the right shape for each parameter.
    pub(super) fn check(&self) -> Result<()> {
        let classes = self.model.classes()?;
        if self.labels.len() != classes {
            return Err(Error::Input(format!("has {} labels for {classes} outputs", self.labels.len())));
        }
        if let Some(placement) = self.preprocessing.placed {
            let size = placement.size();
            if self.model.input[..] != [size, size, 3] {
                return Err(Error::Input(format!(
                    "wants its faces placed as {}'s, in pictures of {size} × {size}, but takes pictures of {}; train the model again",
                    placement.name(),
                    self.model.input
                )));
            }
        }
        if self.judgement.masked.is_some() && self.preprocessing.placed != Some(FacePlacement::Dlib) {
            return Err(Error::Input(
                "knows people in masks by the upper half of a picture that it does not take; train the model again".into(),
            ));
        }
        self.check_means()?;
        self.model.check(&self.weights)
    }

    /// Whether the means by which people are known have the length of the features that they are compared with.
    fn check_means(&self) -> Result<()> {
        let Judgement { strangers, masked, .. } = &self.judgement;
        if strangers.is_none() && masked.is_none() {
            return Ok(());
        }
        let length = self.model.before_classifier()?.classes()?;
        // In a mask a face has the features of its upper half behind those of the whole.
        let known = [(strangers, length), (masked, 2 * length)];
        if known.iter().all(|(people, length)| people.as_ref().is_none_or(|people| people.takes(*length))) {
            return Ok(());
        }
        Err(Error::Input(format!(
            "knows people by means of another length than that of its features, {length}; train the model again"
        )))
    }

    /// Sets the model's parameters in a store.
    ///
    /// # Errors
    /// [`Error::State`] for a parameter that is missing, has another shape, or is not finite.
    pub fn load(&self, params: &Params) -> Result<()> {
        self.model.load(params, &self.weights)
    }
}

impl Preprocessing {
    fn to_json(&self) -> Value {
        let Normalize { scale, offset, reverse } = self.normalize;
        json!({
            "size": self.size, "detector": self.detector, "margin": self.margin, "align": self.align,
            // Programs from before there was a choice read a truth value.
            "placed": self.placed.map_or(json!(false), |placement| json!(placement.name())),
            "whole": self.whole,
            "scale": scale, "offset": offset, "reverse": reverse,
        })
    }

    fn from_json(value: &Value) -> Option<Preprocessing> {
        let four = |key: &str| serde_json::from_value::<[f32; 4]>(value[key].clone()).ok();
        Some(Preprocessing {
            size: usize::try_from(value["size"].as_u64()?).ok()?,
            // Files from before there was a choice have none.
            detector: value.get("detector").map_or(Some("lbp"), Value::as_str)?.to_owned(),
            margin: value["margin"].as_f64()? as f32,
            // Files without it were written when no face was turned.
            align: value.get("align").map_or(Some(false), Value::as_bool)?,
            placed: placement(value.get("placed"))?,
            whole: value["whole"].as_bool()?,
            normalize: Normalize {
                scale: four("scale")?,
                offset: four("offset")?,
                reverse: value["reverse"].as_bool()?,
            },
        })
    }
}

/// Where faces are placed, if they are; `None` if that is not understood.
fn placement(value: Option<&Value>) -> Option<Option<FacePlacement>> {
    match value {
        // Files without it were written when networks saw the crops, those with a truth value when there was one placement.
        None | Some(Value::Null | Value::Bool(false)) => Some(None),
        Some(Value::Bool(true)) => Some(Some(FacePlacement::Dlib)),
        Some(Value::String(name)) => FacePlacement::named(name).map(Some),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Gallery, ScratchCnn, Strangers, scratch_cnn};

    /// A model of two people that knows them, if at all, by features of these lengths: bare, and in masks.
    fn knowing(bare: Option<usize>, masked: Option<usize>) -> ModelFile {
        let size = FacePlacement::Dlib.size();
        let model = scratch_cnn(&ScratchCnn { size, widths: vec![1], dense: 3, ..ScratchCnn::new(2) });
        let parameters = model.parameters().unwrap().into_iter();
        let weights =
            parameters.map(|p| (p.name.clone(), p.initializer.values(&p.name, &p.shape, 1))).collect();
        let preprocessing = Preprocessing {
            size,
            detector: "mtcnn".into(),
            margin: 0.25,
            align: true,
            placed: Some(FacePlacement::Dlib),
            whole: true,
            normalize: Normalize::unit(),
        };
        let people = |length: usize| {
            let features = [vec![1.0; length]];
            Strangers::new(Gallery { features: &features, labels: &[1], groups: &[0], people: 2 }, 0.01, 0.3)
        };
        ModelFile {
            judgement: Judgement {
                strangers: bare.map(people),
                masked: masked.map(people),
                ..Judgement::default()
            },
            ..ModelFile::new(model, vec!["anna".into(), "ben".into()], preprocessing, weights)
        }
    }

    #[test]
    fn people_are_known_by_means_of_what_the_model_makes_of_a_face() {
        let read = |bare, masked| {
            let file = knowing(bare, masked);
            let metadata = file.metadata_with_architecture();
            ModelFile::from_parts(&metadata["keras"], &metadata, file.weights)
                .map_err(|error| error.to_string())
        };
        for (bare, masked) in [(None, None), (Some(3), None), (Some(3), Some(6))] {
            assert!(read(bare, masked).is_ok(), "{bare:?} {masked:?}");
        }
        for (bare, masked) in [(Some(2), None), (Some(4), Some(6)), (Some(3), Some(3)), (Some(3), Some(7))] {
            let message = read(bare, masked).unwrap_err();
            assert!(
                message.contains("another length than that of its features, 3;"),
                "{bare:?} {masked:?}: {message}"
            );
        }
        let nobody = Gallery { features: &[], labels: &[], groups: &[], people: 2 };
        let nobody = Judgement { strangers: Some(Strangers::new(nobody, 0.01, 0.3)), ..Judgement::default() };
        assert!(ModelFile { judgement: nobody, ..knowing(None, None) }.check().is_err());
    }

    #[test]
    fn preprocessing_survives_its_json() {
        for (align, whole) in [(false, true), (true, false)] {
            let how = Preprocessing {
                size: 96,
                detector: "mtcnn".into(),
                margin: 0.25,
                align,
                placed: align.then_some(FacePlacement::ArcFace),
                whole,
                normalize: Normalize::unit(),
            };
            assert_eq!(Preprocessing::from_json(&how.to_json()), Some(how));
        }
    }

    #[test]
    fn files_from_before_there_was_a_choice_mean_what_was_done_then() {
        let how = Preprocessing {
            size: 96,
            detector: "auto".into(),
            margin: 0.25,
            align: true,
            placed: Some(FacePlacement::Dlib),
            whole: true,
            normalize: Normalize::unit(),
        };
        let mut json = how.to_json();
        for later in ["align", "detector", "placed"] {
            json.as_object_mut().unwrap().remove(later);
        }
        let then = Preprocessing { align: false, placed: None, detector: "lbp".into(), ..how };
        assert_eq!(Preprocessing::from_json(&json), Some(then.clone()));
        json["placed"] = true.into();
        let placed = Preprocessing { placed: Some(FacePlacement::Dlib), ..then };
        assert_eq!(Preprocessing::from_json(&json), Some(placed));
        json["placed"] = "nowhere".into();
        assert_eq!(Preprocessing::from_json(&json), None);
        json["placed"] = false.into();
        json["align"] = "yes".into();
        assert_eq!(Preprocessing::from_json(&json), None);
    }
}
