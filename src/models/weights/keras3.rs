//! Parameters found by their place, as Keras 3 keeps them in `.weights.h5` and in the `.keras` archive.
//!
//! There a variable has no name. It lies at `layers/conv2d_1/vars/0`: its number in a layer, and the layer's number
//! among those of its class. Layers' names stand beside the variables in files of newer versions, and in the
//! `config.json` of an archive; without either, what counts is the order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::archive::Archive;
use super::names::Wanted;
use crate::models::Model;
use crate::models::slot::{numbered, snake_case};
use crate::{Error, Result};

/// Models inside models, at most.
const MAX_DEPTH: usize = 32;

/// A layer's place and its variables' numbers.
type Slots<'a> = BTreeMap<&'a str, BTreeSet<usize>>;

/// Whether the file has this layout.
pub(super) fn applies(stored: &[String]) -> bool {
    stored.iter().any(|path| variable(path).is_some())
}

/// The place of a layer and the number of its variable.
fn variable(path: &str) -> Option<(&str, usize)> {
    let (slot, number) = path.rsplit_once("/vars/")?;
    let is_of_model = !slot.starts_with("optimizer") && !slot.starts_with("metrics");
    Some((slot, number.parse().ok()?)).filter(|_| is_of_model)
}

/// The places of each wanted parameter.
pub(super) fn find(archive: &Archive, architecture: &Model, wanted: &[Wanted]) -> Result<Vec<Vec<String>>> {
    let mut slots = Slots::new();
    for (slot, number) in archive.names().iter().filter_map(|path| variable(path)) {
        slots.entry(slot).or_default().insert(number);
    }
    let names = layer_names(archive, &slots)?;
    let by_name = |layer: &str| -> Vec<&str> {
        slots.keys().copied().filter(|slot| names.get(*slot).is_some_and(|name| name == layer)).collect()
    };
    let by_order = if names.is_empty() { Some(in_order(archive, architecture, &slots)?) } else { None };
    let place = |wanted: &Wanted| {
        let slots_of_layer = match &by_order {
            Some(places) => places.get(wanted.layer.as_str()).map(String::as_str).into_iter().collect(),
            None => by_name(&wanted.layer),
        };
        let has = |slot: &&str| slots.get(slot).is_some_and(|numbers| numbers.contains(&wanted.index));
        slots_of_layer.into_iter().filter(has).map(|slot| format!("{slot}/vars/{}", wanted.index)).collect()
    };
    Ok(wanted.iter().map(place).collect())
}

/// The names of layers by their places, as far as the file tells.
fn layer_names(archive: &Archive, slots: &Slots<'_>) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    for slot in slots.keys() {
        if let Some([name]) = archive.texts(&format!("{slot}/vars"), "name")?.as_deref() {
            names.insert((*slot).to_string(), name.clone());
        }
    }
    if names.is_empty()
        && let Some(config) = archive.config()
    {
        // TF-Keras 2.13 called the list of layers otherwise.
        for list in ["layers", "_layer_checkpoint_dependencies"] {
            configured(config, list, "", MAX_DEPTH, &mut names);
        }
        names.retain(|slot, _| slots.contains_key(slot.as_str()));
    }
    Ok(names)
}

/// Adds the names of the layers of a model that lies at `path`, by the places where `list` puts them.
fn configured(model: &Value, list: &str, path: &str, depth: usize, names: &mut HashMap<String, String>) {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let layers = model["config"]["layers"].as_array().filter(|_| depth > 0);
    for layer in layers.into_iter().flatten() {
        let (Some(class), Some(name)) = (layer["class_name"].as_str(), layer["config"]["name"].as_str())
        else {
            continue;
        };
        let class = snake_case(class);
        let place = format!("{path}{list}/{}", numbered(&class, taken.get(&class).copied().unwrap_or(0)));
        *taken.entry(class).or_default() += 1;
        configured(layer, list, &format!("{place}/"), depth - 1, names);
        names.insert(place, name.to_string());
    }
}

/// The place of each layer of the architecture in a file that tells no names: in the one model of the file that has as
/// many layers of each class.
fn in_order<'m>(
    archive: &Archive,
    architecture: &'m Model,
    slots: &Slots<'_>,
) -> Result<HashMap<&'m str, String>> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut places = Vec::new();
    for (layer, traced) in architecture.layers.iter().zip(architecture.trace(1)?) {
        if !traced.parameters.is_empty() {
            let class = snake_case(layer.class_name());
            let count = counts.entry(class.clone()).or_default();
            places.push((layer.name(), numbered(&class, *count)));
            *count += 1;
        }
    }
    let models: BTreeSet<&str> =
        slots.keys().filter_map(|slot| slot.rsplit_once('/')).map(|(model, _)| model).collect();
    let has_as_many = |model: &&str| {
        counts.iter().all(|(class, &count)| {
            let has =
                |number: usize| slots.contains_key(format!("{model}/{}", numbered(class, number)).as_str());
            (0..count).all(has) && !has(count)
        })
    };
    let fitting: Vec<&str> = models.iter().copied().filter(has_as_many).collect();
    let [model] = fitting[..] else {
        let wanted: Vec<String> = counts.iter().map(|(class, count)| format!("{count} {class}")).collect();
        return Err(Error::format(
            archive.path(),
            format!(
                "has no names of layers, and {} models with {}, expected one; save it with a newer Keras, which writes names",
                fitting.len(),
                wanted.join(", ")
            ),
        ));
    };
    Ok(places.into_iter().map(|(layer, place)| (layer, format!("{model}/{place}"))).collect())
}
