//! Augmentation: every setting on every device, and what the changes may depend on.

use lookalike::check::{Check, bytes, gpu, integers};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Augment, Normalize};
use lookalike::tensor::{Data, HostTensor, TensorType};

const STILL: Augment = Augment { seed: 1, flip: false, shift: 0.0, brightness: 0.0 };

fn case(name: &str, shape: [usize; 4]) -> Check {
    Check::new(name)
        .input(bytes(shape, 1))
        .input(integers([shape[0]], 2, u32::MAX))
        .input(HostTensor::new([1], vec![3u32]))
        .without_gradients()
}

#[test]
fn every_setting_and_shape() {
    let settings = [
        Augment { flip: true, ..STILL },
        Augment { shift: 0.3, ..STILL },
        Augment { shift: 1.0, ..STILL },
        Augment { brightness: 0.9, ..STILL },
        Augment::default(),
    ];
    for augment in settings {
        for shape in [[1, 1, 1, 1], [5, 1, 1, 3], [4, 5, 1, 2], [3, 1, 7, 4], [6, 5, 7, 3], [1, 16, 16, 1]] {
            case(&format!("{shape:?}, {augment:?}"), shape)
                .run(|graph, v| Ok(vec![graph.augment(v[0], v[1], v[2], augment, Normalize::caffe())?]));
        }
    }
}

#[test]
fn folded_grids() {
    case("draw, forward", [7 * 256 + 1, 1, 1, 1])
        .folded()
        .run(|graph, v| Ok(vec![graph.augment(v[0], v[1], v[2], Augment::default(), Normalize::unit())?]));
}

/// Pictures after augmentation on the GPU, not normalised.
fn augmented(x: &[u8], shape: [usize; 4], keys: &[u32], epoch: u32, augment: Augment) -> Vec<f32> {
    let plain = Normalize { scale: [1.0; 4], offset: [0.0; 4], reverse: false };
    let mut graph = Graph::new();
    let pictures = graph.input("x", TensorType::u8(shape));
    let of = graph.input("keys", TensorType::u32([shape[0]]));
    let at = graph.input("epoch", TensorType::u32([1]));
    let y = graph.augment(pictures, of, at, augment, plain).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[y]).unwrap();
    plan.write("x", &Data::U8(x.to_vec())).unwrap();
    plan.write("keys", &Data::U32(keys.to_vec())).unwrap();
    plan.write("epoch", &Data::U32(vec![epoch])).unwrap();
    plan.run().unwrap();
    plan.read(y).unwrap().to_f32()
}

const SHAPE: [usize; 4] = [40, 3, 5, 3];
const PICTURE: usize = 3 * 5 * 3;

fn pictures() -> Vec<u8> {
    let Data::U8(bytes) = bytes(SHAPE, 9).into_data() else { unreachable!("bytes are bytes") };
    bytes
}

fn keys() -> Vec<u32> {
    (0..40u32).map(|n| n.wrapping_mul(0x9e37_79b9)).collect()
}

#[test]
fn without_changes_it_is_normalize() {
    let same: Vec<f32> = pictures().into_iter().map(f32::from).collect();
    assert_eq!(augmented(&pictures(), SHAPE, &keys(), 0, STILL), same);
}

#[test]
fn about_half_of_the_pictures_are_mirrored_and_the_others_stay() {
    let x = pictures();
    let y = augmented(&x, SHAPE, &keys(), 5, Augment { flip: true, ..STILL });
    let mut mirrored = 0;
    for (x, y) in x.chunks(PICTURE).zip(y.chunks(PICTURE)) {
        let same: Vec<f32> = x.iter().copied().map(f32::from).collect();
        let mirror: Vec<f32> =
            same.chunks(5 * 3).flat_map(|row| row.chunks(3).rev().flatten().copied()).collect();
        assert!(y == same || y == mirror);
        mirrored += usize::from(y == mirror);
    }
    assert!((10..=30).contains(&mirrored), "{mirrored} of 40 are mirrored");
}

#[test]
fn a_uniform_picture_only_changes_its_brightness() {
    let augment = Augment { shift: 0.5, brightness: 0.25, ..STILL };
    let y = augmented(&[100; 40 * PICTURE], SHAPE, &keys(), 0, augment);
    let factors: Vec<f32> = y.chunks(PICTURE).map(|picture| picture[0]).collect();
    assert!(y.chunks(PICTURE).all(|picture| picture.iter().all(|&value| value == picture[0])));
    assert!(factors.iter().all(|factor| (75.0..=125.0).contains(factor)));
    assert!(factors.iter().any(|&factor| factor < 85.0) && factors.iter().any(|&factor| factor > 115.0));
}

#[test]
fn changes_follow_the_picture_and_not_its_place() {
    let (x, keys) = (pictures(), keys());
    let whole = augmented(&x, SHAPE, &keys, 2, Augment::default());
    let backwards: Vec<u8> = x.chunks(PICTURE).rev().flatten().copied().collect();
    let keys_backwards: Vec<u32> = keys.iter().rev().copied().collect();
    let turned = augmented(&backwards, SHAPE, &keys_backwards, 2, Augment::default());
    assert_eq!(whole, turned.chunks(PICTURE).rev().flatten().copied().collect::<Vec<f32>>());
    assert_ne!(whole, augmented(&x, SHAPE, &keys, 3, Augment::default()));
    assert_ne!(whole, augmented(&x, SHAPE, &keys, 2, Augment { seed: 1, ..Augment::default() }));
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u8([4, 5, 5, 3]));
    let (keys, epoch) =
        (graph.input("keys", TensorType::u32([4])), graph.input("epoch", TensorType::u32([1])));
    let mut problem =
        |keys, augment| graph.augment(x, keys, epoch, augment, Normalize::unit()).unwrap_err().to_string();
    assert_eq!(problem(epoch, Augment::default()), "augment: keys is u32 [1], expected u32 [4]");
    assert!(problem(keys, Augment { shift: 1.1, ..STILL }).contains("1.1"));
    assert!(problem(keys, Augment { brightness: 1.0, ..STILL }).contains("[0, 1)"));
}
