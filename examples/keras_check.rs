//! What `scripts/keras-check` compares Keras and onnxruntime with: models that use every layer, and our answers.
//!
//! ```text
//! cargo run --example keras_check -- make FOLDER
//! cargo run --example keras_check -- predict MODEL PICTURES.npz ANSWERS.npz
//! ```
//!
//! `make` writes models with random weights, and for each the demo's photos in its size as `NAME-pictures.npz`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lookalike::Device;
use lookalike::formats::npz::{self, NpzArray, NpzData};
use lookalike::models::{Judgement, Model, ModelFile, Predictor, Preprocessing};
use lookalike::nn::layers::{
    Activation, AveragePooling2d, BatchNormalization, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten,
    GlobalAveragePooling2d, LeakyRelu, MaxPooling2d, Prelu, UnitNormalization,
};
use lookalike::nn::{Layer, LayerActivation, Parameter};
use lookalike::ops::{Normalize, Padding};
use lookalike::tensor::{HostTensor, Shape};
use lookalike::vision::{MAX_PIXELS, crop_resize, decode};

const PEOPLE: usize = 5;
const PICTURES: usize = 24;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder] => make(Path::new(folder)),
        ["predict", model, pictures, answers] => predict(model, pictures, answers),
        _ => Err("give: make FOLDER, or: predict MODEL PICTURES.npz ANSWERS.npz".into()),
    }
}

fn make(folder: &Path) -> Result<(), Box<dyn Error>> {
    // The gains make answers that are neither all alike nor all certain.
    let models = [
        (vgg_like(), Normalize::caffe(), 1.5),
        (every_layer("odd", [37, 37]), Normalize::torch(), 2.0),
        (every_layer("wide", [29, 38]), Normalize::unit(), 2.0),
    ];
    for (model, normalize, gain) in models {
        let pictures = photos(&model.input)?;
        let [height, width, channels] = model.input[..] else { return Err("pictures have rank 3".into()) };
        let x = NpzArray::new([PICTURES, height, width, channels], NpzData::U8(pictures.into()));
        npz::write(folder.join(format!("{}-pictures.npz", model.name)), &[("x", x)])?;
        let weights = weights(&model, gain)?;
        let preprocessing = Preprocessing {
            size: height,
            detector: "mtcnn".into(),
            margin: 0.2,
            align: true,
            placed: None,
            whole: true,
            normalize,
        };
        let labels = (0..PEOPLE).map(|number| format!("person {number}")).collect();
        let training = serde_json::json!({"curves": vec![0.125; 20_000]}); // more than an HDF5 attribute holds
        let path = folder.join(format!("{}.safetensors", model.name));
        ModelFile { model, labels, preprocessing, training, judgement: Judgement::default(), weights }
            .save(&path)?;
    }
    Ok(())
}

fn predict(model: &str, pictures: &str, answers: &str) -> Result<(), Box<dyn Error>> {
    let file = ModelFile::open(Path::new(model))?;
    let Some(NpzData::U8(pixels)) = npz::read(pictures)?.remove("x").map(NpzArray::into_data) else {
        return Err(format!("{pictures}: has no bytes 'x'").into());
    };
    let rows = Predictor::new(&Device::cpu(), file)?.predict(&pixels)?;
    let shape = [rows.len(), rows.first().map_or(0, Vec::len)];
    npz::write(answers, &[("y", NpzArray::new(shape, NpzData::F32(rows.concat().into())))])?;
    Ok(())
}

/// The demo's first photos in the size of a model's input.
fn photos(input: &Shape) -> Result<Vec<u8>, Box<dyn Error>> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo");
    let mut paths: Vec<PathBuf> = Vec::new();
    for person in fs::read_dir(demo)?.filter_map(|entry| fs::read_dir(entry.ok()?.path()).ok()) {
        paths.extend(person.filter_map(|entry| Some(entry.ok()?.path())));
    }
    paths.sort();
    let mut pixels = Vec::new();
    for path in &paths[..PICTURES] {
        let photo = decode(path, MAX_PIXELS)?;
        pixels.extend(crop_resize(&photo, photo.bounds(), input[1], input[0]).into_pixels());
    }
    Ok(pixels)
}

/// Weights as training could leave them: larger than at first, and no bias or statistic is 0 or 1.
fn weights(model: &Model, gain: f32) -> Result<BTreeMap<String, HostTensor>, Box<dyn Error>> {
    let mut weights = BTreeMap::new();
    for parameter in model.parameters()? {
        let Parameter { name, shape, initializer, .. } = parameter;
        let height = if shape.rank() == 1 { 0.1 } else { 0.0 };
        let wave = |index: usize| height * (index as f32 * 1.7 + name.len() as f32).sin();
        let initial = initializer.values(&name, &shape, 1).to_f32();
        let values: Vec<f32> =
            initial.iter().enumerate().map(|(index, value)| gain * value + wave(index)).collect();
        weights.insert(name, HostTensor::new(shape, values));
    }
    Ok(weights)
}

