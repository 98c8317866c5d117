//! Keras's older format: one HDF5 file whose attribute `model_config` holds the architecture, and whose group
//! `model_weights` holds a group per layer, in which a model within the model has the weights of all its layers.

use std::path::Path;

use serde_json::Value;

use super::{Content, KERAS_VERSION, METADATA, parse, weights};
use crate::formats::atomic::write_atomically;
use crate::formats::hdf5::{Hdf5File, Hdf5Group};
use crate::models::chain::{Link, chain};
use crate::models::{Model, ModelFile};
use crate::nn::Parameter;
use crate::{Error, Result};

const WEIGHTS: &str = "model_weights";
const NAMES: &str = "weight_names";

/// Reads a file that Keras 2, Keras 3 or [`write`] wrote.
pub fn read(path: &Path) -> Result<Content> {
    let file = Hdf5File::open(path)?;
    let text = |key: &str| Ok(file.texts("", key)?.map(|texts| texts.concat()));
    let Some(config) = text("model_config")? else {
        let problem =
            "holds no whole model, as Keras's model.save writes it; save the model, not only its weights";
        return Err(Error::Input(problem.into()));
    };
    let architecture = parse("model_config", config.as_bytes())?;
    let metadata = text(METADATA)?.map_or(Ok(Value::Null), |text| parse(METADATA, text.as_bytes()))?;
    let model = Model::from_keras(&architecture)?;
    let weights = weights::read(&file, &model, &chain(&architecture)?, |link, parameters, _| {
        let group = format!("{WEIGHTS}/{}", link.path[0]);
        let names = names(&file, &group)?;
        Ok(of_layer(link, parameters, &names).map(|name| format!("{group}/{name}")).collect())
    })?;
    Ok(Content { architecture, metadata, weights })
}

/// Those of a group's `names` that are the layer's weights, in its order. Keras matches the weights of a layer by their
/// order alone; in a model within the model that would depend on which layers are frozen, the names do not.
fn of_layer<'n>(
    link: &Link<'_>,
    parameters: &[Parameter],
    names: &'n [String],
) -> impl Iterator<Item = &'n String> {
    let wanted: Vec<String> = match &link.path[..] {
        [_] => vec![],
        [.., own] => {
            let variables = parameters.iter().filter_map(|parameter| parameter.name.rsplit('/').next());
            variables.map(|variable| format!("/{own}/{variable}")).collect()
        }
        [] => vec![],
    };
    let matches = move |name: &str, wanted: &str| {
        // Keras 2 numbers the outputs of an operation: kernel:0.
        format!("/{}", name.split(':').next().unwrap_or_default()).ends_with(wanted)
    };
    let all = wanted.is_empty().then_some(names).into_iter().flatten();
    all.chain(wanted.into_iter().filter_map(move |wanted| names.iter().find(|name| matches(name, &wanted))))
}

/// A group's list of names: one attribute, or several numbered ones where one would be too large.
fn names(file: &Hdf5File, group: &str) -> Result<Vec<String>> {
    if let Some(names) = file.texts(group, NAMES)? {
        return Ok(names);
    }
    let mut all = Vec::new();
    while let Some(names) = file.texts(group, &format!("{NAMES}{}", all.len()))? {
        all.push(names);
    }
    Ok(all.concat())
}

/// Writes the file.
pub fn write(file: &ModelFile, path: &Path) -> Result<()> {
    let mut root = Hdf5Group::default();
    root.text("keras_version", KERAS_VERSION);
    root.text("backend", "tensorflow");
    root.text("model_config", file.model.to_keras().to_string());
    root.text(METADATA, file.metadata().to_string());
    let group = root.group(WEIGHTS);
    group.text("keras_version", KERAS_VERSION);
    group.text("backend", "tensorflow");
    group.texts("layer_names", file.model.layers.iter().map(|layer| layer.name().to_string()).collect());
    for (layer, arrays) in file.model.layers.iter().zip(weights::arrays(file)?) {
        let group = group.group(layer.name());
        let names = arrays.iter().map(|(variable, _)| format!("{}/{variable}", layer.name()));
        group.texts(NAMES, names.collect());
        for (variable, array) in arrays {
            group.floats(&format!("{}/{variable}", layer.name()), array);
        }
    }
    let bytes =
        root.to_bytes().map_err(|problem| Error::format(path, format!("cannot be written: {problem}")))?;
    write_atomically(path, |out| out.write_all(&bytes))
}
