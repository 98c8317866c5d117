//! Keras's JSON for a model: class names and layer configurations, limited to the layers we have.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Model;
use super::chain::chain;
use crate::nn::layers::{
    Activation, AveragePooling2d, BatchNormalization, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten,
    GlobalAveragePooling2d, LeakyRelu, MaxPooling2d, Prelu, ResidualBlock, SeparableBlock, UnitNormalization,
};
use crate::nn::{Layer, LayerActivation};
use crate::ops::Padding;
use crate::tensor::Shape;
use crate::{Error, Result};

/// The largest size of an axis: the bytes of any tensor then fit into 64 bits, whatever a damaged file claims.
pub const MAX_SIZE: usize = 40_000;

impl Model {
    /// The `model_config` that Keras reads: a `Sequential` with an `InputLayer`.
    pub fn to_keras(&self) -> Value {
        let batch_shape: Vec<Value> =
            std::iter::once(Value::Null).chain(self.input.iter().map(|&size| json!(size))).collect();
        let input = json!({
            "class_name": "InputLayer",
            "config": {"batch_shape": batch_shape, "dtype": "float32", "name": self.input_name()},
        });
        let layers = self.layers.iter().enumerate().map(|(index, layer)| {
            let mut config = layer.config();
            config.insert("name".into(), json!(layer.name()));
            config.insert("trainable".into(), json!(index >= self.frozen));
            json!({"class_name": layer.class_name(), "config": config})
        });
        let layers: Vec<Value> = std::iter::once(input).chain(layers).collect();
        json!({"class_name": "Sequential", "config": {"name": self.name, "layers": layers}})
    }

    /// A name for the input that no layer has: names are unique in a Keras model.
    fn input_name(&self) -> String {
        let is_free = |name: &String| self.layers.iter().all(|layer| layer.name() != name);
        let mut names =
            std::iter::once("input".to_string()).chain((1..).map(|number| format!("input_{number}")));
        names.find(is_free).expect("numbers do not end")
    }

    /// The model that a Keras `model_config` describes, of Keras 2 or 3: a `Sequential`, or a functional model that does
    /// not branch; models within it are unrolled. Layers that are not `trainable` stay frozen where no layer before them
    /// is trained.
    ///
    /// # Errors
    /// [`Error::Input`] that names the layer and what about it is not supported.
    pub fn from_keras(config: &Value) -> Result<Model> {
        let mut input = shape_of(&config["config"]["build_input_shape"]);
        let mut layers = Vec::new();
        let mut frozen = 0;
        let mut axes = Vec::new();
        let links = chain(config)?;
        for link in &links {
            let fields = Fields { name: &link.name, ..Fields::new(link.entry)? };
            input = input.or_else(|| fields.batch_shape());
            if fields.class != "InputLayer" {
                let is_of_prefix = frozen == layers.len() && !link.trainable;
                axes.extend(fields.numbered_axis().map(|axis| (layers.len(), axis)));
                layers.push(layer(&fields)?);
                frozen += usize::from(is_of_prefix);
            }
        }
        let input = input.ok_or_else(|| unsupported("model", "a config without an input shape"))?;
        let name = config["config"]["name"].as_str().unwrap_or("model").to_string();
        let model = Model { name, input, layers, frozen };
        for (index, axis) in axes {
            let rank = model.first(index + 1).trace(1)?[index].input.rank();
            if *axis != json!(rank - 1) {
                return Err(unsupported(model.layers[index].name(), &format!("axis = {axis}")));
            }
        }
        Ok(model)
    }
}

pub(super) fn unsupported(layer: &str, what: &str) -> Error {
    Error::Input(format!("{layer}: {what} is not supported"))
}

