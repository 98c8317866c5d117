//! The parameters by name in NumPy's `.npz`, with everything else as JSON in the array `lookalike`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Content, METADATA, parse};
use crate::formats::npz::{self, NpzArray, NpzData, NpzFile};
use crate::models::{Model, ModelFile};
use crate::nn::Parameter;
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// Reads a file that [`write`] wrote.
pub fn read(path: &Path) -> Result<Content> {
    let mut file = NpzFile::open(path)?;
    if !file.names().any(|name| name == METADATA) {
        let problem = "is an .npz, but not a model that lookalike wrote: it lacks the text 'lookalike'; give the file that lookalike convert wrote";
        return Err(Error::Input(problem.into()));
    }
    let NpzData::Text(text) = file.array(METADATA, Some(&[]))?.into_data() else {
        return Err(Error::Input(format!(
            "array '{METADATA}' is no text; give the file that lookalike convert wrote"
        )));
    };
    let mut metadata = parse(METADATA, text.concat().as_bytes())?;
    let architecture = metadata["keras"].take();
    let mut weights = BTreeMap::new();
    for Parameter { name, shape, .. } in Model::from_keras(&architecture)?.parameters()? {
        let values: Vec<f32> = match file.array(&name, Some(&shape))?.into_data() {
            NpzData::F32(values) => values.into_owned(),
            NpzData::F64(values) => values.iter().map(|&value| value as f32).collect(),
            _ => return Err(Error::Input(format!("array '{name}' holds no floats"))),
        };
        weights.insert(name, HostTensor::new(shape, values));
    }
    Ok(Content { architecture, metadata, weights })
}

/// Writes the file.
pub fn write(file: &ModelFile, path: &Path) -> Result<()> {
    let text = vec![file.metadata_with_architecture().to_string()];
    let metadata = (METADATA, NpzArray::new([], NpzData::Text(text.into())));
    let weights = file.weights.iter().map(|(name, tensor)| {
        (name.as_str(), NpzArray::new(tensor.shape().to_vec(), NpzData::F32(tensor.to_f32().into())))
    });
    npz::write(path, &std::iter::once(metadata).chain(weights).collect::<Vec<_>>())
}
