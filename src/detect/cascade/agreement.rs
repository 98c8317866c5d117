//! How far the cascade agrees with scikit-image's, on real photos.
//!
//! What is left of a difference comes from JPEG decoders, whose pixels differ by a step or two, from scikit-image's
//! f32 sums, and from the last row and column of windows, which it leaves out: with its pixels, sums and bounds, all
//! boxes of run `B_wide` are the same to the pixel.

use std::path::PathBuf;

use serde_json::Value;

use super::*;
use crate::vision::{MAX_PIXELS, decode};

fn data() -> PathBuf {
    std::env::var_os("LOOKALIKE_DATA").expect("LOOKALIKE_DATA is set").into()
}

fn size(value: &Value) -> usize {
    value.as_u64().expect("a size in pixels") as usize
}

#[test]
#[ignore = "needs LOOKALIKE_DATA, see README"]
fn finds_what_scikit_image_finds() {
    let text = std::fs::read_to_string(data().join("cascades/lbp_reference.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    for (run, content) in reference["runs"].as_object().unwrap() {
        let params = &content["params"];
        let options = CascadeOptions {
            scale_factor: params["scale_factor"].as_f64().unwrap() as f32,
            step_ratio: params["step_ratio"].as_f64().unwrap() as f32,
            min_size: Some(size(&params["min_size"][0])),
            max_size: Some(size(&params["max_size"][0])),
            max_side: usize::MAX,
            ..CascadeOptions::default()
        };
        let cascade = Cascade::frontal().with_options(options).unwrap();
        let (mut theirs, mut matched, mut identical, mut ours) = (0, 0, 0, 0);
        for (name, expected) in content["images"].as_object().unwrap() {
            let image = decode(&data().join("photos").join(name), MAX_PIXELS).unwrap();
            if (image.width(), image.height()) != (size(&expected["width"]), size(&expected["height"])) {
                println!("{run}: {name} was turned by its EXIF orientation; left out");
                continue;
            }
            let mut found: Vec<Rect> = cascade.boxes(&image).into_iter().map(|(rect, _)| rect).collect();
            ours += found.len();
            for face in expected["faces"].as_array().unwrap() {
                let [x, y, width, height] = ["c", "r", "width", "height"].map(|key| size(&face[key]) as f32);
                let face = Rect { x, y, width, height };
                theirs += 1;
                let best =
                    (0..found.len()).max_by(|&a, &b| found[a].iou(&face).total_cmp(&found[b].iou(&face)));
                match best.filter(|&i| found[i].iou(&face) >= 0.7) {
                    Some(i) => {
                        matched += 1;
                        identical += usize::from(found.swap_remove(i) == face);
                    }
                    None => println!("{run}: {name}: not found: {face:?}"),
                }
            }
        }
        println!("{run}: scikit-image {theirs} faces, matched {matched}, identical {identical}; ours {ours}");
        assert!(matched * 100 >= theirs * 95, "{run}: {matched} of {theirs} matched");
    }
}
