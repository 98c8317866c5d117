//! A Keras model as the chain of layers that it is: models within it are unrolled, functional ones followed from their
//! input to their output.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::config::unsupported;
use super::slot::{numbered, snake_case};
use crate::Result;

/// A layer of the chain, and by what names files know it.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "train"),
    expect(dead_code, reason = "Keras's own files are read with that feature")
)]
pub(super) struct Link<'a> {
    /// Its `class_name` and `config`.
    pub entry: &'a Value,
    /// Its name; where two models within the model name their layers alike, with the inner model's name before it.
    pub name: String,
    /// Whether neither it nor a model around it is frozen.
    pub trainable: bool,
    /// The names of the models around it, without the outermost, then its own in Keras.
    pub path: Vec<&'a str>,
    /// Where a `.keras` file keeps its variables.
    pub store: String,
}

/// The layers of the model that a Keras config describes, `InputLayer`s included, in the order in which they run.
///
/// # Errors
/// [`Error::Input`](crate::Error::Input) that names the layer at which the model branches.
pub(super) fn chain(config: &Value) -> Result<Vec<Link<'_>>> {
    if !is_model(config) {
        return Err(unsupported(
            "model",
            &format!("class {} (only Sequential and Functional)", config["class_name"]),
        ));
    }
    let mut unrolling = Unrolling::default();
    unrolling.model(config, &Around { trainable: true, path: vec![], store: String::new() })?;
    Ok(unrolling.links)
}

#[derive(Default)]
struct Unrolling<'a> {
    links: Vec<Link<'a>>,
    names: HashSet<String>,
}

/// What a model within another inherits.
struct Around<'a> {
    trainable: bool,
    path: Vec<&'a str>,
    store: String,
}

impl<'a> Unrolling<'a> {
    fn model(&mut self, model: &'a Value, around: &Around<'a>) -> Result<()> {
        let config = &model["config"];
        let entries =
            config["layers"].as_array().ok_or_else(|| unsupported("model", "a config without layers"))?;
        let stores = stores(entries, &around.store);
        let order = match model["class_name"].as_str() {
            Some("Sequential") => (0..entries.len()).collect(),
            _ => follow(config, entries)?,
        };
        let trainable = around.trainable && is_trainable(config);
        for index in order {
            let (entry, store) = (&entries[index], stores[index].clone());
            let own = name_of(entry);
            let path: Vec<&str> = around.path.iter().copied().chain([own]).collect();
            if is_model(entry) {
                self.model(entry, &Around { trainable, path, store })?;
                continue;
            }
            let name = self.free_name(&path);
            let trainable = trainable && is_trainable(&entry["config"]);
            self.links.push(Link { entry, name, trainable, path, store });
        }
        Ok(())
    }

    /// The layer's own name, else that with the names of the models around it.
    fn free_name(&mut self, path: &[&str]) -> String {
        let long = path.join("_");
        let numbered = (2..).map(|number| format!("{long}_{number}"));
        let own = path.last().map(|own| (*own).to_string());
        let mut names = own.into_iter().chain([long.clone()]).chain(numbered);
        names.find(|name| self.names.insert(name.clone())).expect("numbers do not end")
    }
}

fn is_model(entry: &Value) -> bool {
    matches!(entry["class_name"].as_str(), Some("Sequential" | "Functional" | "Model"))
}

fn is_trainable(config: &Value) -> bool {
    config["trainable"].as_bool().unwrap_or(true)
}

fn name_of(entry: &Value) -> &str {
    let name = entry["config"]["name"].as_str().or(entry["name"].as_str());
    name.or(entry["class_name"].as_str()).unwrap_or("layer")
}

/// Where Keras 3 keeps each layer's variables: by class, numbered among the layers of its model.
fn stores(entries: &[Value], within: &str) -> Vec<String> {
    let mut used: HashMap<String, usize> = HashMap::new();
    let mut store = |entry: &Value| {
        let class = snake_case(entry["class_name"].as_str().unwrap_or_default());
        let count = used.entry(class.clone()).or_default();
        let slot = numbered(&class, *count);
        *count += 1;
        let before = if within.is_empty() { String::new() } else { format!("{within}/") };
        format!("{before}layers/{slot}")
    };
    entries.iter().map(&mut store).collect()
}

/// The order of a functional model's layers along its only way from input to output.
fn follow(config: &Value, entries: &[Value]) -> Result<Vec<usize>> {
    let mut sources = Vec::new();
    for entry in entries {
        let nodes = entry["inbound_nodes"].as_array().map_or(&[][..], Vec::as_slice);
        if nodes.len() > 1 {
            return Err(unsupported(name_of(entry), "a layer that is used several times"));
        }
        let mut found = Vec::new();
        nodes.iter().for_each(|node| tensors(node, &mut found));
        if found.len() > 1 {
            return Err(unsupported(name_of(entry), &format!("a layer with {} inputs", found.len())));
        }
        sources.push(found.first().copied());
    }
    let mut inputs = (0..entries.len()).filter(|&index| sources[index].is_none());
    let start = inputs.next().ok_or_else(|| unsupported("model", "a functional model without an input"))?;
    if let Some(second) = inputs.next() {
        return Err(unsupported(name_of(&entries[second]), "a second input"));
    }
    let mut order = vec![start];
    while order.len() < entries.len() {
        let last = name_of(&entries[order[order.len() - 1]]);
        let mut next = (0..entries.len()).filter(|&index| sources[index] == Some(last));
        match (next.next(), next.next()) {
            (Some(only), None) if !order.contains(&only) => order.push(only),
            (Some(_), _) => return Err(unsupported(last, "an output that several layers take")),
            (None, _) => return Err(unsupported(last, "an output beside that of the other layers")),
        }
    }
    let last = name_of(&entries[order[order.len() - 1]]);
    let mut outputs = Vec::new();
    tensors(&config["output_layers"], &mut outputs);
    if outputs.iter().any(|&output| output != last) || outputs.len() > 1 {
        return Err(unsupported("model", &format!("several outputs ({})", outputs.join(", "))));
    }
    Ok(order)
}

