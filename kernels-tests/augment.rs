//! Augmentation: every setting on every device, and what the changes may depend on.

use lookalike::Device;
use lookalike::check::{Check, bytes, gpu, integers};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Augment, FACE_WORDS, Fill, Normalize, face_words, picture_hash};
use lookalike::tensor::{Data, HostTensor, TensorType};

const STILL: Augment = Augment::none();
/// Everything at once.
const WILD: Augment = Augment {
    flip: true,
    zoom: 0.5,
    rotation: 0.5,
    shift: 0.3,
    shear: 0.4,
    fill: Fill::Reflect,
    brightness: 0.3,
    contrast: 0.6,
    saturation: 0.4,
    hue: 1.0,
    blur: 2.0,
    noise: 0.2,
    erase: 0.5,
    ..STILL
};

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
        Augment { zoom: 0.9, ..STILL },
        Augment { rotation: 0.1, ..STILL },
        Augment { rotation: 0.5, fill: Fill::Reflect, ..STILL },
        Augment { shift: 0.3, ..STILL },
        Augment { shift: 1.0, fill: Fill::Reflect, ..STILL },
        Augment { shear: 1.0, ..STILL },
        Augment { brightness: 0.9, ..STILL },
        Augment { contrast: 1.0, ..STILL },
        Augment { saturation: 0.5, ..STILL },
        Augment { hue: 1.0, ..STILL },
        Augment { blur: 3.0, ..STILL },
        Augment { noise: 0.5, ..STILL },
        Augment { erase: 1.0, ..STILL },
        Augment::default(),
        WILD,
    ];
    for augment in settings {
        for shape in [
            [1, 1, 1, 1],
            [5, 1, 1, 3],
            [4, 5, 1, 2],
            [3, 1, 7, 4],
            [6, 5, 7, 3],
            [3, 19, 16, 3],
            [1, 16, 16, 1],
        ] {
            // A change of colour is a chain of some ten roundings; a saturation of 0.5 makes them up to three times as large.
            case(&format!("{shape:?}, {augment:?}"), shape)
                .factor(32.0)
                .run(|graph, v| Ok(vec![graph.augment(v[0], v[1], v[2], augment, Normalize::caffe())?]));
        }
    }
}

#[test]
fn folded_grids() {
    let few = Augment { contrast: 0.0, ..WILD };
    for (name, shape, augment) in
        [("draw, forward", [7 * 256 + 1, 1, 1, 1], few), ("sums", [50, 1, 2, 3], WILD)]
    {
        case(name, shape)
            .factor(32.0)
            .folded()
            .run(|graph, v| Ok(vec![graph.augment(v[0], v[1], v[2], augment, Normalize::unit())?]));
    }
}

/// Pictures after augmentation, not normalised.
fn augmented_on(
    device: &Device,
    x: &[u8],
    shape: [usize; 4],
    keys: &[u32],
    epoch: u32,
    augment: Augment,
) -> Vec<f32> {
    let plain = Normalize { scale: [1.0; 4], offset: [0.0; 4], reverse: false };
    let mut graph = Graph::new();
    let pictures = graph.input("x", TensorType::u8(shape));
    let of = graph.input("keys", TensorType::u32([shape[0]]));
    let at = graph.input("epoch", TensorType::u32([1]));
    let y = graph.augment(pictures, of, at, augment, plain).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
    plan.write("x", &Data::U8(x.to_vec())).unwrap();
    if plan.has_input("keys") {
        plan.write("keys", &Data::U32(keys.to_vec())).unwrap();
        plan.write("epoch", &Data::U32(vec![epoch])).unwrap();
    }
    plan.run().unwrap();
    plan.read(y).unwrap().to_f32()
}

/// The same, on the GPU.
fn augmented(x: &[u8], shape: [usize; 4], keys: &[u32], epoch: u32, augment: Augment) -> Vec<f32> {
    augmented_on(gpu(), x, shape, keys, epoch, augment)
}

const SHAPE: [usize; 4] = [40, 3, 5, 3];
const PICTURE: usize = 3 * 5 * 3;

fn pictures_of(shape: [usize; 4]) -> Vec<u8> {
    let Data::U8(bytes) = bytes(shape, 9).into_data() else { unreachable!("bytes are bytes") };
    bytes
}

