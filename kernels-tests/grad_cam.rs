//! Heat maps: Grad-CAM against PyTorch's numbers (`scripts/grad-cam.py`), and both methods on a network of which it is known
//! where it looks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use lookalike::explain::{Coarse, GradCam, Occlusion, occlusion};
use lookalike::models::{Model, ModelFile, Predictor, Preprocessing, ScratchCnn, scratch_cnn};
use lookalike::nn::layers::{Conv2d, Dense, GlobalAveragePooling2d, MaxPooling2d};
use lookalike::nn::{Layer, LayerActivation};
use lookalike::ops::{Normalize, random};
use lookalike::tensor::{HostTensor, Shape};
use lookalike::vision::{MAX_PIXELS, RgbImage, decode_bytes};
use lookalike::{Device, check};
use serde_json::Value;

const SEED: u32 = 7;
const CLASSES: usize = 5;

/// Glorot-uniform weights of Philox's words in this stream.
fn drawn(stream: u32, shape: &Shape) -> HostTensor {
    let [ref window @ .., fan_in, fan_out] = shape[..] else { panic!("a kernel has at least two axes") };
    let limit = (6.0 / (window.iter().product::<usize>() * (fan_in + fan_out)) as f64).sqrt();
    let weight = |element| {
        let unit = f64::from(random::word(SEED, stream, 0, element) >> 8) / f64::from(1u32 << 24);
        ((2.0 * unit - 1.0) * limit) as f32
    };
    HostTensor::new(shape.clone(), (0..shape.len() as u32).map(weight).collect::<Vec<_>>())
}

/// A model file whose parameters are `known`, else drawn in the order of the layers, without biases.
fn file(model: Model, mut known: BTreeMap<String, HostTensor>, normalize: Normalize) -> ModelFile {
    let mut stream = 0;
    for parameter in model.parameters().unwrap() {
        known.entry(parameter.name.clone()).or_insert_with(|| match parameter.name.ends_with("/kernel") {
            true => {
                stream += 1;
                drawn(stream - 1, &parameter.shape)
            }
            false => HostTensor::new(parameter.shape.clone(), vec![0.0f32; parameter.shape.len()]),
        });
    }
    let preprocessing = Preprocessing {
        size: model.input[0],
        detector: "lbp".into(),
        margin: 0.2,
        align: false,
        placed: None,
        whole: true,
        normalize,
    };
    let labels = (0..model.classes().unwrap()).map(|person| format!("p{person}")).collect();
    ModelFile::new(model, labels, preprocessing, known)
}

/// The largest difference between our map and PyTorch's, as a part of the largest value.
fn error(file: &ModelFile, picture: &RgbImage, case: &str, device: &Device) -> f64 {
    let golden: Value = serde_json::from_str(include_str!("golden/grad_cam.json")).unwrap();
    let case = &golden[case];
    let expected: Vec<Vec<f64>> = serde_json::from_value(case["map"].clone()).unwrap();
    let mut grad_cam = GradCam::new(device, file.clone(), None).unwrap();
    assert_eq!(case["layer"], grad_cam.layer(), "the layer of the default");
    let person = case["person"].as_u64().unwrap() as usize;
    let found = grad_cam.explain(picture.pixels(), person).unwrap().coarse;
    assert_eq!((found.columns, found.rows()), (expected[0].len(), expected.len()));
    let expected = expected.concat();
    let peak = expected.iter().copied().fold(0.0, f64::max);
    let differences = found.values.iter().zip(&expected).map(|(&a, b)| (f64::from(a) - b).abs());
    differences.fold(0.0, f64::max) / peak
}

fn compare(file: &ModelFile, picture: &RgbImage, case: &str, device: &Device, most: f64) {
    let error = error(file, picture, case, device);
    println!("{case} on {device}: {error:.1e} of the peak");
    assert!(error < most, "{case} on {device}: {error:.1e}");
}

/// The demo's photo, as large as the networks' pictures.
#[cfg(feature = "sface-weights")]
const CROP_112: &[u8] = include_bytes!("golden/grad_cam_112.png");
const CROP_150: &[u8] = include_bytes!("golden/grad_cam_150.png");

fn crop(bytes: &[u8]) -> RgbImage {
    decode_bytes(Path::new("grad_cam.png"), bytes, MAX_PIXELS).unwrap()
}

#[test]
fn a_network_from_scratch_as_in_pytorch() {
    let sizes = ScratchCnn { size: 150, widths: vec![4, 8, 16], dense: 12, ..ScratchCnn::new(CLASSES) };
    let file = file(scratch_cnn(&sizes), BTreeMap::new(), Normalize::unit());
    for (device, most) in [(Device::reference(), 1e-6), (Device::cpu(), 1e-4), (check::gpu().clone(), 1e-4)] {
        compare(&file, &crop(CROP_150), "scratch", &device, most);
    }
}

#[cfg(feature = "face-weights")]
#[test]
fn dlibs_network_as_in_pytorch() {
    use lookalike::models::{face, face_normalize, face_weights};
    let file = file(face(CLASSES), face_weights().unwrap(), face_normalize());
    for device in [Device::cpu(), check::gpu().clone()] {
        compare(&file, &crop(CROP_150), "face", &device, 1e-4);
    }
}

#[cfg(feature = "sface-weights")]
#[test]
fn sface_as_in_pytorch() {
    use lookalike::models::{sface, sface_normalize, sface_weights};
    let file = file(sface(CLASSES), sface_weights().unwrap(), sface_normalize());
    for device in [Device::cpu(), check::gpu().clone()] {
        compare(&file, &crop(CROP_112), "sface", &device, 1e-4);
    }
}

