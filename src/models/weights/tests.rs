use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use super::*;
use crate::formats::npz::{self, NpzArray, NpzData};
use crate::formats::safetensors::{self, TensorFile};
use crate::models::vgg16_base;
use crate::nn::layers::{Conv2d, MaxPooling2d};
use crate::tensor::Shape;

/// Files of `kernels-tests/weights`, which the scripts there make: of Keras 1 (in names), 2 and 3, and of others.
const FILES: [&str; 12] = [
    "keras1_half.h5",
    "keras1_big_double.h5",
    "keras2_notop.h5",
    "keras2_whole.h5",
    "keras2_whole.keras",
    "keras3.weights.h5",
    "keras3_whole.h5",
    "keras3_whole.keras",
    "h5py_gzip.h5",
    "keras_names.safetensors",
    "torchvision.safetensors",
    "named.npz",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/weights").join(name)
}

fn model(convolutions: &[(&str, usize)]) -> Model {
    let mut layers: Vec<Arc<dyn crate::nn::Layer>> = Vec::new();
    for &(name, channels) in convolutions {
        if name == "block2_conv1" {
            layers.push(Arc::new(MaxPooling2d::square("block1_pool", 2)));
        }
        layers.push(Arc::new(Conv2d::same_relu(name, channels, 3)));
    }
    Model { name: "small_vgg".into(), input: Shape::from([16, 16, 3]), layers, frozen: 0 }
}

/// The network of the fixtures.
fn small() -> Model {
    model(&[("block1_conv1", 4), ("block1_conv2", 4), ("block2_conv1", 6)])
}

/// What the fixtures hold for it.
fn expected() -> BTreeMap<String, HostTensor> {
    let parameters = small().parameters().unwrap().into_iter().enumerate();
    parameters
        .map(|(k, parameter)| {
            let values: Vec<f32> =
                (0..parameter.shape.len()).map(|i| 0.5 * k as f32 + i as f32 / 512.0).collect();
            (parameter.name, HostTensor::new(parameter.shape, values))
        })
        .collect()
}

fn problem(path: &Path, model: &Model) -> String {
    let message = read(path, model).expect_err("not the weights of this network").to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    message
}

#[test]
fn every_layout_gives_the_same_weights() {
    for name in FILES {
        let weights = read(&fixture(name), &small()).unwrap_or_else(|e| panic!("{e}"));
        assert!(weights.tensors == expected(), "{name}: {:?}", weights.tensors);
        assert_eq!((weights.normalize, weights.sha256.len()), (None, 64), "{name}");
    }
}

#[test]
fn a_file_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let renamed = folder.path().join("weights.bin");
        fs::copy(fixture(name), &renamed).unwrap();
        assert!(read(&renamed, &small()).is_ok(), "{name}");
    }
    let text = folder.path().join("weights.h5");
    for content in ["", "no weights at all, but some text"] {
        fs::write(&text, content).unwrap();
        assert!(problem(&text, &small()).contains("no file of weights"));
    }
    assert!(problem(folder.path(), &small()).contains("is not a file"));
}

/// TF-Keras writes no names into the archive: with its `config.json` they are known, without it the order counts.
#[test]
fn variables_without_names_are_found_by_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unnamed.weights.h5");
    let mut archive = zip::ZipArchive::new(File::open(fixture("keras2_whole.keras")).unwrap()).unwrap();
    io::copy(&mut archive.by_name("model.weights.h5").unwrap(), &mut File::create(&path).unwrap()).unwrap();
    assert!(read(&path, &small()).unwrap().tensors == expected());
    // Other names are fine then; another number of layers is another network.
    let other = model(&[("a", 4), ("b", 4), ("c", 6)]);
    assert_eq!(read(&path, &other).unwrap().tensors["c/bias"], expected()["block2_conv1/bias"]);
    let message = problem(&path, &model(&[("block1_conv1", 4), ("block1_conv2", 4)]));
    assert!(message.contains("0 models with 2 conv2d"), "{message}");
}

#[test]
fn another_network_is_refused_by_tensor_and_shapes() {
    for name in FILES {
        let message =
            problem(&fixture(name), &model(&[("block1_conv1", 4), ("block1_conv2", 5), ("block2_conv1", 6)]));
        let shapes = match name {
            "torchvision.safetensors" => "features.2.weight': has shape [4, 4, 3, 3], expected [5, 4, 3, 3]",
            _ => "has shape [3, 3, 4, 4], expected [3, 3, 4, 5]",
        };
        assert!(message.contains(shapes), "{message}");
        let more = [("block1_conv1", 4), ("block1_conv2", 4), ("block2_conv1", 6), ("block2_conv2", 6)];
        let message = problem(&fixture(name), &model(&more));
        assert!(message.contains("'block2_conv2/kernel' of shape [3, 3, 6, 6] is missing"), "{message}");
    }
}

#[test]
fn files_cut_short_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let bytes = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        // The end of an archive may be a comment, that of an HDF5 file unused.
        for length in (0..bytes.len() - 2048.min(bytes.len() / 4)).step_by(397) {
            fs::write(&path, &bytes[..length]).unwrap();
            problem(&path, &small());
        }
    }
}

