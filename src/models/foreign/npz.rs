//! The parameters by name in NumPy's `.npz`, with everything else as JSON in the array `lookalike`.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Content, METADATA, parse};
use crate::formats::npz::{self, NpzArray, NpzData};
use crate::models::ModelFile;
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// Reads a file that [`write`] wrote.
pub fn read(path: &Path) -> Result<Content> {
    let mut arrays = npz::read(path)?;
    let Some(NpzData::Text(text)) = arrays.remove(METADATA).map(NpzArray::into_data) else {
        let problem = "is an .npz, but not a model that lookalike wrote: it lacks the text 'lookalike'; give the file that lookalike convert wrote";
        return Err(Error::Input(problem.into()));
    };
    let mut metadata = parse(METADATA, text.concat().as_bytes())?;
    let architecture = metadata["keras"].take();
    let mut weights = BTreeMap::new();
    for (name, array) in arrays {
        let shape = Shape::from(array.shape());
        let values: Vec<f32> = match array.into_data() {
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
