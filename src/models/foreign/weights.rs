//! Between our parameters by name and Keras's arrays by layer.

use std::collections::BTreeMap;

use crate::models::chain::Link;
use crate::models::{LayerShape, Model, ModelFile};
use crate::nn::Parameter;
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// The parameters of a model: for each of its layers that has some, `arrays` gives Keras's arrays in Keras's order,
/// which is ours.
pub fn read(
    model: &Model,
    links: &[Link<'_>],
    mut arrays: impl FnMut(&Link<'_>, &[Parameter]) -> Result<Vec<HostTensor>>,
) -> Result<BTreeMap<String, HostTensor>> {
    let layers = links.iter().filter(|link| link.entry["class_name"] != "InputLayer");
    let mut weights = BTreeMap::new();
    for (link, LayerShape { parameters, .. }) in layers.zip(model.trace(1)?) {
        if parameters.is_empty() {
            continue;
        }
        let arrays = arrays(link, &parameters)?;
        if arrays.len() != parameters.len() {
            return Err(Error::Input(format!(
                "layer '{}' has {} arrays of weights in the file, expected {}",
                link.name,
                arrays.len(),
                parameters.len()
            )));
        }
        for (parameter, array) in parameters.into_iter().zip(arrays) {
            weights.insert(parameter.name, without_shared_axes(array, &parameter.shape));
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

/// The array without leading axes of size 1, if it has the expected shape then.
fn without_shared_axes(array: HostTensor, expected: &Shape) -> HostTensor {
    let shared = array.shape().rank().saturating_sub(expected.rank());
    let (leading, rest) = array.shape().split_at(shared);
    if leading.iter().all(|&size| size == 1) && *rest == expected[..] {
        return HostTensor::new(expected.clone(), array.into_data());
    }
    array
}