/// The layer that an entry of a Keras config describes.
fn layer(fields: &Fields<'_>) -> Result<Arc<dyn Layer>> {
    let name = fields.name.to_string();
    Ok(match fields.class {
        "Conv2D" => {
            fields.only("data_format", &json!("channels_last"))?;
            fields.only("groups", &json!(1))?;
            Arc::new(Conv2d {
                name,
                filters: fields.count("filters")?,
                kernel_size: fields.pair("kernel_size", None)?,
                strides: fields.pair("strides", Some([1; 2]))?,
                dilation_rate: fields.pair("dilation_rate", Some([1; 2]))?,
                padding: fields.padding()?,
                activation: fields.activation()?,
                use_bias: fields.flag("use_bias", true),
            })
        }
        "DepthwiseConv2D" => {
            fields.only("data_format", &json!("channels_last"))?;
            fields.only("depth_multiplier", &json!(1))?;
            let dilation = fields.pair("dilation_rate", Some([1; 2]))?;
            if dilation != [1; 2] {
                return Err(unsupported(fields.name, &format!("dilation_rate = {dilation:?}")));
            }
            Arc::new(DepthwiseConv2d {
                name,
                kernel_size: fields.pair("kernel_size", None)?,
                strides: fields.pair("strides", Some([1; 2]))?,
                padding: fields.padding()?,
                activation: fields.activation()?,
                use_bias: fields.flag("use_bias", true),
            })
        }
        "Dense" => Arc::new(Dense {
            name,
            units: fields.count("units")?,
            activation: fields.activation()?,
            use_bias: fields.flag("use_bias", true),
        }),
        "MaxPooling2D" | "AveragePooling2D" => {
            fields.only("data_format", &json!("channels_last"))?;
            let pool_size = fields.pair("pool_size", Some([2; 2]))?;
            let strides = fields.pair("strides", Some(pool_size))?;
            let padding = fields.padding()?;
            match fields.class {
                "MaxPooling2D" => Arc::new(MaxPooling2d { name, pool_size, strides, padding }),
                _ => Arc::new(AveragePooling2d { name, pool_size, strides, padding }),
            }
        }
        "GlobalAveragePooling2D" => {
            fields.only("data_format", &json!("channels_last"))?;
            fields.only("keepdims", &json!(false))?;
            Arc::new(GlobalAveragePooling2d { name })
        }
        "Flatten" => Arc::new(Flatten { name }),
        "Dropout" => {
            fields.only("noise_shape", &Value::Null)?;
            Arc::new(Dropout { name, rate: fields.number("rate", 0.5)? })
        }
        "BatchNormalization" => {
            fields.only("center", &json!(true))?;
            fields.only("scale", &json!(true))?;
            Arc::new(BatchNormalization {
                name,
                momentum: fields.number("momentum", 0.99)?,
                epsilon: fields.number("epsilon", 1e-3)?,
            })
        }
        "Activation" => Arc::new(Activation { name, activation: fields.activation()? }),
        "ReLU" => {
            fields.only("max_value", &Value::Null)?;
            fields.none("negative_slope")?;
            fields.none("threshold")?;
            Arc::new(Activation { name, activation: LayerActivation::RELU })
        }
        "Softmax" => Arc::new(Activation { name, activation: LayerActivation::Softmax }),
        "LeakyReLU" => Arc::new(LeakyRelu { name, negative_slope: fields.negative_slope()? }),
        "PReLU" => {
            // Without shared axes there is a slope per position: the same thing behind a dense layer, and elsewhere
            // the weights do not fit.
            let shared = fields.config.get("shared_axes").and_then(Value::as_array).map_or(0, Vec::len);
            Arc::new(Prelu { name, rank: shared + 2 })
        }
        ResidualBlock::CLASS => Arc::new(ResidualBlock {
            name,
            filters: fields.count("filters")?,
            halve: fields.flag("halve", false),
        }),
        SeparableBlock::CLASS => Arc::new(SeparableBlock {
            name,
            filters: fields.count("filters")?,
            strides: fields.pair("strides", Some([1; 2]))?,
        }),
        UnitNormalization::CLASS => Arc::new(UnitNormalization { name }),
        class => return Err(unsupported(fields.name, &format!("layer class {class}"))),
    })
}

