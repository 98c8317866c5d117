//! Writing ONNX: pixels in, probabilities out, with the preprocessing inside the graph, so that nobody who runs it can
//! get it wrong.
//!
//! Input `x` `[batch, height, width, channels]`: RGB, 0..=255, as 32-bit floats. Output `probabilities`
//! `[batch, people]`. ONNX computes on channels before pixels, hence one transposition after the preprocessing and one
//! before the dense layers, whose weights expect Keras's order.

use std::path::Path;

use prost::Message;

use crate::formats::atomic::write_atomically;
use crate::formats::onnx::{
    AttributeProto, FLOAT, GraphProto, INT64, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, ValueInfoProto,
};
use crate::models::config::{Fields, unsupported};
use crate::models::{LayerShape, ModelFile};
use crate::nn::layers::UnitNormalization;
use crate::nn::{Layer, LayerActivation};
use crate::ops::{Activation, Normalize, Padding, Slide, slide};
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// The version of ONNX's operators: that of ONNX 1.12, which every program reads today.
const OPERATORS: i64 = 17;
/// The version of the file format that belongs to it.
const FORMAT: i64 = 8;
const INPUT: &str = "x";
const OUTPUT: &str = "probabilities";

/// Writes the file.
pub fn write(file: &ModelFile, path: &Path) -> Result<()> {
    let bytes = model(file)?.encode_to_vec();
    write_atomically(path, |out| out.write_all(&bytes))
}

fn model(file: &ModelFile) -> Result<ModelProto> {
    let trace = file.model.trace(1)?;
    let [_, classes] = trace.last().map_or(&[][..], |last| &last.output[..]) else {
        return Err(Error::Input(
            "the model's output is no row of probabilities; end it with a dense layer".into(),
        ));
    };
    let [_, _, 1..=4] = file.model.input[..] else {
        let problem = format!("the model takes {}, not pictures of up to four channels", file.model.input);
        return Err(Error::Input(problem));
    };
    let mut network = Network { y: INPUT.into(), nodes: vec![], tensors: vec![] };
    network.normalize(&file.preprocessing.normalize, &file.model.input);
    for (layer, shape) in file.model.layers.iter().zip(&trace) {
        network.layer(&**layer, shape, file)?;
    }
    let last = network.nodes.last_mut().expect("the preprocessing at least");
    last.output = vec![OUTPUT.into()];
    let graph = GraphProto {
        node: network.nodes,
        name: Some(file.model.name.clone()),
        initializer: network.tensors,
        input: vec![ValueInfoProto::floats(INPUT, &file.model.input)],
        output: vec![ValueInfoProto::floats(OUTPUT, &[*classes])],
    };
    let metadata = file.metadata();
    let entry =
        |key: &str| StringStringEntryProto { key: Some(key.into()), value: Some(metadata[key].to_string()) };
    Ok(ModelProto {
        ir_version: Some(FORMAT),
        producer_name: Some("lookalike".into()),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(OPERATORS) }],
        metadata_props: vec![entry("labels"), entry("preprocessing")],
    })
}

/// A graph that is being written; `y` is the name of what it has computed so far.
struct Network {
    y: String,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
}

impl Network {
    /// Preprocessing, then channels before pixels.
    fn normalize(&mut self, normalize: &Normalize, picture: &Shape) {
        let channels = picture.last().copied().unwrap_or(1);
        if normalize.reverse {
            let reversed: Vec<u8> = (0..channels as i64).rev().flat_map(i64::to_le_bytes).collect();
            let indices = self.tensor("preprocessing/order", INT64, &[channels], reversed);
            self.node("Gather", "preprocessing/reverse", vec![indices], vec![AttributeProto::int("axis", 3)]);
        }
        for (operator, name, values) in
            [("Mul", "scale", normalize.scale), ("Add", "offset", normalize.offset)]
        {
            let values = self.floats(&format!("preprocessing/{name}"), &[channels], &values[..channels]);
            self.node(operator, &format!("preprocessing/{name}ed"), vec![values], vec![]);
        }
        self.transpose("preprocessing/channels_first", [0, 3, 1, 2]);
    }