fn pictures() -> Vec<u8> {
    pictures_of(SHAPE)
}

fn keys() -> Vec<u32> {
    (0..40u32).map(|n| n.wrapping_mul(0x9e37_79b9)).collect()
}

#[test]
fn without_changes_it_is_normalize() {
    let same: Vec<f32> = pictures().into_iter().map(f32::from).collect();
    assert_eq!(augmented(&pictures(), SHAPE, &keys(), 0, STILL), same);
}

/// Faces in pictures of 61 by 53 pixels: from the front, tilted, turned to either side, at the border, and none.
const FACES: [Option<[[f32; 2]; 5]>; 6] = [
    Some([[17.0, 21.0], [35.5, 21.0], [26.0, 31.0], [19.0, 41.0], [33.0, 41.0]]),
    Some([[20.0, 16.0], [36.0, 26.0], [24.0, 30.0], [12.0, 36.0], [25.0, 44.0]]),
    Some([[20.0, 21.0], [33.0, 21.5], [32.0, 31.0], [21.0, 41.0], [31.0, 41.0]]),
    Some([[20.0, 21.0], [33.0, 21.5], [19.0, 31.0], [21.0, 41.0], [31.0, 41.0]]),
    Some([[1.0, 40.0], [20.0, 41.0], [8.0, 52.0], [2.0, 60.0], [18.0, 61.0]]),
    None,
];
const FACE_SHAPE: [usize; 4] = [6, 61, 53, 3];

fn words_of_faces(x: &[u8]) -> Vec<u32> {
    let [_, height, width, channels] = FACE_SHAPE;
    let pictures = x.chunks(height * width * channels);
    FACES.iter().zip(pictures).flat_map(|(face, x)| face_words(face.as_ref(), x, width)).collect()
}

/// The pictures with faces after augmentation in several epochs, not normalised.
fn worn_on(device: &Device, augment: Augment) -> Vec<Vec<f32>> {
    let plain = Normalize { scale: [1.0; 4], offset: [0.0; 4], reverse: false };
    let x = pictures_of(FACE_SHAPE);
    let mut graph = Graph::new();
    let pictures = graph.input("x", TensorType::u8(FACE_SHAPE));
    let of = graph.input("keys", TensorType::u32([6]));
    let at = graph.input("epoch", TensorType::u32([1]));
    let faces = graph.input("faces", TensorType::u32([6, FACE_WORDS]));
    let y = graph.augment_faces(pictures, [of, at, faces], augment, plain).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
    plan.write("x", &Data::U8(x.clone())).unwrap();
    plan.write("keys", &Data::U32(keys()[..6].to_vec())).unwrap();
    plan.write("faces", &Data::U32(words_of_faces(&x))).unwrap();
    let mut of_epoch = |epoch| {
        plan.write("epoch", &Data::U32(vec![epoch])).unwrap();
        plan.run().unwrap();
        plan.read(y).unwrap().to_f32()
    };
    (0..24).map(&mut of_epoch).collect()
}

/// All shapes, colours and patterns, on every device: what is drawn is made of integers, so it is the same to the last bit.
#[test]
fn masks_and_glasses_are_the_same_bits_everywhere() {
    let moved = Augment { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0, noise: 0.0, ..WILD };
    for augment in [
        Augment { masks: 1.0, ..STILL },
        Augment { glasses: 1.0, ..STILL },
        Augment { masks: 0.7, glasses: 0.7, ..moved },
    ] {
        let expected = worn_on(&Device::reference(), augment);
        for device in [gpu(), &Device::cpu()] {
            assert!(worn_on(device, augment) == expected, "{augment:?} on {device}");
        }
    }
}

/// With all colours and places changed as well, within rounding.
#[test]
fn masks_and_glasses_with_everything_else() {
    let x = bytes(FACE_SHAPE, 9);
    let words = words_of_faces(&pictures_of(FACE_SHAPE));
    for masks in [0.3, 1.0] {
        Check::new(&format!("masks {masks}"))
            .input(x.clone())
            .input(integers([6], 2, u32::MAX))
            .input(HostTensor::new([1], vec![3u32]))
            .input(HostTensor::new([6, FACE_WORDS], words.clone()))
            .without_gradients()
            .factor(32.0)
            .run(|graph, v| {
                let augment = Augment { masks, glasses: 0.5, ..WILD };
                Ok(vec![graph.augment_faces(v[0], [v[1], v[2], v[3]], augment, Normalize::caffe())?])
            });
    }
}