/// The layers whose outputs a node takes: `["layer", 0, 0]` of Keras 2, within a `keras_history` of Keras 3.
fn tensors<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => match &items[..] {
            [Value::String(layer), Value::Number(_), Value::Number(_), ..] => found.push(layer),
            _ => items.iter().for_each(|item| tensors(item, found)),
        },
        Value::Object(fields) => fields.values().for_each(|field| tensors(field, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(class: &str, name: &str, source: Option<&str>) -> Value {
        let nodes = source.map(|source| json!([[source, 0, 0, {}]]));
        let nodes = nodes.into_iter().collect::<Vec<_>>();
        json!({"class_name": class, "config": {"name": name}, "name": name, "inbound_nodes": nodes})
    }

    fn functional(name: &str, layers: &[Value], output: &str) -> Value {
        json!({"class_name": "Functional", "config":
            {"name": name, "trainable": name != "frozen", "layers": layers, "output_layers": [[output, 0, 0]]}})
    }

    fn names(config: &Value) -> Vec<String> {
        chain(config).unwrap().into_iter().map(|link| link.name).collect()
    }

    fn problem(config: &Value) -> String {
        chain(config).unwrap_err().to_string()
    }

    #[test]
    fn classes_are_named_as_keras_stores_them() {
        let classes =
            ["Conv2D", "MaxPooling2D", "PReLU", "LeakyReLU", "BatchNormalization", "InputLayer", "ReLU"];
        let stored = classes.map(snake_case);
        let expected =
            ["conv2d", "max_pooling2d", "p_re_lu", "leaky_re_lu", "batch_normalization", "input_layer"];
        assert_eq!(stored[..6], expected);
        assert_eq!(stored[6], "re_lu");
    }

    #[test]
    fn a_functional_model_is_followed_whatever_the_order_of_its_layers() {
        let layers = [
            entry("Dense", "b", Some("a")),
            entry("InputLayer", "i", None),
            entry("Dense", "c", Some("b")),
            entry("Dense", "a", Some("i")),
        ];
        let config = functional("f", &layers, "c");
        assert_eq!(names(&config), ["i", "a", "b", "c"]);
        let stores: Vec<String> = chain(&config).unwrap().into_iter().map(|link| link.store).collect();
        assert_eq!(stores, ["layers/input_layer", "layers/dense_2", "layers/dense", "layers/dense_1"]);
    }

    #[test]
    fn models_within_a_model_are_unrolled_and_keep_what_they_are_told() {
        let inner = [entry("InputLayer", "i", None), entry("Dense", "dense", Some("i"))];
        let config = json!({"class_name": "Sequential", "config": {"layers": [
            functional("frozen", &inner, "dense"), entry("Dense", "dense", None), functional("free", &inner, "dense")]}});
        let links = chain(&config).unwrap();
        let found: Vec<_> =
            links.iter().map(|link| (&link.name[..], link.trainable, &link.store[..])).collect();
        let expected = [
            ("i", false, "layers/functional/layers/input_layer"),
            ("dense", false, "layers/functional/layers/dense"),
            // The names of inner layers come first here, as they run first.
            ("dense_2", true, "layers/dense"),
            ("free_i", true, "layers/functional_1/layers/input_layer"),
            ("free_dense", true, "layers/functional_1/layers/dense"),
        ];
        assert_eq!(found, expected);
        assert_eq!(links[4].path, ["free", "dense"]);
    }

    #[test]
    fn a_model_that_branches_is_refused_by_the_name_of_the_layer() {
        let (input, a) = (entry("InputLayer", "i", None), entry("Dense", "a", Some("i")));
        let fork = [input.clone(), a.clone(), entry("Dense", "b", Some("i"))];
        assert_eq!(
            problem(&functional("f", &fork, "b")),
            "i: an output that several layers take is not supported"
        );
        let mut join = entry("Add", "sum", Some("a"));
        join["inbound_nodes"] = json!([{"args": [[
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 0, 0]}},
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["i", 0, 0]}}]], "kwargs": {}}]);
        let joined = [input.clone(), a.clone(), join];
        assert_eq!(problem(&functional("f", &joined, "sum")), "sum: a layer with 2 inputs is not supported");
        let mut twice = a.clone();
        twice["inbound_nodes"] = json!([[["i", 0, 0, {}]], [["a", 0, 0, {}]]]);
        assert!(
            problem(&functional("f", &[input.clone(), twice], "a")).starts_with("a: a layer that is used")
        );
        let two = [input.clone(), entry("InputLayer", "j", None), a.clone()];
        assert!(problem(&functional("f", &two, "a")).starts_with("j: a second input"));
        let early = [input, a, entry("Dense", "b", Some("a"))];
        assert!(problem(&functional("f", &early, "a")).starts_with("model: several outputs"));
        let circle =
            [entry("InputLayer", "i", None), entry("Dense", "a", Some("b")), entry("Dense", "b", Some("a"))];
        assert!(problem(&functional("f", &circle, "b")).starts_with("i: an output beside"));
    }
}