    fn layer(&mut self, layer: &dyn Layer, shape: &LayerShape, file: &ModelFile) -> Result<()> {
        let name = layer.name();
        let config = layer.config();
        let fields = Fields { class: layer.class_name(), name, config: &config };
        let is_picture = shape.input.rank() == 4;
        match layer.class_name() {
            "Conv2D" => {
                let kernel = weight(file, name, "kernel")?;
                let kernel = self.floats(&format!("{name}/kernel"), &oihw_shape(kernel), &oihw(kernel));
                let bias = self.bias(file, &fields)?;
                let [height, width] = fields.pair("kernel_size", None)?;
                let attributes = self.window(&fields, &shape.input, [height, width])?;
                let inputs = std::iter::once(kernel).chain(bias).collect();
                self.node("Conv", name, inputs, attributes);
                self.activation(name, fields.activation()?);
            }
            "DepthwiseConv2D" => {
                let kernel = weight(file, name, "kernel")?;
                let [height, width, channels, _] = kernel.shape().dims().expect("a kernel has rank 4");
                // Each channel is a group, with one filter of one channel.
                let filters = [channels, 1, height, width];
                let kernel = self.floats(&format!("{name}/kernel"), &filters, &oihw(kernel));
                let bias = self.bias(file, &fields)?;
                let mut attributes = self.window(&fields, &shape.input, [height, width])?;
                attributes.push(AttributeProto::int("group", channels as i64));
                self.node("Conv", name, std::iter::once(kernel).chain(bias).collect(), attributes);
                self.activation(name, fields.activation()?);
            }
            "Dense" => {
                let kernel = weight(file, name, "kernel")?;
                let kernel = self.floats(&format!("{name}/kernel"), kernel.shape(), &kernel.to_f32());
                let bias = self.bias(file, &fields)?;
                self.node("Gemm", name, std::iter::once(kernel).chain(bias).collect(), vec![]);
                self.activation(name, fields.activation()?);
            }
            class @ ("MaxPooling2D" | "AveragePooling2D") => {
                let attributes = self.window(&fields, &shape.input, fields.pair("pool_size", None)?)?;
                let operator = if class == "MaxPooling2D" { "MaxPool" } else { "AveragePool" };
                self.node(operator, name, vec![], attributes);
            }
            "GlobalAveragePooling2D" => {
                self.node("GlobalAveragePool", name, vec![], vec![]);
                self.node("Flatten", &format!("{name}/flat"), vec![], vec![]);
            }
            "Flatten" => {
                if is_picture {
                    self.transpose(&format!("{name}/channels_last"), [0, 2, 3, 1]);
                }
                self.node("Flatten", name, vec![], vec![]);
            }
            "Dropout" => {}
            "BatchNormalization" => {
                let mut inputs = Vec::new();
                for variable in ["gamma", "beta", "moving_mean", "moving_variance"] {
                    let tensor = weight(file, name, variable)?;
                    inputs.push(self.floats(&format!("{name}/{variable}"), tensor.shape(), &tensor.to_f32()));
                }
                let epsilon = AttributeProto::float("epsilon", fields.number("epsilon", 1e-3)?);
                self.node("BatchNormalization", name, inputs, vec![epsilon]);
            }
            "Activation" => self.activation(name, fields.activation()?),
            "LeakyReLU" => {
                let slope = fields.number("negative_slope", 0.3)?;
                self.activation(name, LayerActivation::Elementwise(Activation::LeakyRelu(slope)));
            }
            UnitNormalization::CLASS => {
                let attributes = vec![AttributeProto::int("axis", -1), AttributeProto::int("p", 2)];
                self.node("LpNormalization", name, vec![], attributes);
            }
            "PReLU" => {
                let slopes = weight(file, name, "alpha")?;
                let ones = if is_picture { 2 } else { 0 };
                let shape: Vec<usize> =
                    slopes.shape().iter().copied().chain(std::iter::repeat_n(1, ones)).collect();
                let slopes = self.floats(&format!("{name}/alpha"), &shape, &slopes.to_f32());
                self.node("PRelu", name, vec![slopes], vec![]);
            }
            class => return Err(unsupported(name, &format!("{class} in ONNX"))),
        }
        Ok(())
    }

