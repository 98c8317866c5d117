//! `lookalike explain`: where on a face the network looks.

use super::{MAX_PIXELS, Scene, decode};

#[test]
fn where_the_network_looks_is_drawn_and_told() {
    let scene = Scene::new(&[("s01", 4), ("s02", 4)]);
    scene.train("model.safetensors");
    let explain = ["explain", "model.safetensors", "photos/s01/01.png", "--adapter", "cpu"];
    let line = |more: &[&'static str]| [&explain[..], more].concat();

    let run = scene.ok(&line(&["-o", "heat.png"]));
    assert!(
        run.stdout.contains("1 face") && run.stdout.contains("grad-cam (conv2, 112 × 112)"),
        "{}",
        run.stdout
    );
    let one = decode(&scene.path("heat.png"), MAX_PIXELS).expect("a picture");
    scene.ok(&line(&["-o", "again.png"]));
    assert!(
        one == decode(&scene.path("again.png"), MAX_PIXELS).expect("a picture"),
        "the same line, the same picture"
    );

    let document =
        scene.json(&line(&["--person", "s02", "--method", "both", "--patch", "80", "-o", "both.png"]));
    let face = &document["faces"][0];
    let maps = face["maps"].as_array().expect("maps");
    let people = if face["nearest"] == "s02" { 1 } else { 2 };
    assert_eq!(maps.len(), 2 * people, "{document}");
    assert_eq!((&maps[0]["method"], &maps[1]["method"]), (&"grad-cam".into(), &"occlusion".into()));
    assert_eq!(maps[0]["person"], face["nearest"]);
    assert_eq!(maps[0]["map"].as_array().map(Vec::len), Some(112));
    assert_eq!(maps[1]["map"].as_array().map(Vec::len), Some(5), "144 pixels in steps of at most 40");
    assert!(maps[1]["least"].as_f64() <= maps[1]["probability"].as_f64(), "{}", maps[1]);
    let both = decode(&scene.path("both.png"), MAX_PIXELS).expect("a picture");
    assert!(both.width() > one.width());

    scene.fails(&line(&["--person", "nobody"]), &["does not know 'nobody'", "s01, s02"]);
    scene.fails(&line(&["--layer", "dense1"]), &["no layer 'dense1'", "conv1, pool1, conv2, pool2"]);
    scene.fails(&line(&["--method", "occlusion", "--patch", "900"]), &["900 pixels", "from 1 to 224"]);
    let nowhere = scene.path("nowhere/heat.png").display().to_string();
    scene.fails(&[&explain[..], &["-o", &nowhere]].concat(), &["nowhere"]);
}
