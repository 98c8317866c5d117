//! The format of Keras 3: a zip archive with the architecture as JSON and the weights as HDF5.

use std::path::Path;

use serde_json::{Value, json};

use super::{Content, KERAS_VERSION, parse, weights};
use crate::formats::bundle;
use crate::formats::hdf5::{Hdf5Dataset, Hdf5File, Hdf5Group};
use crate::models::chain::chain;
use crate::models::keras_archive::{self, CONFIG, WEIGHTS};
use crate::models::{Model, ModelFile};
use crate::{Error, Result};

/// Ours; Keras ignores it.
const METADATA: &str = "lookalike.json";

/// Reads a file that Keras 3 or [`write`] wrote.
pub fn read(path: &Path) -> Result<Content> {
    let lacks = || {
        Error::Input(format!(
            "lacks {CONFIG} or {WEIGHTS}, so it is no file of Keras 3; save the model again"
        ))
    };
    let architecture = keras_archive::text(path, CONFIG)?.ok_or_else(lacks)?;
    let architecture = parse(CONFIG, &architecture)?;
    let metadata = keras_archive::text(path, METADATA)?;
    let metadata = metadata.map_or(Ok(Value::Null), |text| parse(METADATA, &text))?;
    let model = Model::from_keras(&architecture)?;
    let wanted = model.parameters()?.iter().map(|parameter| 4 * parameter.shape.len() as u64).sum();
    let unpacked = keras_archive::weights(path, wanted)?.ok_or_else(lacks)?;
    let file = Hdf5File::new(&path.join(WEIGHTS), unpacked)?;
    let weights = weights::read(&file, &model, &chain(&architecture)?, |link, _, datasets| {
        let group = format!("{}/vars", link.store);
        // Layers are found by their place; newer files also say whose weights these are.
        let (own, found) = (link.path.last().copied().unwrap_or_default(), file.texts(&group, "name")?);
        if let Some(found) = found.map(|texts| texts.concat()).filter(|found| found != own) {
            return Err(Error::Input(format!("the weights of '{found}' lie where those of '{own}' should")));
        }
        let is_inside =
            |dataset: &&Hdf5Dataset| dataset.path.rsplit_once('/').is_some_and(|(within, _)| within == group);
        let count = datasets.iter().filter(is_inside).count();
        Ok((0..count).map(|number| format!("{group}/{number}")).collect())
    })?;
    Ok(Content { architecture, metadata, weights })
}

/// Writes the file.
pub fn write(file: &ModelFile, path: &Path) -> Result<()> {
    let architecture = with_modules(file.model.to_keras());
    let mut root = Hdf5Group::default();
    let links = chain(&architecture)?;
    let layers = links.iter().filter(|link| link.entry["class_name"] != "InputLayer");
    for (link, arrays) in layers.zip(weights::arrays(file)?) {
        let group = root.group(&format!("{}/vars", link.store));
        group.text("name", &*link.name);
        for (number, (_, array)) in arrays.into_iter().enumerate() {
            group.floats(&number.to_string(), array);
        }
    }
    let weights =
        root.to_bytes().map_err(|problem| Error::format(path, format!("cannot be written: {problem}")))?;
    let texts = [json!({"keras_version": KERAS_VERSION}), architecture.clone(), file.metadata()]
        .map(|v| v.to_string());
    let [version, architecture, metadata] = texts.each_ref().map(|text| text.as_bytes());
    let files =
        [("metadata.json", version), (CONFIG, architecture), (WEIGHTS, &weights), (METADATA, metadata)];
    bundle::write(path, &files)
}

/// The config of a `Sequential` as Keras 3 writes it: each class with the module it is from.
fn with_modules(mut config: Value) -> Value {
    let mark = |entry: &mut Value, module: &str| {
        entry["module"] = json!(module);
        entry["registered_name"] = Value::Null;
    };
    mark(&mut config, "keras");
    let layers = config["config"]["layers"].as_array_mut().expect("a Sequential has layers");
    layers.iter_mut().for_each(|layer| mark(layer, "keras.layers"));
    config
}
