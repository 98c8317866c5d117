//! The program between other people's files: pretrained weights come in, each picture goes through them once, models go out.

use std::fs;

use lookalike::data::{CutStyle, Dataset};
use lookalike::formats::safetensors;

use super::Scene;

/// Faces small enough for VGG16 to be quick, in a file.
fn small_faces(scene: &Scene) {
    let picture = |at: usize| (0..32 * 32 * 3).map(move |i| ((i * (7 + at % 2 * 4) + at * 31) % 251) as u8);
    let dataset = Dataset {
        size: 32,
        pixels: (0..20).flat_map(picture).collect(),
        labels: (0..20).map(|at| at % 2).collect(),
        names: vec!["anna".into(), "berta".into()],
        groups: (0..20).collect(),
        sources: (0..20).map(|at| format!("{at}.png")).collect(),
        masked: vec![false; 20],
        landmarks: vec![None; 20],
        cut: CutStyle::default(),
    };
    dataset.save(&scene.path("faces.npz")).expect("a file can be written");
}

#[test]
fn no_base_is_trained_without_its_weights() {
    let scene = Scene::new(&[]);
    small_faces(&scene);
    let train = ["train", "faces.npz", "-o", "m.safetensors", "--adapter", "cpu", "--model", "vgg16"];
    scene.fails(&train, &["lookalike weights get vgg16", "--weights FILE"]);
    scene.fails(&[&train[..], &["--weights", "none.h5"]].concat(), &["none.h5"]);
    scene.fails(&[&train[..], &["--weights", "faces.npz"]].concat(), &["faces.npz", "block1_conv1/kernel"]);
    scene.fails(&[&train[..], &["--widths", "8"]].concat(), &["--widths goes with --model scratch"]);
    for model in ["scratch", "face", "sface", "vgg16-gap"] {
        let train = [&train[..6], &["--model", model]].concat();
        scene.fails(
            &[&train[..], &["--unfreeze", "block5"]].concat(),
            &["--unfreeze goes with --model vgg16"],
        );
        scene.fails(&[&train[..], &["--fresh"]].concat(), &["--fresh goes with --model vgg16"]);
    }
    let gap = [&train[..6], &["--model", "vgg16-gap"]].concat();
    scene.fails(&gap, &["lookalike weights get vgg16"]);
    scene.fails(&[&gap[..], &["--dense", "8"]].concat(), &["--dense goes with --model scratch or vgg16"]);
    for model in ["scratch", "face", "sface"] {
        let train = [&train[..6], &["--model", model, "--weights", "w.h5"]].concat();
        scene.fails(&train, &["--weights goes with --model vgg16 or vgg16-gap"]);
    }
    scene.fails(&[&train[..6], &["--split", "tutorial"]].concat(), &["goes with --model scratch or vgg16"]);
    let train = [&train[..6], &["--model", "scratch"]].concat();
    let neither = ["--no-augment", "--split", "tutorial"];
    scene.fails(&[&train[..], &neither].concat(), &["--no-augment goes with --split honest"]);
    let folds = ["--folds", "3", "--split", "tutorial"];
    scene.fails(&[&train[..], &folds].concat(), &["--folds goes with --split honest"]);
    let few = ["--memory", "1MB", "--epochs", "1"];
    scene.fails(&[&train[..], &few].concat(), &["the device allows 1000000", "--memory"]);
}

