use std::fs;
use std::sync::Arc;

use prost::Message;
use serde_json::json;

use super::*;
use crate::formats::onnx::ModelProto;
use crate::graph::Params;
use crate::models::{ScratchCnn, scratch_cnn};
use crate::nn::LayerActivation;
use crate::nn::layers::{BatchNormalization, DepthwiseConv2d, Prelu, UnitNormalization};
use crate::ops::{Normalize, Padding};

const ENDINGS: [&str; 4] = ["h5", "keras", "npz", "safetensors"];

fn preprocessing() -> Preprocessing {
    let normalize = Normalize::caffe();
    Preprocessing {
        size: 8,
        detector: "lbp".into(),
        margin: 0.2,
        align: false,
        placed: None,
        whole: true,
        normalize,
    }
}

/// A model with parameters of every rank, and more metadata than an HDF5 header holds.
fn example() -> ModelFile {
    let mut model = scratch_cnn(&ScratchCnn { size: 8, widths: vec![2, 3], dense: 5, ..ScratchCnn::new(3) });
    model.layers.insert(1, Arc::new(Prelu { name: "slopes".into(), rank: 4 }));
    model.layers.insert(2, Arc::new(BatchNormalization::new("normalized")));
    model.layers.insert(
        3,
        Arc::new(DepthwiseConv2d {
            name: "depthwise".into(),
            kernel_size: [3, 2],
            strides: [1, 1],
            padding: Padding::Same,
            activation: LayerActivation::RELU,
            use_bias: true,
        }),
    );
    let last = model.layers.len() - 1;
    model.layers.insert(last, Arc::new(UnitNormalization { name: "unit".into() }));
    model.frozen = 2;
    let params = Params::new(&crate::Device::cpu());
    model.initialize(&params, 1).unwrap();
    let names = model.parameters().unwrap().into_iter().map(|parameter| parameter.name);
    let weights = names.map(|name| (name.clone(), params.get(&name).unwrap())).collect();
    let labels = ["Zoë", "b", "c"].map(str::to_owned).to_vec();
    let training = json!({"loss": vec![0.25; 30_000]});
    ModelFile { training, ..ModelFile::new(model, labels, preprocessing(), weights) }
}

fn given() -> Given {
    let labels = Some(["a", "b"].map(str::to_owned).to_vec());
    Given { labels, preprocessing: Some(preprocessing()) }
}

/// Files that Keras wrote, by `kernels-tests/weights/keras2.py` and `keras3.py`: a frozen base within a `Sequential`.
fn by_keras(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/weights").join(name)
}

fn problem(path: &Path, given: &Given) -> String {
    let message = ModelFile::open_with(path, given).expect_err("a file that cannot be used").to_string();
    assert!(message.starts_with(path.to_str().unwrap()), "{message}");
    message
}

#[test]
fn every_format_gives_back_what_it_was_given_and_equal_models_give_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ENDINGS {
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name).with_extension(ending));
        example().save(&a).unwrap();
        example().save(&b).unwrap();
        assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "{ending}");
        let again = ModelFile::open(&a).unwrap();
        assert_eq!(again.metadata_with_architecture(), example().metadata_with_architecture(), "{ending}");
        assert_eq!(again.weights, example().weights, "{ending}");
    }
}

#[test]
fn no_beginning_of_a_file_is_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["h5", "keras", "npz"] {
        let path = folder.path().join("a").with_extension(ending);
        example().save(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        for length in (0..bytes.len()).step_by(bytes.len() / 40).chain([bytes.len() - 1]) {
            fs::write(&path, &bytes[..length]).unwrap();
            assert!(ModelFile::open(&path).is_err(), "{length} of {} bytes of {ending}", bytes.len());
        }
    }
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for ending in ["h5", "keras", "npz"] {
        let path = folder.path().join("a").with_extension(ending);
        let changed = |name: &str, tensor: Option<HostTensor>| {
            let mut file = example();
            match tensor {
                Some(tensor) => file.weights.insert(name.into(), tensor),
                None => file.weights.remove(name),
            };
            file.save(&path)
        };
        changed("dense1/bias", Some(HostTensor::new([6], vec![0.0f32; 6]))).unwrap();
        let message = problem(&path, &Given::default());
        assert!(message.contains("dense1") && message.contains("expected"), "{message}");
        changed("dense1/bias", Some(HostTensor::new([5], vec![f32::NAN; 5]))).unwrap();
        let message = problem(&path, &Given::default());
        assert!(message.contains("dense1/bias") && message.contains("not finite"), "{message}");
        fs::remove_file(&path).unwrap();
        let missing = changed("dense1/bias", None).and_then(|()| ModelFile::open(&path).map(drop));
        let message = missing.unwrap_err().to_string();
        assert!(message.contains("dense1/bias") && message.contains("missing"), "{message}");
    }
}