#[test]
fn numbers_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nan.safetensors");
    let mut tensors = expected();
    let mut bias = tensors["block1_conv2/bias"].to_f32();
    bias[2] = f32::NAN;
    tensors.insert("block1_conv2/bias".into(), HostTensor::new([4], bias));
    safetensors::write(&path, &TensorFile { tensors, ..TensorFile::default() }).unwrap();
    let message = problem(&path, &small());
    assert!(message.contains("tensor 'block1_conv2/bias': NaN at [2] is not finite"), "{message}");
}

#[test]
fn weights_of_another_type_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes.npz");
    let arrays = expected();
    let arrays: Vec<(&str, NpzArray<'_>)> = arrays
        .iter()
        .map(|(name, tensor)| {
            let bytes = vec![0_u8; tensor.shape().len()];
            (name.as_str(), NpzArray::new(tensor.shape().to_vec(), NpzData::U8(bytes.into())))
        })
        .collect();
    npz::write(&path, &arrays).unwrap();
    assert!(problem(&path, &small()).contains("tensor 'block1_conv1/kernel': holds no floats"));
}

#[test]
fn a_tensor_that_is_there_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.safetensors");
    let mut tensors = expected();
    tensors.insert("other/block1_conv1/kernel".into(), tensors["block1_conv1/kernel"].clone());
    safetensors::write(&path, &TensorFile { tensors, ..TensorFile::default() }).unwrap();
    assert!(problem(&path, &small()).contains("is there 2 times"));
}

/// A network with batch normalisation has convolutions of the same shapes, under other numbers.
#[test]
fn weights_trained_with_batch_normalisation_are_not_mistaken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg_bn.safetensors");
    let mut file = safetensors::read(fixture("torchvision.safetensors")).unwrap();
    for (from, to) in [("features.5", "features.7"), ("features.2", "features.3")] {
        for variable in ["weight", "bias"] {
            let tensor = file.tensors.remove(&format!("{from}.{variable}")).unwrap();
            file.tensors.insert(format!("{to}.{variable}"), tensor);
        }
    }
    safetensors::write(&path, &file).unwrap();
    assert!(problem(&path, &small()).contains("'block1_conv2/kernel' of shape [3, 3, 4, 4] is missing"));
}

#[test]
fn preprocessing_is_known_given_or_asked_for() {
    let weights = |normalize| Pretrained { tensors: BTreeMap::new(), sha256: String::new(), normalize };
    let path = Path::new("my.h5");
    let [torch, caffe] = [Normalize::torch(), Normalize::caffe()];
    assert_eq!(weights(Some(torch)).preprocessing(path, None).unwrap(), torch);
    assert_eq!(weights(Some(torch)).preprocessing(path, Some(caffe)).unwrap(), caffe);
    assert_eq!(weights(None).preprocessing(path, Some(caffe)).unwrap(), caffe);
    let message = weights(None).preprocessing(path, None).unwrap_err().to_string();
    assert!(message.starts_with("my.h5: ") && message.contains("--preprocessing"), "{message}");
}

fn shared(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("LOOKALIKE_DATA").expect("LOOKALIKE_DATA is set")).join("vgg16").join(name)
}

#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn vgg16_reads_the_same_from_every_format() {
    let base = vgg16_base(224).unwrap();
    let whole = read(&shared("vgg16_torchvision_notop.h5"), &base).unwrap();
    assert_eq!(whole.normalize, Some(Normalize::torch()));
    let kernel = whole.tensors["block1_conv1/kernel"].to_f32();
    assert_eq!(kernel[0], -0.553_730_6);
    assert_eq!(whole.tensors["block1_conv1/bias"].to_f32()[0], 0.403_388);

    let halves = read(&shared("vgg16_notop_f16.safetensors"), &base).unwrap();
    assert_eq!(halves.normalize, Some(Normalize::torch()));
    assert_eq!(halves.tensors.len(), 26);
    for (name, tensor) in &whole.tensors {
        let pairs = tensor.to_f32().into_iter().zip(halves.tensors[name].to_f32());
        let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 4.6e-4, "{name}: {worst}");
    }

    // The same under torchvision's names and in its layout.
    const NUMBERS: [usize; 13] = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
    let mut tensors = BTreeMap::new();
    for (layer, number) in base.parameters().unwrap().chunks(2).zip(NUMBERS) {
        let kernel = &whole.tensors[&layer[0].name];
        let [height, width, inputs, outputs] = kernel.shape().dims().unwrap();
        let (area, values) = (height * width, kernel.to_f32());
        let turned: Vec<f32> = (0..values.len())
            .map(|i| values[(i % area * inputs + i / area % inputs) * outputs + i / area / inputs])
            .collect();
        tensors.insert(
            format!("features.{number}.weight"),
            HostTensor::new([outputs, inputs, height, width], turned),
        );
        tensors.insert(format!("features.{number}.bias"), whole.tensors[&layer[1].name].clone());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg16.safetensors");
    safetensors::write(&path, &TensorFile { tensors, ..TensorFile::default() }).unwrap();
    let torch = read(&path, &base).unwrap();
    assert!(torch.tensors == whole.tensors && torch.normalize.is_none());
}