    fn bias(&mut self, file: &ModelFile, fields: &Fields<'_>) -> Result<Option<String>> {
        if !fields.flag("use_bias", true) {
            return Ok(None);
        }
        let bias = weight(file, fields.name, "bias")?;
        Ok(Some(self.floats(&format!("{}/bias", fields.name), bias.shape(), &bias.to_f32())))
    }

    /// The attributes of windows of `size` over pictures `[batch, height, width, channels]`.
    fn window(&self, fields: &Fields<'_>, input: &Shape, size: [usize; 2]) -> Result<Vec<AttributeProto>> {
        let stride = fields.pair("strides", Some([1; 2]))?;
        let dilation = fields.pair("dilation_rate", Some([1; 2]))?;
        let slides =
            [0, 1].map(|i| Slide { window: size[i], stride: stride[i], dilation: dilation[i], ceil: false });
        let padding: Padding = fields.padding()?;
        let axes = slide("onnx", [input[1], input[2]], slides, padding)?;
        let pads = [axes[0].before, axes[1].before, axes[0].after(), axes[1].after()];
        let attribute = |name, values: &[usize]| {
            AttributeProto::ints(name, values.iter().map(|&value| value as i64).collect::<Vec<_>>())
        };
        let mut attributes =
            vec![attribute("kernel_shape", &size), attribute("strides", &stride), attribute("pads", &pads)];
        if dilation != [1; 2] {
            attributes.push(attribute("dilations", &dilation));
        }
        Ok(attributes)
    }

    fn activation(&mut self, layer: &str, activation: LayerActivation) {
        let (operator, attribute) = match activation {
            // Channels are axis 1 of pictures and of rows.
            LayerActivation::Softmax => ("Softmax", Some(AttributeProto::int("axis", 1))),
            LayerActivation::Elementwise(activation) => match activation {
                Activation::Linear => return,
                Activation::Relu => ("Relu", None),
                Activation::Sigmoid => ("Sigmoid", None),
                Activation::Tanh => ("Tanh", None),
                Activation::LeakyRelu(slope) => ("LeakyRelu", Some(AttributeProto::float("alpha", slope))),
            },
        };
        let name = format!("{layer}/{}", activation.name());
        self.node(operator, &name, vec![], attribute.into_iter().collect());
    }

    fn transpose(&mut self, name: &str, order: [i64; 4]) {
        self.node("Transpose", name, vec![], vec![AttributeProto::ints("perm", order)]);
    }

    /// Appends a node that takes `y` and `inputs`, and makes its output `y`.
    fn node(&mut self, operator: &str, name: &str, inputs: Vec<String>, attribute: Vec<AttributeProto>) {
        let output = format!("{name}/y");
        let x = std::mem::replace(&mut self.y, output.clone());
        self.nodes.push(NodeProto {
            input: std::iter::once(x).chain(inputs).collect(),
            output: vec![output],
            name: Some(name.into()),
            op_type: Some(operator.into()),
            attribute,
        });
    }

    /// Adds a constant; gives its name.
    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.tensor(name, FLOAT, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn tensor(&mut self, name: &str, data_type: i32, shape: &[usize], bytes: Vec<u8>) -> String {
        self.tensors.push(TensorProto {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(data_type),
            name: Some(name.into()),
            raw_data: Some(bytes),
        });
        name.into()
    }
}

fn weight<'f>(file: &'f ModelFile, layer: &str, variable: &str) -> Result<&'f HostTensor> {
    let name = format!("{layer}/{variable}");
    file.weights.get(&name).ok_or_else(|| Error::State { name, problem: "is missing".into() })
}

/// The shape of a convolution's kernel `[height, width, in, out]` in ONNX: `[out, in, height, width]`.
fn oihw_shape(kernel: &HostTensor) -> Vec<usize> {
    let [height, width, channels, filters] = kernel.shape().dims().expect("a kernel has rank 4");
    vec![filters, channels, height, width]
}

fn oihw(kernel: &HostTensor) -> Vec<f32> {
    let [height, width, channels, filters] = kernel.shape().dims().expect("a kernel has rank 4");
    let values = kernel.to_f32();
    let mut turned = Vec::with_capacity(values.len());
    for filter in 0..filters {
        for channel in 0..channels {
            let taps = (0..height * width).map(|tap| values[(tap * channels + channel) * filters + filter]);
            turned.extend(taps);
        }
    }
    turned
}
