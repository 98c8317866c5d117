//! The program with the networks made for faces: a photo of each person is enough.

use std::fs;

use serde_json::json;

use super::Scene;

const TRAIN: [&str; 5] = ["train", "photos", "-o", "model.safetensors", "--adapter"];
/// The default, and the other one.
const NETWORKS: [&str; 2] = ["sface", "face"];

#[test]
fn one_photo_of_each_person_is_enough() {
    NETWORKS.into_iter().for_each(one_photo_is_enough_for);
}

fn one_photo_is_enough_for(network: &str) {
    let people: Vec<String> = (1..=10).map(|number| format!("s{number:02}")).collect();
    let one_each: Vec<(&str, usize)> = people.iter().map(|name| (&name[..], 1)).collect();
    let scene = Scene::new(&one_each);
    let train = |options: &[&str]| scene.ok(&[&TRAIN[..], &["cpu", "--model", network], options].concat());
    let run = train(&[]);
    assert!(run.stdout.contains("10 photos to train on and none to validate with"), "{}", run.stdout);
    assert!(run.stderr.contains("no second photo of anybody"), "{}", run.stderr);
    assert!(!run.stdout.contains("NaN"), "{}", run.stdout);
    // Each photo once more with a mask, unless told otherwise; what was seen before is not seen again.
    assert!(run.stdout.contains("frozen layers: 20 pictures to go"), "{}", run.stdout);
    assert!(train(&["--no-augment"]).stdout.contains("need not run"), "the ten photos are known");
    assert!(
        train(&["--masks", "0.75"]).stdout.contains("frozen layers: 20 pictures to go"),
        "two more masks each"
    );
    let advised = train(&["--epochs", "3"]);
    assert!(advised.stderr.contains("a network made for faces has no epochs"), "{}", advised.stderr);
    assert!(!run.stderr.contains("has no epochs"), "{}", run.stderr);

    // The other photos of the same people.
    let others = Scene::new(&one_each.iter().map(|&(name, _)| (name, 10)).collect::<Vec<_>>());
    for name in &people {
        fs::remove_file(others.path(&format!("photos/{name}/01.png"))).expect("a photo");
    }
    fs::copy(scene.path("model.safetensors"), others.path("model.safetensors")).expect("a model");
    let scores = others.json(&["evaluate", "model.safetensors", "photos", "--adapter", "cpu"]);
    assert_eq!(scores["faces"], 90);
    let accuracy = scores["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{accuracy}");

    // The photo that was learned, and another.
    let answers = scene.json(&["predict", "model.safetensors", "photos/s03/01.png", "--adapter", "cpu"]);
    assert_eq!(answers[0]["faces"][0]["name"], "s03", "{answers}");
    let answers = others.json(&["predict", "model.safetensors", "photos/s05/04.png", "--adapter", "cpu"]);
    assert_eq!(answers[0]["faces"][0]["name"], "s05", "{answers}");
}

#[test]
fn what_validated_is_learned_once_it_has_judged() {
    let scene = Scene::new(&[("s01", 5), ("s02", 5)]);
    let train = |output: &str, options: &[&str]| {
        let common = ["train", "photos", "-o", output, "--adapter", "cpu"];
        scene.ok(&[&common[..], options].concat()).stdout
    };
    let with = train("with.safetensors", &[]);
    assert!(with.contains("judged by 2 photos; now all 10 are learned"), "{with}");
    let without = train("without.safetensors", &["--no-refit"]);
    assert!(!without.contains("judged by"), "{without}");
    let judged =
        |out: &str| out.lines().find(|line| line.starts_with("validation accuracy")).map(String::from);
    assert!(judged(&with).is_some());
    assert_eq!(judged(&with), judged(&without), "the judgement is of the photos kept apart");
    let bytes = |name: &str| fs::read(scene.path(name)).expect("a model");
    assert!(bytes("with.safetensors") != bytes("without.safetensors"));
    // A judgement on few photos learns no more than these.
    assert!(!train("few.safetensors", &["--photos", "2"]).contains("judged by"));
}

#[test]
fn several_photos_are_split_and_the_same_seed_gives_the_same_bytes() {
    for (network, block) in NETWORKS.into_iter().zip(["SeparableBlock", "ResidualBlock"]) {
        same_bytes(network, block);
    }
}

