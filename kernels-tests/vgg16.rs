//! VGG16's activations on one photo against TensorFlow's (shared test data; see their README for how they were made).

use std::collections::BTreeMap;
use std::path::PathBuf;

use lookalike::Device;
use lookalike::check;
use lookalike::data::features::{FeatureCache, Precision, RowKey};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::models::weights::read;
use lookalike::models::{Model, vgg16_base};
use lookalike::nn::Mode;
use lookalike::ops::Normalize;
use lookalike::tensor::{Data, HostTensor, TensorType};
use lookalike::vision::{MAX_PIXELS, decode};

const SIZE: usize = 224;

fn file(name: &str) -> PathBuf {
    let data = std::env::var("LOOKALIKE_DATA").expect("LOOKALIKE_DATA names the test data");
    PathBuf::from(data).join("vgg16").join(name)
}

fn weights(name: &str) -> BTreeMap<String, HostTensor> {
    read(&file(name), &vgg16_base(SIZE).unwrap()).unwrap().tensors
}

fn reference(name: &str) -> Vec<f32> {
    let arrays = lookalike::formats::npz::read(file("vgg16_reference_astronaut.npz")).unwrap();
    match arrays[name].data() {
        lookalike::formats::npz::NpzData::F32(values) => values.to_vec(),
        other => panic!("{name}: {other:?}"),
    }
}

/// ‖found − expected‖₂ / ‖expected‖₂.
fn relative_l2(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let pairs = found.iter().zip(expected);
    norm(&mut pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)))
        / norm(&mut expected.iter().map(|&x| f64::from(x)))
}

/// What the layers `names` make of the photo.
fn activations<const N: usize>(
    device: &Device,
    weights: &BTreeMap<String, HostTensor>,
    normalize: Normalize,
    names: [&str; N],
) -> [Vec<f32>; N] {
    let photo = decode(&file("astronaut_224.png"), MAX_PIXELS).unwrap();
    let base: Model = vgg16_base(SIZE).unwrap();
    let params = Params::new(device);
    base.load(&params, weights).unwrap();
    let mut graph = Graph::new();
    let pixels = graph.input("x", TensorType::u8([1, SIZE, SIZE, 3]));
    let mut y = graph.normalize(pixels, normalize).unwrap();
    let mut wanted = Vec::new();
    let mut from = 0;
    for name in names {
        let until = base.layers.iter().position(|layer| layer.name() == name).unwrap() + 1;
        let input = graph.shape(y)[1..].into();
        let part = Model { layers: base.layers[from..until].to_vec(), input, ..base.clone() };
        y = part.build(&mut graph, y, Mode::Predict, 0, None).unwrap();
        wanted.push(y);
        from = until;
    }
    let mut plan = Plan::new(&graph, &params, &wanted).unwrap();
    plan.write("x", &Data::U8(photo.pixels().to_vec())).unwrap();
    plan.run().unwrap();
    std::array::from_fn(|at| plan.read(wanted[at]).unwrap().to_f32())
}

/// Row 112 of the first layer, the mean of each channel of block 3, all of block 5.
fn compare(device: &Device) {
    let names = ["block1_conv1", "block3_pool", "block5_pool"];
    let [first, third, last] =
        activations(device, &weights("vgg16_torchvision_notop.h5"), Normalize::torch(), names);
    let row = &first[112 * SIZE * 64..][..SIZE * 64];
    let pixels = third.len() / 256;
    let mean: Vec<f32> =
        (0..256).map(|c| third.iter().skip(c).step_by(256).sum::<f32>() / pixels as f32).collect();
    for (name, found) in
        [("block1_conv1_row112", row), ("block3_pool_mean", &mean[..]), ("block5_pool", &last[..])]
    {
        let error = relative_l2(found, &reference(name));
        println!("{device}: {name} {error:.1e}");
        assert!(error < 1e-4, "{name} on {device}: {error:.1e}");
    }
}

#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn activations_are_the_references_on_the_cpu_path() {
    compare(&Device::cpu());
}

#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn activations_are_the_references_on_the_gpu() {
    compare(check::gpu());
}

#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn half_floats_for_weights_and_features_stay_near() {
    let weights = weights("vgg16_notop_f16.safetensors");
    for device in [&Device::cpu(), check::gpu()] {
        let [last] = activations(device, &weights, Normalize::torch(), ["block5_pool"]);
        let mut cache = FeatureCache::in_memory(last.len(), Precision::F16, 1 << 20);
        let key = RowKey::of_picture(b"astronaut");
        cache.insert(key, &last);
        let mut kept = Vec::new();
        assert!(cache.get(&key, &mut kept));
        let error = relative_l2(&kept, &reference("block5_pool"));
        println!("{device}: 16-bit weights and features {error:.1e}");
        assert!(error < 1e-2, "{error:.1e} on {device}");
    }
}

/// The first layer for pixels as Keras prepares them, the others as they are: the same features but for the border, where
/// zeros mean something else.
#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn the_first_layer_for_kerass_pixels_gives_the_same_features() {
    let mut weights = weights("vgg16_torchvision_notop.h5");
    let first = vgg16_base(SIZE).unwrap().first(1);
    weights.extend(read(&file("vgg16_block1_conv1_caffe_fold.npz"), &first).unwrap().tensors);
    let [last] = activations(&Device::cpu(), &weights, Normalize::caffe(), ["block5_pool"]);
    let expected = reference("block5_pool");
    let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    let error = last.iter().zip(&expected).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / largest;
    println!("largest difference {error:.1e} of the maximum");
    // The data's README found 5.8e-4 between the two in TensorFlow.
    assert!(error < 1e-3, "{error:.1e}");
    let [wrong] = activations(&Device::cpu(), &weights, Normalize::torch(), ["block5_pool"]);
    assert!(relative_l2(&wrong, &expected) > 0.1, "the other preprocessing is not good enough");
}

/// Tensors of 16-bit floats between the layers, and for the weights, at the size of a face.
#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn tensors_of_half_floats_stay_near() {
    const SIDE: usize = 64;
    if !check::gpu().has_f16() {
        println!("NOT RUN on {}, which has no 16-bit floats", check::gpu());
        return;
    }
    let photo = decode(&file("astronaut_224.png"), MAX_PIXELS).unwrap();
    // The face.
    let rows = photo.pixels().chunks(SIZE * 3).skip(24).take(SIDE);
    let pixels: Vec<u8> = rows.flat_map(|row| row[72 * 3..][..SIDE * 3].to_vec()).collect();
    let base = vgg16_base(SIDE).unwrap();
    let params = Params::new(check::gpu());
    base.load(&params, &weights("vgg16_torchvision_notop.h5")).unwrap();
    let [float, half] = [Precision::F32, Precision::F16].map(|precision| {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::u8([1, SIDE, SIDE, 3]));
        let y = graph.normalize(x, Normalize::torch()).unwrap();
        let y = base.predict(&mut graph, y, precision).unwrap();
        let mut plan = Plan::new(&graph, &params, &[y]).unwrap();
        plan.write("x", &Data::U8(pixels.clone())).unwrap();
        plan.run().unwrap();
        plan.read(y).unwrap().to_f32()
    });
    let error = relative_l2(&half, &float);
    println!("{}: tensors of 16-bit floats {error:.1e}", check::gpu());
    assert!(error < 5e-3, "{error:.1e}");
}