/// A mask hides mouth and nose and leaves eyes and forehead, glasses the other way round; no face, nothing worn.
#[test]
fn masks_hide_the_mouth_and_glasses_the_eyes() {
    let x: Vec<f32> = pictures_of(FACE_SHAPE).into_iter().map(f32::from).collect();
    let [_, height, width, channels] = FACE_SHAPE;
    let picture = height * width * channels;
    let changed = |y: &[f32], n: usize, [column, row]: [f32; 2]| {
        let at = n * picture + (row as usize * width + column as usize) * channels;
        (0..3).any(|c| (y[at + c] - x[at + c]).abs() > 8.0)
    };
    let [left, right, nose, ..] = FACES[0].unwrap();
    let mouth = [26.0, 41.0];
    for y in worn_on(gpu(), Augment { masks: 1.0, ..STILL }) {
        assert!(changed(&y, 0, mouth) && changed(&y, 0, nose));
        assert!(!changed(&y, 0, left) && !changed(&y, 0, right) && !changed(&y, 0, [26.0, 5.0]));
        assert_eq!(y[5 * picture..], x[5 * picture..], "a picture without a known face");
    }
    for y in worn_on(gpu(), Augment { glasses: 1.0, ..STILL }) {
        assert!(changed(&y, 0, left) && changed(&y, 0, right));
        assert!(!changed(&y, 0, mouth) && !changed(&y, 0, [26.0, 5.0]));
        assert_eq!(y[5 * picture..], x[5 * picture..]);
    }
}

#[test]
fn about_the_given_share_wears_a_mask() {
    let x: Vec<f32> = pictures_of(FACE_SHAPE).into_iter().map(f32::from).collect();
    let picture = x.len() / 6;
    let epochs = worn_on(gpu(), Augment { masks: 0.3, ..STILL });
    let pictures = epochs.iter().flat_map(|y| y.chunks(picture).zip(x.chunks(picture)).take(5));
    let masked = pictures.filter(|(y, x)| y != x).count();
    // Of 120: 36 on average, give or take five.
    assert!((21..=51).contains(&masked), "{masked} of 120");
}

/// Settings that may change a picture, but not the ones that are drawn here: the kernel runs, and gives its bytes back.
#[test]
fn a_map_that_happens_to_change_nothing_gives_the_bytes_back() {
    let same: Vec<f32> = pictures().into_iter().map(f32::from).collect();
    let rare = Augment { erase: 1e-7, ..STILL };
    assert!(!rare.is_none());
    assert_eq!(augmented(&pictures(), SHAPE, &keys(), 0, rare), same);
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
    for fill in [Fill::Edge, Fill::Reflect] {
        let augment = Augment { brightness: 0.1, fill, erase: 0.0, noise: 0.0, ..WILD };
        let y = augmented(&[100; 40 * PICTURE], SHAPE, &keys(), 0, augment);
        let values: Vec<f32> = y.chunks(PICTURE).map(|picture| picture[0]).collect();
        assert!(y.chunks(PICTURE).all(|picture| picture.iter().all(|&value| value == picture[0])));
        assert!(values.iter().all(|value| (74.5..=125.5).contains(value)));
        assert!(values.iter().any(|&value| value < 85.0) && values.iter().any(|&value| value > 115.0));
    }
}

/// Positions, weights and what is drawn are integers: all devices show the same, to the last bit, and so do those of other
/// machines. The number is FNV-1a of the values in 1/65536 on the CPU path of x86-64.
#[test]
fn places_are_the_same_bits_everywhere() {
    let shape = [6, 17, 13, 3];
    let moved = Augment { brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0, noise: 0.0, ..WILD };
    let (x, keys) = (pictures_of(shape), &keys()[..6]);
    for device in [gpu(), &Device::cpu(), &Device::reference()] {
        let y = augmented_on(device, &x, shape, keys, 3, moved);
        let bytes: Vec<u8> = y.iter().flat_map(|y| ((y * 65_536.0) as u32).to_le_bytes()).collect();
        assert_eq!(picture_hash(&bytes), PLACES, "on {device}");
    }
}

