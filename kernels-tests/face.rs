//! dlib's network for faces: its blocks against their reference, its numbers against those of the original program (shared test
//! data; see their README for how they were made).

use lookalike::Device;
use lookalike::check::{Check, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::models::{FacePlacement, face_base, face_normalize};
use lookalike::nn::layers::ResidualBlock;
use lookalike::nn::{Build, Layer, Mode};
use lookalike::tensor::{Data, Precision, Shape, TensorType};

/// Height and width of a picture.
const SIZE: usize = FacePlacement::Dlib.size();

/// Convolutions, shortcut and sum as one graph.
#[test]
fn blocks() {
    for (size, filters, halve) in [(5, 3, false), (5, 4, false), (8, 3, true), (7, 5, true)] {
        let block = ResidualBlock { name: "block".into(), filters, halve };
        let input = [2, size, size, 3];
        let mut case = Check::new(&format!("{block:?} of {size} pixels")).input(normal(input, 1));
        for (parameter, seed) in block.parameters(&Shape::from(input)).unwrap().into_iter().zip(2..) {
            case = case.state(&parameter.name, normal(parameter.shape, seed));
        }
        case.terms(9 * 9 * 3 * filters).run(move |graph, v| {
            let mut build = Build {
                graph,
                mode: Mode::Predict,
                seed: 0,
                step: None,
                first_row: 0,
                precision: Precision::F32,
                logits: false,
            };
            Ok(vec![block.build(&mut build, v[0])?])
        });
    }
}

/// What the network makes of pictures, and of its first layer.
fn run(device: &Device, set: &dyn Fn(&Params), pictures: &[u8]) -> [Vec<f64>; 2] {
    let params = Params::new(device);
    set(&params);
    let base = face_base();
    let batch = pictures.len() / base.input.len();
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u8([batch, SIZE, SIZE, 3]));
    let x = graph.normalize(x, face_normalize()).unwrap();
    let first = base.first(1).predict(&mut graph, x, Precision::F32).unwrap();
    let embedding = base.predict(&mut graph, x, Precision::F32).unwrap();
    let mut plan = Plan::new(&graph, &params, &[first, embedding]).unwrap();
    plan.write("x", &Data::U8(pictures.to_vec())).unwrap();
    plan.run().unwrap();
    [first, embedding].map(|y| plan.read(y).unwrap().to_f64())
}

fn largest_difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// The whole network, with the weights that ship, on pictures that nobody took.
#[cfg(feature = "face-weights")]
#[test]
fn every_device_computes_the_same() {
    let weights = lookalike::models::face_weights().unwrap();
    let set = |params: &Params| face_base().load(params, &weights).unwrap();
    let pixel = |i: usize| ((i / 3 % SIZE).pow(2) / 97 + i / 3 / SIZE * (1 + i % 3)) as u8;
    let pictures: Vec<u8> = (0..2 * SIZE * SIZE * 3).map(pixel).collect();
    let [_, expected] = run(&Device::reference(), &set, &pictures);
    for device in [&Device::cpu(), lookalike::check::gpu()] {
        let [_, found] = run(device, &set, &pictures);
        let error = largest_difference(&found, &expected);
        println!("{device}: {error:.1e}");
        assert!(error < 1e-5, "{error:.1e} on {device}");
    }
}

#[cfg(feature = "train")]
mod original {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use lookalike::check;
    use lookalike::formats::npz::{self, NpzData};
    use lookalike::formats::safetensors;
    use lookalike::tensor::HostTensor;

    use super::*;

    fn file(name: &str) -> PathBuf {
        let data = std::env::var("LOOKALIKE_DATA").expect("LOOKALIKE_DATA names the test data");
        PathBuf::from(data).join("face").join(name)
    }

    /// Pictures, embeddings, and the mean of each channel of the first layer.
    fn reference() -> (Vec<u8>, Vec<f64>, Vec<f64>) {
        let arrays = npz::read(file("face_reference.npz")).unwrap();
        let floats = |name: &str| match arrays[name].data() {
            NpzData::F32(values) => values.iter().map(|&x| f64::from(x)).collect(),
            other => panic!("{name}: {other:?}"),
        };
        let NpzData::U8(pictures) = arrays["pictures"].data() else { panic!("pictures are bytes") };
        (pictures.to_vec(), floats("embedding"), floats("conv01_mean"))
    }

    /// The weights in 32 bits, by our names: both files have the layers in one order.
    fn full_weights() -> BTreeMap<String, HostTensor> {
        let theirs = safetensors::read(file("face_resnet29.safetensors")).unwrap().tensors;
        let layers = (1..=29).map(|number| format!("conv{number:02}"));
        let names = layers.flat_map(|layer| [format!("{layer}/kernel"), format!("{layer}/bias")]);
        let values = names.chain(["embedding/kernel".into()]).map(|name| theirs[&name].clone());
        face_base().parameters().unwrap().into_iter().map(|p| p.name).zip(values).collect()
    }

    fn compare(device: &Device) {
        let (pictures, embedding, first_mean) = reference();
        let weights = full_weights();
        let [first, found] = run(device, &|params| face_base().load(params, &weights).unwrap(), &pictures);
        let (channels, pixels) = (32, 72 * 72);
        let means: Vec<f64> = first
            .chunks_exact(pixels * channels)
            .flat_map(|picture| {
                (0..channels).map(|c| picture.iter().skip(c).step_by(channels).sum::<f64>() / pixels as f64)
            })
            .collect();
        let [first, last] = [largest_difference(&means, &first_mean), largest_difference(&found, &embedding)];
        println!("{device}: first layer's means {first:.1e}, embedding {last:.1e}");
        assert!(first < 1e-4 && last < 1e-4, "{first:.1e} and {last:.1e} on {device}");
    }

    #[test]
    #[ignore = "needs LOOKALIKE_DATA"]
    fn embeddings_are_the_originals_on_the_cpu_path() {
        compare(&Device::cpu());
    }

    #[test]
    #[ignore = "needs LOOKALIKE_DATA"]
    fn embeddings_are_the_originals_on_the_gpu() {
        compare(check::gpu());
    }

    /// Two pictures are said to show one person below a distance of 0.6.
    #[cfg(feature = "face-weights")]
    #[test]
    #[ignore = "needs LOOKALIKE_DATA"]
    fn weights_of_16_bits_stay_near() {
        let (pictures, embedding, _) = reference();
        let weights = lookalike::models::face_weights().unwrap();
        let set = |params: &Params| face_base().load(params, &weights).unwrap();
        let [_, found] = run(&Device::cpu(), &set, &pictures);
        let rows = found.chunks_exact(128).zip(embedding.chunks_exact(128));
        let distance =
            |(a, b): (&[f64], &[f64])| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let farthest = rows.map(distance).fold(0.0, f64::max);
        let error = largest_difference(&found, &embedding);
        println!("16-bit weights: {error:.1e}, distance {farthest:.1e}");
        assert!(error < 1e-3 && farthest < 5e-3, "{error:.1e}, {farthest:.1e}");
    }
}