/// Typed access to a layer's config.
pub(super) struct Fields<'a> {
    pub class: &'a str,
    pub name: &'a str,
    pub config: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn new(entry: &'a Value) -> Result<Fields<'a>> {
        let class =
            entry["class_name"].as_str().ok_or_else(|| unsupported("model", "a layer without class_name"))?;
        let config =
            entry["config"].as_object().ok_or_else(|| unsupported(class, "a layer without config"))?;
        Ok(Fields { class, name: config.get("name").and_then(Value::as_str).unwrap_or(class), config })
    }

    fn batch_shape(&self) -> Option<Shape> {
        shape_of(self.config.get("batch_shape").or_else(|| self.config.get("batch_input_shape"))?)
    }

    /// The field must have this value, or be absent.
    fn only(&self, key: &str, value: &Value) -> Result<()> {
        match self.config.get(key) {
            None => Ok(()),
            Some(found) if found == value => Ok(()),
            Some(found) => Err(unsupported(self.name, &format!("{key} = {found}"))),
        }
    }

    /// The `axis` over which the layer works, if the config names one that is not the last by itself.
    fn numbered_axis(&self) -> Option<&'a Value> {
        let axis = match self.config.get("axis")? {
            Value::Array(axes) if axes.len() == 1 => &axes[0],
            axis => axis,
        };
        (*axis != json!(-1)).then_some(axis)
    }

    /// The field must be 0, or be absent.
    fn none(&self, key: &str) -> Result<()> {
        match self.number(key, 0.0)? {
            0.0 => Ok(()),
            found => Err(unsupported(self.name, &format!("{key} = {found}"))),
        }
    }

    fn count(&self, key: &str) -> Result<usize> {
        let count = self.config.get(key).and_then(as_size).filter(|&count| count > 0);
        count.ok_or_else(|| unsupported(self.name, &format!("{key} = {}", self.shown(key))))
    }

    pub fn number(&self, key: &str, default: f32) -> Result<f32> {
        match self.config.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => {
                let number =
                    value.as_f64().ok_or_else(|| unsupported(self.name, &format!("{key} = {value}")))?;
                Ok(number as f32)
            }
        }
    }

    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.config.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// `[a, b]`, or one number for both.
    pub fn pair(&self, key: &str, default: Option<[usize; 2]>) -> Result<[usize; 2]> {
        let value = match self.config.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Array(sizes)) => match sizes[..] {
                [ref a, ref b] => as_size(a).zip(as_size(b)).map(|(a, b)| [a, b]),
                _ => None,
            },
            Some(size) => as_size(size).map(|size| [size; 2]),
        };
        value.or(default).ok_or_else(|| unsupported(self.name, &format!("{key} = {}", self.shown(key))))
    }

    pub fn padding(&self) -> Result<Padding> {
        match self.config.get("padding").and_then(Value::as_str) {
            None | Some("valid") => Ok(Padding::Valid),
            Some("same") => Ok(Padding::Same),
            Some(other) => Err(unsupported(self.name, &format!("padding '{other}'"))),
        }
    }

    pub fn activation(&self) -> Result<LayerActivation> {
        match self.config.get("activation") {
            None | Some(Value::Null) => Ok(LayerActivation::LINEAR),
            Some(Value::String(name)) => LayerActivation::named(name),
            Some(entry) if entry["class_name"] == "LeakyReLU" => {
                Ok(LayerActivation::leaky_relu(Fields::new(entry)?.negative_slope()?))
            }
            Some(other) => Err(unsupported(self.name, &format!("activation {other}"))),
        }
    }

    /// That of a `LeakyReLU`, of Keras 2 or 3.
    fn negative_slope(&self) -> Result<f32> {
        let key = if self.config.contains_key("alpha") { "alpha" } else { "negative_slope" };
        self.number(key, 0.3)
    }

    fn shown(&self, key: &str) -> String {
        self.config.get(key).map_or("missing".into(), Value::to_string)
    }
}

/// A shape without its first axis, the batch.
fn shape_of(batch_shape: &Value) -> Option<Shape> {
    let sizes: Option<Vec<usize>> = batch_shape.as_array()?.get(1..)?.iter().map(as_size).collect();
    sizes.map(Shape::from)
}