#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn vgg16_sees_each_picture_once_and_its_model_works_alone() {
    let scene = Scene::new(&[]);
    small_faces(&scene);
    let data = std::env::var("LOOKALIKE_DATA").expect("LOOKALIKE_DATA names the test data");
    let weights = format!("{data}/vgg16/vgg16_torchvision_notop.h5");
    let common = ["--model", "vgg16", "--weights", &weights, "--epochs", "2", "--adapter", "cpu"];
    let train = |output: &str, more: &[&str]| {
        scene.ok(&[&["train", "faces.npz", "-o", output], &common[..], more].concat()).stdout
    };
    let first = train("first.safetensors", &[]);
    assert!(first.contains("frozen layers: 68 pictures to go through them, about"), "{first}");
    let second = train("second.safetensors", &["--dense", "32", "--batch", "8"]);
    assert!(second.contains("they need not run"), "{second}");
    let again = train("again.safetensors", &[]);
    assert!(again.contains("they need not run"), "{again}");
    let bytes = |name: &str| fs::read(scene.path(name)).expect("a model");
    assert_eq!(bytes("first.safetensors"), bytes("again.safetensors"));
    let f16 = train("f16.safetensors", &["--precision", "f16", "--copies", "2"]);
    assert!(f16.contains("frozen layers: 52 pictures"), "{f16}");

    let block = ["--unfreeze", "block6"];
    let unknown = [&["train", "faces.npz", "-o", "no.safetensors"], &common[..], &block].concat();
    scene.fails(&unknown, &["--unfreeze block6", "block5"]);
    let tuned = train("tuned.safetensors", &["--unfreeze", "block5", "--no-cache"]);
    assert!(tuned.contains("in every epoch (--no-cache)"), "{tuned}");
    let tensors = |name: &str| safetensors::read(scene.path(name)).expect("a model").tensors;
    let (frozen, tuned) = (tensors("first.safetensors"), tensors("tuned.safetensors"));
    assert_eq!(frozen["block4_conv3/kernel"], tuned["block4_conv3/kernel"]);
    assert_ne!(frozen["block5_conv1/kernel"], tuned["block5_conv1/kernel"]);

    let evaluated = scene.json(&["evaluate", "first.safetensors", "faces.npz", "--adapter", "cpu"]);
    assert_eq!(evaluated["faces"], 20);
    let summary = scene.json(&["summary", "first.safetensors", "--adapter", "cpu"]);
    assert_eq!(summary["layers"].as_array().map(Vec::len), Some(23));

    let leaky = train("leaky.safetensors", &["--split", "tutorial"]);
    assert!(leaky.contains("split: LEAKY") && leaky.contains("LEAKY validation accuracy"), "{leaky}");
    let curves = fs::read_to_string(scene.path("leaky.csv")).expect("curves");
    assert!(curves.starts_with("epoch,loss,accuracy,leaky_val_loss"), "{curves}");

    let other = format!("{data}/vgg16/vgg16_block1_conv1_caffe_fold.npz");
    let wrong = ["train", "faces.npz", "-o", "no.safetensors", "--model", "vgg16", "--weights", &other];
    scene.fails(&wrong, &["caffe_fold.npz", "block1_conv2/kernel"]);
    let renamed = scene.path("renamed.safetensors");
    let file = safetensors::read(format!("{data}/vgg16/vgg16_notop_f16.safetensors")).expect("weights");
    safetensors::write(&renamed, &file).expect("a file can be written");
    let unknown = [
        "train",
        "faces.npz",
        "-o",
        "no.safetensors",
        "--model",
        "vgg16",
        "--weights",
        "renamed.safetensors",
    ];
    scene.fails(&unknown, &["renamed.safetensors", "--preprocessing"]);
    scene.ok(&[&unknown[..], &["--preprocessing", "torch", "--epochs", "1", "--adapter", "cpu"]].concat());
}

