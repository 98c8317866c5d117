//! MTCNN's three networks: the same faces on every device, and no memory that grows with photos.

use std::path::Path;

use lookalike::Device;
use lookalike::check::gpu;
use lookalike::detect::{Detector, Face, Mtcnn, MtcnnOptions};
use lookalike::vision::{MAX_PIXELS, Rect, RgbImage, crop_resize, decode_bytes};

/// Photos of the demo, in the program itself: it also runs where the sources are not.
const PHOTOS: [&[u8]; 4] = [
    include_bytes!("../assets/demo/s01/01.png"),
    include_bytes!("../assets/demo/s02/01.png"),
    include_bytes!("../assets/demo/s03/02.png"),
    include_bytes!("../assets/demo/s05/03.png"),
];

/// A photo resized to `width` by `height` pixels.
fn photo(bytes: &[u8], width: usize, height: usize) -> RgbImage {
    let image = decode_bytes(Path::new("a photo of the demo"), bytes, MAX_PIXELS).expect("a photo");
    crop_resize(&image, image.bounds(), width, height)
}

/// Four photos of the demo as the quarters of one.
fn four(width: usize, height: usize) -> RgbImage {
    let quarters = PHOTOS.map(|bytes| photo(bytes, width / 2, height / 2));
    let line = width / 2 * 3;
    let rows = |pair: &[RgbImage]| -> Vec<u8> {
        let rows = pair[0].pixels().chunks(line).zip(pair[1].pixels().chunks(line));
        rows.flat_map(|(left, right)| [left, right].concat()).collect()
    };
    RgbImage::new(width, height, [rows(&quarters[..2]), rows(&quarters[2..])].concat())
        .expect("four quarters")
}

fn assert_same(found: &[Face], expected: &[Face], device: &str) {
    assert_eq!(found.len(), expected.len(), "{device}");
    for face in expected {
        let same =
            |other: &&Face| other.rect.iou(&face.rect) > 0.99 && (other.score - face.score).abs() < 1e-3;
        let other =
            found.iter().find(same).unwrap_or_else(|| panic!("{device}: {face:?} is not in {found:?}"));
        let points = face.landmarks.iter().flatten().zip(other.landmarks.iter().flatten());
        let apart = points.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f32::max);
        assert!(apart < 0.1, "{device}: landmarks are {apart} pixels apart");
    }
}

#[test]
fn every_device_finds_the_same_faces() {
    let image = four(184, 224);
    let expected = Mtcnn::new(&Device::cpu()).unwrap().detect(&image).unwrap();
    assert_eq!(expected.len(), 4, "{expected:?}");
    for (index, face) in expected.iter().enumerate() {
        let [left, right, nose, mouth, _] = face.landmarks.expect("landmarks");
        assert!(left[0] < right[0] && left[1] < nose[1] && nose[1] < mouth[1], "{index}: {face:?}");
    }
    assert_same(&Mtcnn::new(gpu()).unwrap().detect(&image).unwrap(), &expected, "gpu");
}

#[test]
fn large_photos_are_reduced_and_boxes_are_in_their_own_pixels() {
    let image = photo(PHOTOS[0], 276, 336);
    let whole = Mtcnn::new(&Device::cpu()).unwrap().detect(&image).unwrap();
    let options = MtcnnOptions { max_pixels: 138 * 168, ..MtcnnOptions::default() };
    let reduced = Mtcnn::with_options(&Device::cpu(), options).unwrap().detect(&image).unwrap();
    let [whole, reduced] = [&whole[..], &reduced[..]].map(|faces| match faces {
        [face] => face.rect,
        faces => panic!("one face: {faces:?}"),
    });
    let Rect { width, .. } = whole;
    assert!(whole.iou(&reduced) > 0.8 && width > 100.0, "{whole:?}, reduced {reduced:?}");
}

/// A photo of twelve megapixels with two faces of 120 pixels, which fill a fraction of it, and the smallest photos.
#[test]
fn photos_of_twelve_megapixels_and_of_thirty_pixels_work() {
    let mtcnn = Mtcnn::new(&Device::cpu()).unwrap();
    let mut large = RgbImage::filled(4000, 3000, [70, 80, 90]);
    let places = [(100, 200), (3700, 2700)];
    for (left, top) in places {
        large.paste(&photo(PHOTOS[0], 184, 224), left, top);
    }
    let faces = mtcnn.detect(&large).unwrap();
    for (left, top) in places {
        let head = Rect { x: left as f32, y: top as f32, width: 184.0, height: 224.0 };
        let inside =
            |face: &&Face| head.intersection(&face.rect) > 0.9 * face.rect.area() && face.rect.width > 90.0;
        assert_eq!(faces.iter().filter(inside).count(), 1, "{faces:?}");
    }
    let small = mtcnn.detect(&photo(PHOTOS[0], 30, 30)).unwrap();
    assert!(small.len() <= 1, "{small:?}");
}

/// A batch size's plan and buffers are made when it is first needed; then every photo goes through them.
#[test]
fn photos_of_changing_sizes_make_no_new_buffers() {
    // A device of its own: other tests make buffers on the shared one.
    let name = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
    let device = Device::named(&name).expect("scripts/test installs a software driver");
    let mtcnn = Mtcnn::new(&device).unwrap();
    let buffers = || device.gpu().expect("a GPU").buffers_created();
    let mut sizes = [(400, 300), (30, 30), (64, 200), (320, 96), (122, 122)];
    sizes.iter().for_each(|&(width, height)| drop(mtcnn.detect(&four(width, height)).unwrap()));
    let made = buffers();
    sizes.reverse();
    sizes.iter().for_each(|&(width, height)| drop(mtcnn.detect(&four(width, height)).unwrap()));
    assert_eq!(buffers(), made);
}