fn same_bytes(network: &str, block: &str) {
    let scene = Scene::new(&[("s01", 5), ("s02", 5)]);
    let how = ["--model", network, "--adapter", "cpu"];
    let train = |output: &str| scene.ok(&[&["train", "photos", "-o", output][..], &how].concat()).stdout;
    let first = train("first.safetensors");
    assert!(first.contains("validation accuracy  100.0 %"), "{first}");
    assert!(train("second.safetensors").contains("they need not run"), "features are kept");
    let bytes = |name: &str| fs::read(scene.path(name)).expect("a model");
    assert!(bytes("first.safetensors") == bytes("second.safetensors"), "the same photos, the same model");

    // A file of faces gives what the folder gives.
    scene.ok(&["crop", "photos", "-o", "faces.npz", "--adapter", "cpu"]);
    scene.ok(&[&["train", "faces.npz", "-o", "third.safetensors"][..], &how].concat());
    assert!(bytes("first.safetensors") == bytes("third.safetensors"));
    let [folder, file] = ["photos", "faces.npz"]
        .map(|photos| scene.json(&["evaluate", "first.safetensors", photos, "--adapter", "cpu"]));
    assert_eq!(folder["confusion"], file["confusion"]);
    scene.ok(&["crop", "photos", "-o", "again.npz", "--adapter", "cpu", "--model", "first.safetensors"]);

    // What other programs cannot express is said.
    let convert = |output: &str| ["convert", "first.safetensors", output].map(str::to_owned);
    for output in ["model.h5", "model.keras", "model.onnx"] {
        let arguments = convert(output);
        scene.fails(&arguments.each_ref().map(|text| &text[..]), &[&format!("block1 is a {block}")]);
    }
    scene.ok(&["convert", "first.safetensors", "model.npz"]);
    let again = scene.json(&["evaluate", "model.npz", "faces.npz", "--adapter", "cpu"]);
    assert_eq!(again["confusion"], file["confusion"]);
}

#[test]
fn what_networks_for_faces_have_no_use_for_is_refused() {
    let scene = Scene::new(&[("s01", 2), ("s02", 2)]);
    for (options, words) in [
        (&["--split", "tutorial"][..], "--split tutorial goes with --model scratch or vgg16"),
        (&["--fresh"], "--fresh goes with --model vgg16"),
        (&["--dense", "8"], "--dense goes with"),
        (&["--weights", "w.h5"], "--weights goes with --model vgg16"),
        (&["--widths", "8"], "--widths goes with --model scratch"),
    ] {
        scene.fails(&[&TRAIN[..], &["cpu"], options].concat(), &[words]);
    }
    for (network, parameters) in NETWORKS.into_iter().zip([9_629_632, 5_607_488]) {
        let summary = scene.json(&["summary", network, "--classes", "4", "--adapter", "cpu"]);
        assert_eq!(summary["parameters"], json!(parameters + 128 * 4 + 4));
    }
}

#[test]
fn strangers_are_unknown_and_folds_judge_every_photo() {
    let scene = Scene::new(&[("s01", 6), ("s02", 6), ("s03", 6), ("s04", 6), ("s05", 6)]);
    let run = scene.ok(&[&TRAIN[..], &["cpu", "--folds", "3", "--strangers", "0.02"]].concat());
    assert!(
        run.stdout.contains("fold 3 of 3") && run.stdout.contains("cross-validation, 3 folds"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("of 30 faces; 95 % interval"), "every photo is judged: {}", run.stdout);
    assert!(run.stdout.contains("groups of equal or nearly equal photos; the interval"), "{}", run.stdout);
    assert!(run.stdout.contains("strangers: a face at a distance of"), "{}", run.stdout);

    let others = Scene::new(&[("s06", 10), ("s07", 10), ("s08", 10), ("s09", 10), ("s10", 10)]);
    let strangers = others.path("photos").display().to_string();
    let common = ["--adapter", "cpu", "--strangers", &strangers];
    let scores = scene.json(&[&["evaluate", "model.safetensors", "photos"][..], &common].concat());
    let open_set = &scores["open_set"];
    assert_eq!(
        (&open_set["false_accepts"]["faces"], &open_set["false_rejects"]["faces"]),
        (&json!(50), &json!(30))
    );
    for what in ["false_accepts", "false_rejects"] {
        let share = open_set[what]["share"].as_f64().unwrap();
        assert!(share < 0.2, "{what} {share}: people of the ORL faces are told apart well");
    }
    assert_eq!(
        scores["rejected"].as_f64().unwrap() / 30.0,
        open_set["false_rejects"]["share"].as_f64().unwrap()
    );
    assert!(open_set["curve"].as_array().unwrap().len() > 10);

    let photo = others.path("photos/s06/01.png").display().to_string();
    let answers = scene.json(&["predict", "model.safetensors", &photo, "--adapter", "cpu"]);
    let face = &answers[0]["faces"][0];
    assert_eq!(face["name"], serde_json::Value::Null, "{face}");
    let nearest = face["nearest"].as_str().unwrap();
    let line = scene.ok(&["predict", "model.safetensors", &photo, "--adapter", "cpu"]).stdout;
    assert!(line.contains(&format!("unknown ({nearest})")), "{line}");
    scene.fails(
        &["evaluate", "model.safetensors", "photos", "--strangers", "photos", "--adapter", "cpu"],
        &["whom the model knows"],
    );
}