#[test]
#[ignore = "needs LOOKALIKE_DATA"]
fn pooled_features_need_no_epochs_and_their_model_is_kerass_too() {
    let scene = Scene::new(&[]);
    small_faces(&scene);
    let data = std::env::var("LOOKALIKE_DATA").expect("LOOKALIKE_DATA names the test data");
    let weights = format!("{data}/vgg16/vgg16_torchvision_notop.h5");
    let common = ["--model", "vgg16-gap", "--weights", &weights, "--adapter", "cpu"];
    let train = |output: &str, more: &[&str]| {
        scene.ok(&[&["train", "faces.npz", "-o", output], &common[..], more].concat())
    };
    let first = train("first.safetensors", &[]).stdout;
    assert!(first.contains("frozen layers: 36 pictures to go through them, about"), "{first}");
    let again = train("again.safetensors", &["--epochs", "3"]);
    assert!(again.stdout.contains("they need not run"), "{}", again.stdout);
    assert!(again.stderr.contains("--model vgg16-gap has no epochs"), "{}", again.stderr);
    let folds = train("folds.safetensors", &["--folds", "2"]).stdout;
    assert!(folds.contains("cross-validation, 2 folds"), "{folds}");

    let evaluate =
        |file: &str| scene.json(&["evaluate", file, "faces.npz", "--adapter", "cpu"])["confusion"].clone();
    let found = evaluate("first.safetensors");
    assert_eq!(found, serde_json::json!([[10, 0], [0, 10]]), "these patterns are easily told apart");
    for ending in ["h5", "keras", "npz", "onnx"] {
        let file = format!("first.{ending}");
        scene.ok(&["convert", "first.safetensors", &file]);
        if ending != "onnx" {
            assert_eq!(evaluate(&file), found, "{ending}");
        }
    }
    let summary = scene.json(&["summary", "vgg16-gap", "--classes", "4", "--adapter", "cpu"]);
    assert_eq!(summary["parameters"], 7_635_264 + 4 * 512 + 4 * 513);
}

#[test]
fn models_of_keras_become_ours_and_theirs_again() {
    let scene = Scene::new(&[]);
    let keras = include_bytes!("weights/keras3_whole.keras");
    scene.write("theirs.keras", keras);
    let says = ["--labels", "anna,berta", "--preprocessing", "caffe"];
    scene.ok(&[&["convert", "theirs.keras", "model.safetensors"][..], &says].concat());
    for ending in ["h5", "keras", "npz", "onnx"] {
        let file = format!("model.{ending}");
        let run = scene.ok(&["convert", "model.safetensors", &file]);
        assert!(run.stdout.starts_with(&file) && run.stdout.contains("2 people"), "{}", run.stdout);
        if ending != "onnx" {
            let summary = scene.json(&["summary", &file, "--adapter", "cpu"]);
            assert_eq!(summary["layers"].as_array().map(Vec::len), Some(7));
            scene.ok(&["convert", &file, "again.safetensors"]);
            let [first, again] =
                ["model", "again"].map(|name| fs::read(scene.path(&format!("{name}.safetensors"))));
            assert!(first.expect("a file") == again.expect("a file"), "{ending}");
        }
    }
    scene.fails(
        &["convert", "theirs.keras", "x.h5"],
        &["theirs.keras", "2 names", "--labels", "--preprocessing"],
    );
    scene.fails(&["convert", "model.h5", "model.pt"], &["model.pt", ".keras", ".onnx"]);
    scene.fails(&["convert", "model.onnx", "x.h5"], &["model.onnx", "written, not read"]);
    scene.fails(&["convert", "model.h5", "none/x.h5"], &["none", "folder"]);
    scene.write("broken.h5", &fs::read(scene.path("model.h5")).expect("a file")[..9000]);
    scene.fails(&["convert", "broken.h5", "x.keras"], &["broken.h5"]);
}

/// The public file itself is out of reach of tests; how downloads go is tested beside them.
#[test]
fn weights_that_cannot_be_downloaded_name_every_place_and_the_other_way() {
    let scene = Scene::new(&[]);
    // Nobody listens there: neither the mirror nor the proxy to the public place.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}/", listener.local_addr().expect("its address"))
    };
    let mut command = scene.command(&["weights", "get", "vgg16", "--mirror", &closed]);
    let command = command.env("LOOKALIKE_CACHE", scene.path("cache")).env("LOOKALIKE_MIRROR", "");
    let command = command.env("https_proxy", &closed).env("no_proxy", "127.0.0.1");
    let output = command.output().expect("the program starts");
    let errors = String::from_utf8(output.stderr).expect("text");
    let last = errors.lines().last().unwrap_or_default();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{errors}");
    for words in ["error: ", &format!("{closed}vgg16_weights"), "storage.googleapis.com", "--weights FILE"] {
        assert!(last.contains(words), "'{words}' in: {last}");
    }
    assert!(fs::read_dir(scene.path("cache/weights")).expect("the folder").next().is_none());
}