const PLACES: u32 = 3_327_352_226;

#[test]
fn changes_follow_the_picture_and_not_its_place() {
    let (x, keys) = (pictures(), keys());
    let whole = augmented(&x, SHAPE, &keys, 2, WILD);
    let backwards: Vec<u8> = x.chunks(PICTURE).rev().flatten().copied().collect();
    let keys_backwards: Vec<u32> = keys.iter().rev().copied().collect();
    let turned = augmented(&backwards, SHAPE, &keys_backwards, 2, WILD);
    assert_eq!(whole, turned.chunks(PICTURE).rev().flatten().copied().collect::<Vec<f32>>());
    assert_ne!(whole, augmented(&x, SHAPE, &keys, 3, WILD));
    assert_ne!(whole, augmented(&x, SHAPE, &keys, 2, Augment { seed: 1, ..WILD }));
}

#[test]
fn about_the_given_share_is_erased() {
    let x = vec![7; 40 * PICTURE];
    let y = augmented(&x, SHAPE, &keys(), 0, Augment { erase: 0.5, ..STILL });
    let erased = y.chunks(PICTURE).filter(|picture| picture.iter().any(|&value| value != 7.0)).count();
    assert!((10..=30).contains(&erased), "{erased} of 40");
    assert!(y.chunks(PICTURE).all(|picture| picture.contains(&7.0)), "a whole picture is erased");
}

/// Grey has no hue and no saturation; red turned by a third of the circle is green or blue.
#[test]
fn colours_turn_and_greys_stay() {
    let grey: Vec<u8> = (0..40 * 15usize).flat_map(|i| [(i % 251) as u8; 3]).collect();
    let same: Vec<f32> = grey.iter().copied().map(f32::from).collect();
    assert_eq!(augmented(&grey, SHAPE, &keys(), 0, Augment { saturation: 0.9, hue: 1.0, ..STILL }), same);
    let red: Vec<u8> = (0..40 * 15).flat_map(|_| [200, 40, 40]).collect();
    let y = augmented(&red, SHAPE, &keys(), 0, Augment { hue: 1.0, ..STILL });
    for pixel in y.chunks(3) {
        let (high, low) = pixel.iter().fold((0f32, 255f32), |(h, l), &v| (h.max(v), l.min(v)));
        assert!((high - 200.0).abs() < 1e-3 && (low - 40.0).abs() < 1e-3, "{pixel:?}");
    }
    for c in 0..3 {
        assert!(y.chunks(3).any(|pixel| pixel[c] > 199.0), "no picture where channel {c} leads");
    }
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u8([4, 5, 5, 3]));
    let huge = graph.input("huge", TensorType::u8([1, 8000, 193, 1]));
    let (keys, epoch) =
        (graph.input("keys", TensorType::u32([4])), graph.input("epoch", TensorType::u32([1])));
    let mut problem =
        |x, keys, augment| graph.augment(x, keys, epoch, augment, Normalize::unit()).unwrap_err().to_string();
    assert_eq!(problem(x, epoch, Augment::default()), "augment: keys is u32 [1], expected u32 [4]");
    for (augment, expected) in [
        (Augment { shift: 1.1, ..STILL }, "shift lies in [0, 1], given 1.1"),
        (Augment { zoom: 1.0, ..STILL }, "zoom lies in [0, 1), given 1"),
        (Augment { rotation: 0.6, ..STILL }, "rotation lies in [0, 0.5], given 0.6"),
        (Augment { brightness: -0.1, ..STILL }, "brightness lies in [0, 1], given -0.1"),
        (Augment { noise: f32::NAN, ..STILL }, "noise lies in [0, 1], given NaN"),
    ] {
        assert!(problem(x, keys, augment).contains(expected), "{expected}");
    }
    assert!(problem(x, keys, Augment { masks: 0.5, ..STILL }).contains("use augment_faces"));
    assert!(problem(huge, epoch, STILL).contains("8192 pixels"));
}