#[test]
fn what_keras_writes_is_read_once_it_is_known_whom_it_shows() {
    for name in ["keras2_whole.h5", "keras2_whole.keras", "keras3_whole.h5", "keras3_whole.keras"] {
        let path = by_keras(name);
        let message = problem(&path, &Given::default());
        assert!(message.contains("--labels") && message.contains("--preprocessing"), "{message}");
        let file = ModelFile::open_with(&path, &given()).unwrap();
        assert_eq!((file.model.frozen, file.model.layers.len()), (5, 7), "{name}");
        assert_eq!((file.preprocessing.size, &file.labels[..]), (16, &["a".to_owned(), "b".to_owned()][..]));
        assert_eq!(file.weights["block1_conv2/kernel"].to_f32()[1], 2.0 * 0.5 + 1.0 / 512.0, "{name}");
        assert_eq!(file.weights["block2_conv1/bias"].to_f32()[5], 5.0 * 0.5 + 5.0 / 512.0, "{name}");
        let three = Given { labels: Some(vec![String::new(); 3]), ..given() };
        assert!(problem(&path, &three).contains("3 labels for 2 outputs"));
    }
}

#[test]
fn files_that_are_something_else_say_what_to_give() {
    let weights_only = by_keras("keras3.weights.h5");
    assert!(problem(&weights_only, &given()).contains("save the model, not only its weights"));
    assert!(problem(&by_keras("named.npz"), &given()).contains("not a model that lookalike wrote"));
    assert!(problem(Path::new("none.onnx"), &given()).contains("written, not read"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.keras");
    crate::formats::bundle::write(&path, &[("metadata.json", b"{}")]).unwrap();
    assert!(problem(&path, &given()).contains("lacks config.json or model.weights.h5"));
}

#[test]
fn onnx_holds_the_preprocessing_the_network_and_whom_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.onnx");
    example().save(&path).unwrap();
    let model = ModelProto::decode(&fs::read(&path).unwrap()[..]).unwrap();
    let graph = model.graph.unwrap();
    let operators: Vec<&str> = graph.node.iter().map(|node| node.op_type()).collect();
    let expected = [
        "Gather",
        "Mul",
        "Add",
        "Transpose",
        "Conv",
        "Relu",
        "PRelu",
        "BatchNormalization",
        "Conv",
        "Relu",
        "MaxPool",
        "Conv",
        "Relu",
        "MaxPool",
        "Transpose",
        "Flatten",
        "Gemm",
        "Relu",
        "LpNormalization",
        "Gemm",
        "Softmax",
    ];
    assert_eq!(operators, expected);
    for pair in graph.node.windows(2) {
        assert_eq!(pair[0].output[0], pair[1].input[0]);
    }
    assert_eq!((graph.input[0].name(), graph.output[0].name()), ("x", "probabilities"));
    let kernel = graph.initializer.iter().find(|tensor| tensor.name() == "conv2/kernel").unwrap();
    assert_eq!(kernel.dims, [3, 2, 3, 3]);
    let values: Vec<f32> =
        kernel.raw_data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    // [filter 2, channel 1, row 0, column 2] of ONNX is [row 0, column 2, channel 1, filter 2] of ours.
    assert_eq!(values[(2 * 2 + 1) * 9 + 2], example().weights["conv2/kernel"].to_f32()[(2 * 2 + 1) * 3 + 2]);
    // A group for each of two channels, with one filter.
    let group = graph.node[8].attribute.iter().find(|attribute| attribute.name() == "group").unwrap();
    assert_eq!(group.i(), 2);
    let kernel = graph.initializer.iter().find(|tensor| tensor.name() == "depthwise/kernel").unwrap();
    assert_eq!(kernel.dims, [2, 1, 3, 2]);
    let values: Vec<f32> =
        kernel.raw_data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    // [filter 1, row 2, column 0] of ONNX is [row 2, column 0, channel 1] of ours.
    assert_eq!(values[(3 + 2) * 2], example().weights["depthwise/kernel"].to_f32()[2 * 2 * 2 + 1]);
    assert_eq!(model.metadata_props[0].value(), r#"["Zoë","b","c"]"#);
}
