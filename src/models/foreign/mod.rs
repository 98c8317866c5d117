//! Models in the files of others: Keras's `.h5` and `.keras`, which Keras opens again, NumPy's `.npz`, and ONNX, which is
//! only written.

mod archive;
mod h5;
mod npz;
mod onnx;
#[cfg(test)]
mod tests;
mod weights;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Model, ModelFile, Preprocessing};
use crate::nn::layers::{ResidualBlock, SeparableBlock};
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// The version of Keras whose files ours are like.
const KERAS_VERSION: &str = "3.15.1";
/// The name under which our metadata stand in each format.
const METADATA: &str = "lookalike";

/// Kinds of files, by their endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `.h5`, Keras's older format.
    H5,
    /// `.keras`, that of Keras 3.
    Archive,
    /// `.npz`.
    Npz,
    /// `.onnx`.
    Onnx,
}

impl Format {
    /// The format of the file at `path`, if it is one of these.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "h5" | "hdf5" => Some(Format::H5),
            "keras" => Some(Format::Archive),
            "npz" => Some(Format::Npz),
            "onnx" => Some(Format::Onnx),
            _ => None,
        }
    }
}

/// What a file that Keras wrote does not say. What is given counts more than what a file says.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The people, in the order of the model's outputs.
    pub labels: Option<Vec<String>>,
    /// How a photo becomes the model's input; the size is the model's own.
    pub preprocessing: Option<Preprocessing>,
}

/// The content of a file.
struct Content {
    /// Keras's config.
    architecture: Value,
    /// Ours; null in a file that is not.
    metadata: Value,
    weights: BTreeMap<String, HostTensor>,
}

/// Reads a model.
pub(super) fn open(path: &Path, format: Format, given: &Given) -> Result<ModelFile> {
    let content = match format {
        Format::H5 => h5::read(path),
        Format::Archive => archive::read(path),
        Format::Npz => npz::read(path),
        Format::Onnx => {
            Err(Error::Input("ONNX files are written, not read; give the model they were made from".into()))
        }
    };
    content.and_then(|content| complete(content, given)).map_err(|error| match error {
        Error::Io { .. } | Error::Format { .. } => error,
        error => Error::format(path, error.to_string()),
    })
}

/// Writes a model, whole or not at all.
pub(super) fn save(file: &ModelFile, path: &Path, format: Format) -> Result<()> {
    let is_own = |class| [ResidualBlock::CLASS, SeparableBlock::CLASS].contains(&class);
    let own = file.model.layers.iter().find(|layer| is_own(layer.class_name()));
    if let (Some(layer), true) = (own, format != Format::Npz) {
        return Err(Error::Input(format!(
            "{}: {} is a {}, which Keras and ONNX do not have; save the model as .safetensors or .npz",
            path.display(),
            layer.name(),
            layer.class_name()
        )));
    }
    match format {
        Format::H5 => h5::write(file, path),
        Format::Archive => archive::write(file, path),
        Format::Npz => npz::write(file, path),
        Format::Onnx => onnx::write(file, path),
    }
}

/// A file's content with what else is given.
fn complete(content: Content, given: &Given) -> Result<ModelFile> {
    let Content { architecture, metadata, weights } = content;
    if !metadata.is_null() {
        let mut file = ModelFile::from_parts(&architecture, &metadata, weights)?;
        given.apply(&mut file)?;
        return Ok(file);
    }
    let model = Model::from_keras(&architecture)?;
    let (Some(labels), Some(preprocessing)) = (given.labels.clone(), given.preprocessing.clone()) else {
        let classes = model.classes()?;
        return Err(Error::Input(format!(
            "does not say whom it knows and what pixels it takes; say it to lookalike convert: {classes} names in the order of the outputs (--labels anna,berta) and --preprocessing caffe, torch or unit"
        )));
    };
    let mut file = ModelFile::new(model, labels, preprocessing, weights);
    given.apply(&mut file)?;
    Ok(file)
}

impl Given {
    /// Sets in `file` what is given.
    ///
    /// # Errors
    /// [`Error::Input`] if it does not fit the model.
    pub(super) fn apply(&self, file: &mut ModelFile) -> Result<()> {
        if let Some(labels) = &self.labels {
            file.labels.clone_from(labels);
        }
        if let Some(preprocessing) = &self.preprocessing {
            let [height, width, 3] = file.model.input[..] else {
                return Err(Error::Input(format!(
                    "takes {}, not pictures of three channels",
                    file.model.input
                )));
            };
            if height != width {
                return Err(Error::Input(format!(
                    "takes pictures of {height}×{width}; faces are cut out square"
                )));
            }
            file.preprocessing = Preprocessing { size: height, ..preprocessing.clone() };
        }
        file.check()
    }
}

/// Text that should be JSON.
fn parse(what: &str, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text)
        .map_err(|error| Error::Input(format!("{what}: {error}; the file is damaged, copy it again")))
}
