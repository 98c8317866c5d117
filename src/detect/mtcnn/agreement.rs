//! How far MTCNN agrees with two other implementations, on real photos.
//!
//! `facenet-pytorch`'s conventions are ours; what is left of a difference comes from JPEG decoders, whose pixels differ
//! by a step or two, where a probability lies near a threshold. `mtcnn` 0.1.1 resizes, rounds and pads otherwise.

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::detect::{CropStyle, face_crop};
use crate::vision::{MAX_PIXELS, decode};

/// A photo with more faces is a crowd, in which most are near the smallest size.
const CROWD: usize = 15;
/// Faces that are less sure are not compared: whether they stay depends on the last bit.
const SURE: f32 = 0.95;
/// Landmarks are near if they are within this part of the box's longer side.
const NEAR: f32 = 0.02;

fn data() -> PathBuf {
    std::env::var_os("LOOKALIKE_DATA").expect("LOOKALIKE_DATA is set").into()
}

fn number(value: &Value) -> f32 {
    value.as_f64().expect("a number") as f32
}

fn point(value: &Value) -> [f32; 2] {
    [number(&value[0]), number(&value[1])]
}

/// A face as either reference writes it.
fn reference_face(value: &Value) -> Face {
    let of = |key: &str| value[key].as_array().map(|list| list.iter().map(number).collect::<Vec<f32>>());
    let (rect, landmarks) = match of("box_xyxy").as_deref() {
        Some(&[left, top, right, bottom]) => {
            let rect = Rect { x: left, y: top, width: right - left, height: bottom - top };
            (rect, std::array::from_fn(|i| point(&value["landmarks"][i])))
        }
        _ => {
            let numbers = of("box").expect("a box");
            let names = ["left_eye", "right_eye", "nose", "mouth_left", "mouth_right"];
            let rect = Rect { x: numbers[0], y: numbers[1], width: numbers[2], height: numbers[3] };
            (rect, names.map(|name| point(&value["keypoints"][name])))
        }
    };
    Face { rect, score: number(&value["confidence"]), landmarks: Some(landmarks) }
}

/// Faces of one implementation met by another's.
#[derive(Debug, Default)]
struct Tally {
    sure: usize,
    met: usize,
    /// Of those met, faces whose landmarks are near on average, and faces of which each landmark is.
    landmarks_near: usize,
    each_landmark_near: usize,
    /// Sure faces of the other that nothing of the first meets, not even at IoU 0.5.
    extra: usize,
    other_sure: usize,
}

impl Tally {
    /// Compares the faces of one photo; prints each sure one that is not met.
    fn add(&mut self, name: &str, theirs: &[Face], ours: &[Face], iou: f32) {
        for face in theirs.iter().filter(|face| face.score >= SURE) {
            self.sure += 1;
            let best = ours.iter().max_by(|a, b| face.rect.iou(&a.rect).total_cmp(&face.rect.iou(&b.rect)));
            let overlap = best.map_or(0.0, |best| face.rect.iou(&best.rect));
            match best.filter(|_| overlap >= iou) {
                Some(best) => {
                    self.met += 1;
                    let [mean, worst] = distances(face, best);
                    self.landmarks_near += usize::from(mean <= NEAR);
                    self.each_landmark_near += usize::from(worst <= NEAR);
                    if worst > NEAR {
                        println!(
                            "  {name}: landmarks {mean:.3}, one {worst:.3} of the box away: {:?}",
                            face.rect
                        );
                    }
                }
                None => {
                    println!("  {name}: best IoU {overlap:.3}, score {:?}: {face:?}", best.map(|f| f.score))
                }
            }
        }
        for face in ours.iter().filter(|face| face.score >= SURE) {
            self.other_sure += 1;
            if !theirs.iter().any(|other| face.rect.iou(&other.rect) >= 0.5) {
                self.extra += 1;
                println!("  {name}: extra: {face:?}");
            }
        }
    }

    fn share(&self) -> f64 {
        self.met as f64 / self.sure as f64
    }
}

/// How far the five landmarks are apart, as parts of the box's longer side: on average (the usual normalised mean error)
/// and at most.
fn distances(a: &Face, b: &Face) -> [f32; 2] {
    let (from, to) = (a.landmarks.expect("landmarks"), b.landmarks.expect("landmarks"));
    let side = a.rect.width.max(a.rect.height);
    let apart: Vec<f32> = from.iter().zip(to).map(|(p, q)| (p[0] - q[0]).hypot(p[1] - q[1]) / side).collect();
    [apart.iter().sum::<f32>() / 5.0, apart.iter().copied().fold(0.0, f32::max)]
}