#[cfg(feature = "train")]
#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn vgg16_as_in_pytorch() {
    use lookalike::formats::safetensors;
    use lookalike::models::{Vgg16, vgg16};
    use lookalike::vision::decode;
    let data = std::env::var("LOOKALIKE_DATA").expect("LOOKALIKE_DATA names the test data");
    let folder = Path::new(&data).join("vgg16");
    let mut model = vgg16(&Vgg16 { dense: 12, ..Vgg16::new(CLASSES) }).unwrap();
    model.layers.retain(|layer| layer.class_name() != "BatchNormalization");
    let weights = safetensors::read(folder.join("vgg16_notop_f16.safetensors")).unwrap().tensors;
    let file = file(model, weights, Normalize::torch());
    let photo = decode(&folder.join("astronaut_224.png"), MAX_PIXELS).unwrap();
    compare(&file, &photo, "vgg16", &Device::cpu(), 1e-3);
}

/// Height and width of the pictures of [`colours`].
const SIZE: [usize; 2] = [27, 23];

/// A network whose person number k is known by how much there is of the k-th colour: each channel of the convolution passes one
/// colour on, and each person is the mean of one channel.
fn colours() -> ModelFile {
    let layers: Vec<Arc<dyn Layer>> = vec![
        Arc::new(Conv2d::same_relu("conv", 3, 3)),
        Arc::new(MaxPooling2d::square("pool", 2)),
        Arc::new(GlobalAveragePooling2d { name: "average".into() }),
        Arc::new(Dense::new("people", 3, LayerActivation::Softmax)),
    ];
    let input = Shape::from([SIZE[0], SIZE[1], 3]);
    let model = Model { name: "colours".into(), input, layers, frozen: 0 };
    let diagonal = |size: usize, from: usize, weight: f32| {
        let mut values = vec![0.0; size * 9];
        (0..3).for_each(|channel| values[from * 9 + channel * 4] = weight);
        values
    };
    let known = BTreeMap::from([
        // Only the window's middle, number 4 of 9, counts.
        ("conv/kernel".to_string(), HostTensor::new([3, 3, 3, 3], diagonal(9, 4, 1.0))),
        ("people/kernel".to_string(), HostTensor::new([3, 3], diagonal(1, 0, 40.0))),
    ]);
    file(model, known, Normalize::unit())
}

/// A black picture with a square of red, green and blue in the quadrants 0, 1 and 2: upper left, upper right, lower left.
fn squares() -> Vec<u8> {
    let [height, width] = SIZE;
    let mut picture = vec![0; height * width * 3];
    for (colour, [top, left]) in [[4, 3], [4, 15], [18, 3]].into_iter().enumerate() {
        for (y, x) in (top..top + 5).flat_map(|y| (left..left + 5).map(move |x| (y, x))) {
            picture[(y * width + x) * 3 + colour] = 255;
        }
    }
    picture
}

/// The heat in a quadrant, by the places of a map's values.
fn in_quadrant(map: &Coarse, quadrant: usize) -> f32 {
    let (columns, rows) = (map.columns, map.rows());
    let lies_in = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        quadrant == 2 * usize::from(2 * row >= rows) + usize::from(2 * column >= columns)
    };
    map.values.iter().enumerate().filter(|(index, _)| lies_in(*index)).map(|(_, value)| value).sum()
}

#[test]
fn heat_is_where_the_person_is_known_by() {
    let (file, picture) = (colours(), squares());
    for device in [Device::cpu(), check::gpu().clone()] {
        let mut grad_cam = GradCam::new(&device, file.clone(), None).unwrap();
        assert_eq!(grad_cam.layer(), "conv");
        let mut predictor = Predictor::new(&device, file.clone()).unwrap();
        for person in 0..3 {
            let found = grad_cam.explain(&picture, person).unwrap();
            let all: f32 = found.coarse.values.iter().sum();
            assert!(all > 0.0 && in_quadrant(&found.coarse, person) == all, "{device}, person {person}");
            assert_eq!((found.heat.height(), found.heat.width()), (SIZE[0], SIZE[1]));

            let settings = Occlusion { patch: 5, stride: 2 };
            let mut reports = vec![];
            let found = occlusion(&mut predictor, &picture, person, settings, &mut |done, all| {
                reports.push((done, all))
            })
            .unwrap();
            let all: f32 = found.coarse.values.iter().sum();
            let share = in_quadrant(&found.coarse, person) / all;
            assert!(share > 0.99, "{device}, person {person}: {share}");
            assert!(found.least < 0.5 * found.probability, "{found:?}");
            let places = found.coarse.values.len();
            assert_eq!(reports.last(), Some(&(places, places)));
        }
    }
}

/// The gradient with regard to a convolution's output that a pooling reads is found, though the two would otherwise become one.
#[test]
fn the_map_of_a_linear_score_is_the_activation() {
    let mut grad_cam = GradCam::new(&Device::reference(), colours(), None).unwrap();
    let found = grad_cam.explain(&squares(), 1).unwrap();
    // The mean over 13 × 11 windows, each of whose winner has the gradient 40 / 143; 3 × 3 windows hold green, and each has its
    // winner, so the weight is 40 / (27 · 23) and the heat that of green pixels.
    let weight = 40.0 / (27.0 * 23.0);
    for (index, &value) in found.coarse.values.iter().enumerate() {
        let (row, column) = (index / SIZE[1], index % SIZE[1]);
        let green = (4..9).contains(&row) && (15..20).contains(&column);
        let expected = if green { weight } else { 0.0 };
        assert!((value - expected).abs() < 1e-6, "row {row}, column {column}: {value}, expected {expected}");
    }
}