fn as_size(value: &Value) -> Option<usize> {
    value.as_u64().filter(|&size| size <= MAX_SIZE as u64).and_then(|size| usize::try_from(size).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ScratchCnn, scratch_cnn};

    #[test]
    fn a_model_survives_the_round_trip() {
        let model = scratch_cnn(&ScratchCnn::new(7));
        let again = Model::from_keras(&model.to_keras()).unwrap();
        assert_eq!(again.to_keras(), model.to_keras());
        assert_eq!(again.parameters().unwrap(), model.parameters().unwrap());
    }

    #[test]
    fn an_activation_keeps_its_slope() {
        for slope in [0.2, 0.01, 0.3] {
            let activation = LayerActivation::leaky_relu(slope);
            let dense = Dense { name: "d".into(), units: 2, activation, use_bias: true };
            let layers: [Arc<dyn Layer>; 2] =
                [Arc::new(dense), Arc::new(Activation { name: "a".into(), activation })];
            let model = Model { name: "m".into(), input: Shape::from([3]), layers: layers.into(), frozen: 0 };
            let again = Model::from_keras(&model.to_keras()).unwrap();
            let built = |model: &Model| model.layers.iter().map(|l| format!("{l:?}")).collect::<Vec<_>>();
            assert_eq!(built(&again), built(&model));
        }
        // keras.layers.Dense(2, activation=keras.layers.LeakyReLU(0.1)).get_config() of Keras 3.
        let config = json!({"class_name": "Sequential", "config": {"layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [null, 3]}},
            {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": {"module": "keras.layers",
             "class_name": "LeakyReLU", "config": {"name": "leaky_re_lu", "trainable": true, "negative_slope": 0.1},
             "registered_name": null}}}]}});
        let layer = Model::from_keras(&config).unwrap().layers[0].config();
        assert_eq!(layer["activation"]["config"]["negative_slope"], json!(0.1_f32));
    }

    #[test]
    fn a_layer_may_be_called_input() {
        let mut model = scratch_cnn(&ScratchCnn::new(2));
        model.layers[0] = Arc::new(Conv2d::same_relu("input", 16, 3));
        let again = Model::from_keras(&model.to_keras()).unwrap();
        assert_eq!(again.parameters().unwrap(), model.parameters().unwrap());
    }

    #[test]
    fn keras_2_writes_the_input_shape_into_the_first_layer() {
        let config = json!({"class_name": "Sequential", "config": {"name": "old", "layers": [
            {"class_name": "Conv2D", "config": {"name": "c", "batch_input_shape": [null, 8, 8, 3], "filters": 4,
             "kernel_size": [3, 3], "activation": "relu"}},
            {"class_name": "Flatten", "config": {"name": "f"}},
            {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "softmax"}}]}});
        let model = Model::from_keras(&config).unwrap();
        assert_eq!(model.input[..], [8, 8, 3]);
        assert_eq!(model.classes().unwrap(), 2);
    }

    #[test]
    fn a_depthwise_convolution_has_a_kernel_for_each_channel() {
        // keras.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False, activation="relu").get_config()
        // of Keras 3.
        let config = json!({"class_name": "Sequential", "config": {"name": "m", "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [null, 8, 6, 5]}},
            {"class_name": "DepthwiseConv2D", "config": {"name": "d", "trainable": true, "kernel_size": [3, 3],
             "strides": [2, 2], "padding": "same", "depth_multiplier": 1, "data_format": "channels_last",
             "dilation_rate": [1, 1], "activation": "relu", "use_bias": false}}]}});
        let model = Model::from_keras(&config).unwrap();
        assert_eq!(model.trace(1).unwrap()[0].output[..], [1, 4, 3, 5]);
        assert_eq!(model.parameters().unwrap()[0].shape[..], [3, 3, 5, 1]);
        assert_eq!(Model::from_keras(&model.to_keras()).unwrap().to_keras(), model.to_keras());
    }

    #[test]
    fn an_axis_must_be_the_last() {
        let with_axis = |axis: Value| {
            let config = json!({"class_name": "Sequential", "config": {"layers": [
                {"class_name": "InputLayer", "config": {"batch_shape": [null, 4, 4, 3]}},
                {"class_name": "BatchNormalization", "config": {"name": "b", "axis": axis}}]}});
            Model::from_keras(&config).map_err(|error| error.to_string())
        };
        assert!([json!(-1), json!(3), json!([3])].into_iter().all(|axis| with_axis(axis).is_ok()));
        assert_eq!(with_axis(json!(1)).unwrap_err(), "b: axis = 1 is not supported");
    }

    #[test]
    fn features_of_length_1_are_those_of_the_last_axis() {
        let with_axis = |axis: Value| {
            let config = json!({"class_name": "Sequential", "config": {"layers": [
                {"class_name": "InputLayer", "config": {"batch_shape": [null, 5]}},
                {"class_name": "UnitNormalization", "config": {"name": "u", "axis": axis}}]}});
            Model::from_keras(&config).map_err(|error| error.to_string())
        };
        for axis in [json!(-1), json!([-1]), json!(1)] {
            assert_eq!(with_axis(axis).unwrap().layers[0].class_name(), UnitNormalization::CLASS);
        }
        assert_eq!(with_axis(json!(0)).unwrap_err(), "u: axis = 0 is not supported");
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let dense = |units: u64| {
            Model::from_keras(&json!({"class_name": "Sequential", "config": {"layers": [
                {"class_name": "InputLayer", "config": {"batch_shape": [null, 7]}},
                {"class_name": "Dense", "config": {"name": "d", "units": units}}]}}))
        };
        assert!(dense(MAX_SIZE as u64).is_ok());
        for units in [MAX_SIZE as u64 + 1, u64::MAX] {
            assert_eq!(dense(units).unwrap_err().to_string(), format!("d: units = {units} is not supported"));
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let config = json!({"class_name": "Sequential", "config": {"layers": [
            {"class_name": "Conv2D", "config": {"name": "c", "filters": 4, "kernel_size": 3, "groups": 2}}]}});
        let message = Model::from_keras(&config).unwrap_err().to_string();
        assert_eq!(message, "c: groups = 2 is not supported");
        let depthwise = |key: &str, value: Value| {
            let mut layer = json!({"name": "d", "kernel_size": 3});
            layer[key] = value;
            let layers = json!([{"class_name": "DepthwiseConv2D", "config": layer}]);
            Model::from_keras(&json!({"class_name": "Sequential", "config": {"layers": layers}}))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(depthwise("depth_multiplier", json!(2)), "d: depth_multiplier = 2 is not supported");
        assert_eq!(depthwise("dilation_rate", json!(2)), "d: dilation_rate = [2, 2] is not supported");
        let config = json!({"class_name": "Sequential", "config": {"layers": [
            {"class_name": "LSTM", "config": {"name": "l"}}]}});
        assert_eq!(
            Model::from_keras(&config).unwrap_err().to_string(),
            "l: layer class LSTM is not supported"
        );
    }
}