#[test]
#[ignore = "needs LOOKALIKE_DATA, see README"]
fn finds_what_the_references_find() {
    let text = std::fs::read_to_string(data().join("mtcnn/mtcnn_reference.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let images = |who: &str| reference[who]["images"].as_object().unwrap();
    let mtcnn = Mtcnn::new(&Device::cpu()).unwrap();
    let [mut facenet, mut second, mut between] = [(); 3].map(|()| Tally::default());
    let mut photos = 0;
    for (name, expected) in images("facenet_pytorch") {
        let faces = |value: &Value| {
            value["faces"].as_array().unwrap().iter().map(reference_face).collect::<Vec<Face>>()
        };
        let (first, other) = (faces(expected), faces(&images("mtcnn")[name]));
        if first.len() > CROWD {
            continue;
        }
        let image = decode(&data().join("photos").join(name), MAX_PIXELS).unwrap();
        if [image.width(), image.height()] != ["width", "height"].map(|side| number(&expected[side]) as usize)
        {
            println!("{name} was turned by its EXIF orientation; left out");
            continue;
        }
        photos += 1;
        let ours = mtcnn.detect(&image).unwrap();
        facenet.add(&format!("facenet-pytorch, {name}"), &first, &ours, 0.9);
        second.add(&format!("mtcnn, {name}"), &other, &ours, 0.6);
        between.add(&format!("between the two, {name}"), &first, &other, 0.6);
    }
    println!("{photos} photos");
    println!("facenet-pytorch, IoU 0.9: {facenet:?}, {:.2} %", 100.0 * facenet.share());
    println!("mtcnn 0.1.1, IoU 0.6: {second:?}, {:.2} %", 100.0 * second.share());
    println!("between the two, IoU 0.6: {between:?}, {:.2} %", 100.0 * between.share());
    assert!(photos > 60 && facenet.sure > 100, "{photos} photos, {} faces", facenet.sure);
    assert!(facenet.share() >= 0.98, "{:.4}", facenet.share());
    assert!(facenet.landmarks_near as f64 >= 0.98 * facenet.met as f64, "{facenet:?}");
    assert!(facenet.extra as f64 <= 0.03 * facenet.sure as f64, "{facenet:?}");
}

/// How far two pictures of one size are apart: the mean difference of their bytes.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let apart = a.pixels().iter().zip(b.pixels()).map(|(a, b)| f64::from(a.abs_diff(*b)));
    apart.sum::<f64>() / a.pixels().len() as f64
}

/// One photo in the eight orientations of EXIF. Each was compressed apart, so pixels differ a little, and boxes with
/// them: crops are compared at the box of the first, and boxes with each other.
#[test]
#[ignore = "needs LOOKALIKE_DATA, see README"]
fn turned_photos_give_the_same_crops() {
    let mtcnn = Mtcnn::new(&Device::cpu()).unwrap();
    let found: Vec<(RgbImage, Face)> = (1..=8)
        .map(|orientation| {
            let name = format!("photos/exif/orientation_{orientation}.jpg");
            let image = decode(&data().join(name), MAX_PIXELS).unwrap();
            assert_eq!((image.width(), image.height()), (853, 480), "orientation {orientation}");
            let faces = mtcnn.detect(&image).unwrap();
            (image, faces.into_iter().next().expect("a face"))
        })
        .collect();
    let (upright, first) = &found[0];
    let crop = |image: &RgbImage, face: &Face| face_crop(image, face, CropStyle::default());
    for (orientation, (image, face)) in (1..).zip(&found) {
        let (iou, [apart, _]) = (first.rect.iou(&face.rect), distances(first, face));
        let [same_box, own_box] =
            [first, face].map(|face| difference(&crop(upright, first), &crop(image, face)));
        println!(
            "orientation {orientation}: IoU {iou:.4}, landmarks {apart:.4}; crops differ by {same_box:.2}, with its own \
             box by {own_box:.2}"
        );
        assert!(iou > 0.9 && apart < NEAR && same_box < 2.0, "orientation {orientation}: {face:?}");
    }
}
