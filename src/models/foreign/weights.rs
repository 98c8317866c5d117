//! Between our parameters by name and Keras's arrays by layer.

use std::collections::BTreeMap;

use crate::formats::hdf5::{Hdf5Dataset, Hdf5File};
use crate::models::chain::Link;
use crate::models::{LayerShape, Model, ModelFile};
use crate::nn::Parameter;
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// The parameters of a model. For each of its layers that has some, `paths` names the arrays in Keras's order, which is
/// ours, given the paths of all there are.
pub fn read(
    file: &Hdf5File,
    model: &Model,
    links: &[Link<'_>],
    paths: impl Fn(&Link<'_>, &[Parameter], &[Hdf5Dataset]) -> Result<Vec<String>>,
) -> Result<BTreeMap<String, HostTensor>> {
    let datasets = file.datasets()?;
    let layers = links.iter().filter(|link| link.entry["class_name"] != "InputLayer");
    let mut weights = BTreeMap::new();
    for (link, LayerShape { parameters, .. }) in layers.zip(model.trace(1)?) {
        if parameters.is_empty() {
            continue;
        }
        let paths = paths(link, &parameters, &datasets)?;
        if paths.len() != parameters.len() {
            let (name, found, expected) = (&link.name, paths.len(), parameters.len());
            let problem =
                format!("layer '{name}' has {found} arrays of weights in the file, expected {expected}");
            return Err(Error::Input(problem));
        }
        for (Parameter { name, shape, .. }, path) in parameters.into_iter().zip(&paths) {
            let found = datasets.iter().find(|dataset| dataset.path == *path);
            let found = found.ok_or_else(|| Error::Input(format!("'{name}' is missing ('{path}')")))?;
            // The slopes of a PReLU have axes of size 1 in Keras, where they are shared.
            let shared = found.shape.len().saturating_sub(shape.rank());
            let stored: Vec<usize> = std::iter::repeat_n(1, shared).chain(shape.iter().copied()).collect();
            if !found.shape.iter().copied().eq(stored.iter().map(|&size| size as u64)) {
                let problem = format!("'{name}' ('{path}') has shape {:?}, expected {stored:?}", found.shape);
                return Err(Error::Input(problem));
            }
            weights.insert(name, HostTensor::new(shape, file.read_f32(path, &stored)?));
        }
    }
    Ok(weights)
}

/// The arrays of each layer as Keras shapes them, with the names of the variables.
///
/// # Errors
/// [`Error::State`] if a weight is missing.
pub fn arrays(file: &ModelFile) -> Result<Vec<Vec<(String, HostTensor)>>> {
    let layers = file.model.layers.iter().zip(file.model.trace(1)?);
    let arrays_of = |(layer, shape): (&std::sync::Arc<dyn crate::nn::Layer>, LayerShape)| {
        let rank = if layer.class_name() == "PReLU" { shape.input.rank() - 1 } else { 0 };
        let array = |parameter: Parameter| {
            let weight = file
                .weights
                .get(&parameter.name)
                .ok_or_else(|| Error::State { name: parameter.name.clone(), problem: "is missing".into() })?;
            let variable = parameter.name.rsplit('/').next().unwrap_or_default().to_string();
            Ok((variable, with_shared_axes(weight, rank)))
        };
        shape.parameters.into_iter().map(array).collect::<Result<Vec<_>>>()
    };
    layers.map(arrays_of).collect()
}

/// The slopes of a PReLU have axes of size 1 in Keras, where they are shared.
fn with_shared_axes(array: &HostTensor, rank: usize) -> HostTensor {
    let missing = rank.saturating_sub(array.shape().rank());
    let shape: Vec<usize> = std::iter::repeat_n(1, missing).chain(array.shape().iter().copied()).collect();
    HostTensor::new(Shape::from(shape), array.data().clone())
}