/// The kinds of layers that VGG16 and its head have, with few channels.
fn vgg_like() -> Model {
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for (block, channels) in [(1, 8), (2, 12), (3, 16)] {
        for number in 1..=2 {
            layers.push(Arc::new(Conv2d::same_relu(&format!("block{block}_conv{number}"), channels, 3)));
        }
        layers.push(Arc::new(MaxPooling2d::square(&format!("block{block}_pool"), 2)));
    }
    let frozen = layers.len();
    // The pixels that VGG16 takes are large; here nothing has been trained to make them small.
    layers.push(Arc::new(BatchNormalization { name: "small".into(), momentum: 0.9, epsilon: 2000.0 }));
    layers.push(Arc::new(Flatten { name: "flatten".into() }));
    layers.push(Arc::new(Dense::new("dense1", 32, LayerActivation::RELU)));
    layers.push(Arc::new(Dropout { name: "dropout".into(), rate: 0.5 }));
    layers.push(Arc::new(BatchNormalization::new("batch_normalization")));
    layers.push(Arc::new(Dense::new("dense2", PEOPLE, LayerActivation::Softmax)));
    Model { name: "vgg-like".into(), input: Shape::from([48, 48, 3]), layers, frozen }
}

/// Every layer there is, on pictures whose sizes are not what strides divide.
fn every_layer(name: &str, [height, width]: [usize; 2]) -> Model {
    let sigmoid = LayerActivation::named("sigmoid").expect("it is known");
    let convolution = Conv2d::same_relu("", 6, 3);
    let layers: Vec<Arc<dyn Layer>> = vec![
        Arc::new(Conv2d {
            name: "even".into(),
            kernel_size: [4, 2],
            activation: LayerActivation::LINEAR,
            use_bias: false,
            ..convolution.clone()
        }),
        Arc::new(BatchNormalization::new("normalized")),
        Arc::new(Prelu { name: "slopes".into(), rank: 4 }),
        Arc::new(Conv2d {
            name: "strided".into(),
            strides: [2, 3],
            activation: LayerActivation::leaky_relu(0.35),
            ..convolution.clone()
        }),
        Arc::new(AveragePooling2d {
            name: "average".into(),
            pool_size: [3, 2],
            strides: [1, 2],
            padding: Padding::Same,
        }),
        Arc::new(Conv2d {
            name: "dilated".into(),
            dilation_rate: [2, 1],
            activation: LayerActivation::named("tanh").expect("it is known"),
            ..convolution.clone()
        }),
        Arc::new(MaxPooling2d {
            name: "largest".into(),
            pool_size: [3, 3],
            strides: [2, 2],
            padding: Padding::Same,
        }),
        Arc::new(LeakyRelu { name: "leaky".into(), negative_slope: 0.17 }),
        Arc::new(DepthwiseConv2d {
            name: "depthwise".into(),
            kernel_size: [3, 2],
            strides: [1, 1],
            padding: Padding::Same,
            activation: LayerActivation::RELU,
            use_bias: true,
        }),
        Arc::new(Conv2d {
            name: "valid".into(),
            padding: Padding::Valid,
            kernel_size: [2, 3],
            ..convolution
        }),
        last_of_pictures(name),
        Arc::new(Dense::new("wide", 40, LayerActivation::named("leaky_relu").expect("it is known"))),
        Arc::new(Prelu { name: "rows".into(), rank: 2 }),
        Arc::new(BatchNormalization::new("normalized_rows")),
        Arc::new(Dropout { name: "dropout".into(), rate: 0.25 }),
        Arc::new(Dense { use_bias: false, ..Dense::new("plain", 20, LayerActivation::LINEAR) }),
        Arc::new(Activation { name: "squashed".into(), activation: sigmoid }),
        Arc::new(Dense::new("last", PEOPLE, LayerActivation::LINEAR)),
        Arc::new(UnitNormalization { name: "unit".into() }),
        Arc::new(Activation { name: "probabilities".into(), activation: LayerActivation::Softmax }),
    ];
    Model { name: name.into(), input: Shape::from([height, width, 3]), layers, frozen: 0 }
}

/// The two ways from pictures to rows.
fn last_of_pictures(model: &str) -> Arc<dyn Layer> {
    match model {
        "odd" => Arc::new(GlobalAveragePooling2d { name: "mean".into() }),
        _ => Arc::new(Flatten { name: "flatten".into() }),
    }
}
