//! The program end to end: the real binary on real photos, and on whatever else it may be given.

mod bench;
mod explain;
mod fuzz;
mod json_lines;
mod one_photo;
mod report;
mod resume;
mod scene;
#[cfg(feature = "studio")]
mod studio;
mod transfer;
mod webcam;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lookalike::data::Dataset;
use lookalike::formats::safetensors::{self, TensorFile};
use lookalike::vision::{MAX_PIXELS, RgbImage, crop_resize, decode, encode_jpeg, encode_png};
use scene::{QUICK, Scene};
use serde_json::Value;

fn red_pixels(path: &Path) -> usize {
    let image = decode(path, MAX_PIXELS).expect("a picture");
    let is_red = |&&[red, green, blue]: &&[u8; 3]| red > 190 && green < 60 && blue < 60;
    image.pixels().as_chunks().0.iter().filter(is_red).count()
}

/// A sheet has a row for each picture and a column for it and each change; a file has each picture before its copies; the same
/// line gives the same bytes.
#[test]
fn what_training_sees_is_shown_and_written() {
    let scene = Scene::new(&[("s01", 3), ("s02", 3)]);
    scene.ok(&["crop", "photos", "-o", "faces.npz", "--adapter", "cpu"]);
    let sheet = |name: &'static str, more: &[&'static str]| {
        let line = ["augment", "faces.npz", "-n", "3", "--rows", "2", "--adapter", "cpu", "-o", name];
        scene.ok(&[&line[..], more].concat());
        decode(&scene.path(name), MAX_PIXELS).expect("a sheet")
    };
    let plain = sheet("plain.png", &[]);
    assert_eq!(plain, sheet("again.png", &[]));
    let masked = sheet("masked.png", &["--masks", "1"]);
    assert_eq!((masked.width(), masked.height()), (plain.width(), plain.height()));
    assert_ne!(masked, plain);

    scene.ok(&["augment", "faces.npz", "-n", "2", "--masks", "1", "--adapter", "cpu", "-o", "larger.npz"]);
    let [faces, larger] =
        ["faces.npz", "larger.npz"].map(|name| Dataset::load(&scene.path(name), 2).expect("faces"));
    assert_eq!(larger.len(), 3 * faces.len());
    for at in 0..faces.len() {
        assert_eq!((larger.image(3 * at), larger.labels[3 * at]), (faces.image(at), faces.labels[at]));
        assert_ne!(larger.image(3 * at + 1), larger.image(3 * at + 2));
    }
    scene.fails(&["augment", "faces.npz", "-o", "sheet.gif"], &["sheet.gif", ".png", ".npz"]);

    // The copies are learned, but say nothing of how good that is.
    let trained = scene.ok(&[&["train", "larger.npz", "-o", "m.safetensors"][..], &QUICK].concat());
    assert!(
        trained.stdout.contains("4 changed copies of those that validate are not used"),
        "{}",
        trained.stdout
    );
    let [few, many] = ["faces.npz", "larger.npz"]
        .map(|file| scene.json(&["evaluate", "m.safetensors", file, "--adapter", "cpu"]));
    assert_eq!(few, many);
    assert_eq!(few["faces"], 6);
}

/// Who wears a real mask is known from the folder and from the file of faces that was cut from it.
#[test]
fn real_masks_are_scored_apart() {
    let scene = Scene::new(&[("s01", 4), ("s02", 4)]);
    scene
        .write("photos/masks.csv", b"file,mask\ns01/01.png,cloth\ns02/02.png,surgical\ns02/03.png,no-mask\n");
    scene.train("m.safetensors");
    scene.ok(&["crop", "photos", "-o", "faces.npz", "--adapter", "cpu"]);
    let [folder, file] = ["photos", "faces.npz"]
        .map(|of| scene.json(&["evaluate", "m.safetensors", of, "--adapter", "cpu"])["groups"].take());
    assert_eq!(folder, file);
    let faces = ["bare", "synthetic_mask", "real_mask"].map(|group| folder[group]["faces"].as_u64());
    assert_eq!(faces, [Some(6), Some(6), Some(2)]);
}

#[test]
fn from_photos_to_names() {
    let scene = Scene::new(&[("s01", 5), ("s02", 5)]);
    let run = scene.train("model.safetensors");
    assert!(run.stdout.starts_with("device: cpu, "), "{}", run.stdout);
    for part in
        ["split: ", "memory: ", "\n    2  ", "best", "validation accuracy", "95 % interval", "taken for"]
    {
        assert!(run.stdout.contains(part), "'{part}' in: {}", run.stdout);
    }
    let curves = fs::read_to_string(scene.path("model.csv")).expect("learning curves");
    assert_eq!(curves.lines().count(), 3, "{curves}");

    // Masked by folder, bare, and somebody whom the model does not know.
    fs::create_dir(scene.path("photos/s01/masked")).expect("a folder");
    fs::rename(scene.path("photos/s01/01.png"), scene.path("photos/s01/masked/01.png")).expect("a photo");
    fs::create_dir(scene.path("photos/s99")).expect("a folder");
    fs::copy(scene.path("photos/s01/02.png"), scene.path("photos/s99/1.png")).expect("a photo");
    let scores = scene.json(&["evaluate", "model.safetensors", "photos", "--adapter", "cpu"]);
    let half = ["evaluate", "model.safetensors", "photos", "--adapter", "cpu", "--precision", "f16"];
    assert_eq!(scene.json(&half), scores, "the CPU computes in 32 bits all the same");
    assert_eq!(scores["names"], serde_json::json!(["s01", "s02"]));
    let counted: u64 = scores["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(scores["faces"].as_u64(), Some(counted));
    assert_eq!(scores["per_person"]["s02"]["support"], 5);
    assert_eq!(scores["groups"]["real_mask"]["faces"], 1);
    assert_eq!(scores["groups"]["bare"]["faces"], counted - 1);
    // A mask is drawn on each bare face that MTCNN has found.
    assert_eq!(scores["groups"]["synthetic_mask"]["faces"], counted - 1);
    assert_eq!(scores["rejected"], 0);
    let skipped = scores["skipped"].as_array().unwrap();
    let stranger = skipped.iter().find(|entry| entry["photo"] == "photos/s99/1.png").expect("listed");
    assert!(stranger["reason"].as_str().unwrap().contains("does not know 's99'"), "{stranger}");
    let text = scene.ok(&["evaluate", "model.safetensors", "photos", "--adapter", "cpu"]).stdout;
    assert!(
        text.contains("precision") && text.contains("real masks") && text.contains("masks drawn on"),
        "{text}"
    );

    // Two photos of one name, and one that is none.
    scene.write("notes.jpg", b"no picture");
    let photos = ["photos/s01/02.png", "notes.jpg", "photos/s02/02.png"];
    let predict = [&["predict", "model.safetensors"][..], &photos, &["--adapter", "cpu"]].concat();
    let run = scene.ok(&[&predict[..], &["-o", "named"]].concat());
    assert!(
        run.stdout.contains("photos/s02/02.png: 1 face") && run.stdout.matches(" s01 ").count() >= 2,
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("notes.jpg: is not a JPEG"), "{}", run.stderr);
    for copy in ["named/02.png", "named/02-2.png"] {
        assert!(red_pixels(&scene.path(copy)) > 200, "{copy} has a red box");
    }
    assert_eq!(red_pixels(&scene.path("photos/s01/02.png")), 0, "the photo itself is as it was");
    let answers = scene.json(&predict);
    let [first, broken, _] = &answers.as_array().unwrap()[..] else { panic!("three photos: {answers}") };
    assert!(broken["error"].is_string() && broken["faces"].as_array().unwrap().is_empty());
    let face = &first["faces"][0];
    assert!(first["error"].is_null() && face["box"].as_array().unwrap().len() == 4, "{first}");
    let sum: f64 = ["s01", "s02"].iter().map(|name| face["confidences"][name].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5 && face["name"] == face["nearest"], "{face}");
    scene.fails(&["predict", "model.safetensors", "notes.jpg", "--adapter", "cpu"], &["none of 1 photos"]);

    // Alone, one person can be tested but not learned.
    fs::create_dir(scene.path("alone")).expect("a folder");
    fs::rename(scene.path("photos/s02"), scene.path("alone/s02")).expect("a folder");
    let scores = scene.json(&["evaluate", "model.safetensors", "alone", "--adapter", "cpu"]);
    assert_eq!((&scores["faces"], &scores["per_person"]["s01"]["support"]), (&5.into(), &0.into()));
    assert!(scores["groups"]["real_mask"].is_null() && scores["per_person"]["s01"]["recall"].is_null());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let scene = Scene::new(&[("s01", 4), ("s03", 4)]);
    scene.train("one.safetensors");
    scene.ok(&["crop", "photos", "-o", "faces.npz"]);
    scene.ok(&[&["train", "faces.npz", "-o", "two.safetensors"][..], &QUICK].concat());
    scene.ok(&[&["train", "photos", "-o", "three.safetensors", "--seed", "2"][..], &QUICK].concat());
    let [one, two, three] = ["one", "two", "three"]
        .map(|name| fs::read(scene.path(&format!("{name}.safetensors"))).expect("a model"));
    assert!(one == two, "photos and the faces cut from them give one model");
    assert!(one != three, "another seed gives another model");

    let bytes = fs::read(scene.path("faces.npz")).expect("faces");
    scene.write("cut.npz", &bytes[..bytes.len() / 2]);
    scene.fails(&[&["train", "cut.npz", "-o", "m.safetensors"][..], &QUICK].concat(), &["cut.npz", "again"]);
    scene.fails(&["predict", "faces.npz", "photos/s01/01.png", "--adapter", "cpu"], &["faces.npz"]);
    let scores = scene.json(&["evaluate", "one.safetensors", "faces.npz", "--adapter", "cpu"]);
    assert_eq!(scores["faces"], 8);
}

#[test]
fn photos_that_cannot_be_used_are_listed_and_the_run_goes_on() {
    let scene = Scene::new(&[("s01", 2), ("s02", 2)]);
    let large = RgbImage::filled(300, 300, [90, 120, 40]);
    let jpeg = encode_jpeg(&large).expect("a JPEG");
    scene.write("photos/s01/text.jpg", b"no picture");
    scene.write("photos/s01/cut.jpg", &jpeg[..jpeg.len() / 2]);
    scene.write("photos/s02/large.png", &encode_png(&large).expect("a PNG"));
    scene.write("photos/s02/panic.webp", include_bytes!("regressions/image-e3d310e6"));
    scene.write("photos/empty/notes.txt", b"");
    let report = scene.json(&["crop", "photos", "-o", "faces.npz", "--max-pixels", "20000"]);
    assert_eq!((&report["photos"], &report["faces"]), (&8.into(), &4.into()), "{report}");
    assert_eq!(report["per_person"]["s02"], serde_json::json!({"photos": 4, "faces": 2}));
    let skipped = report["skipped"].as_array().unwrap();
    for (photo, reason) in [
        ("photos/s01/text.jpg", "not a JPEG"),
        ("photos/s01/cut.jpg", "ends early"),
        ("photos/s02/large.png", "300x300"),
        ("photos/s02/panic.webp", "again"),
        ("empty", "no photo"),
    ] {
        let entry =
            skipped.iter().find(|entry| entry["photo"] == photo).unwrap_or_else(|| panic!("{report}"));
        assert!(entry["reason"].as_str().unwrap().contains(reason), "{entry}");
    }
    let run = scene.ok(&["crop", "photos", "-o", "faces.npz"]);
    assert!(run.stderr.contains("skipped photos/s01/text.jpg: is not a JPEG"), "{}", run.stderr);
    assert!(run.stderr.contains("skipped photos/s02/panic.webp: ") && !run.stderr.contains("panicked"));
    assert!(run.stdout.contains("faces.npz: 4 faces"), "{}", run.stdout);
}

#[test]
fn whole_pictures_and_double_photos_are_told() {
    let scene = Scene::new(&[("s01", 3), ("s02", 3)]);
    // No cascade finds a face in this; it is small enough for a head shot.
    scene.write("photos/s01/plain.png", &encode_png(&RgbImage::filled(92, 112, [90; 3])).expect("a PNG"));
    fs::copy(scene.path("photos/s01/01.png"), scene.path("photos/s02/copy.png")).expect("a photo");
    let report = scene.json(&["crop", "photos", "-o", "faces.npz"]);
    let whole = report["whole"].as_array().unwrap();
    assert!(whole.contains(&"photos/s01/plain.png".into()), "{report}");
    let conflict = &report["conflicts"][0];
    assert!(conflict.as_array().unwrap().contains(&"s02/copy.png".into()), "{report}");
    let report = scene.json(&["crop", "photos", "-o", "faces.npz", "--no-whole"]);
    assert_eq!(report["whole"], serde_json::json!([]));
}

/// A photo of the demo, enlarged.
fn enlarged(scene: &Scene, photo: &str, times: usize) -> RgbImage {
    let image = decode(&scene.path(photo), MAX_PIXELS).expect("a photo");
    crop_resize(&image, image.bounds(), image.width() * times, image.height() * times)
}

#[test]
fn which_of_several_faces_is_used_is_shown_and_overruled() {
    let scene = Scene::new(&[("s01", 3), ("s02", 3)]);
    let (large, small) = (enlarged(&scene, "photos/s01/01.png", 4), enlarged(&scene, "photos/s02/01.png", 3));
    let mut both = RgbImage::filled(large.width() + small.width(), large.height(), [90; 3]);
    both.paste(&large, 0, 0);
    both.paste(&small, large.width(), 40);
    scene.write("photos/s02/both.png", &encode_png(&both).expect("a PNG"));

    let run = scene.ok(&["crop", "photos", "-o", "faces.npz"]);
    for part in ["1 photo shows several faces; used: the largest (1)", "faces-aside.png", "--review FOLDER"] {
        assert!(run.stdout.contains(part), "'{part}' in: {}", run.stdout);
    }
    assert!(red_pixels(&scene.path("faces-aside.png")) > 2000, "the face used is framed");
    assert!(!scene.path("faces.npz.progress").exists());
    let run = scene.train("model.safetensors");
    assert!(run.stderr.contains("1 photo shows several faces"), "{}", run.stderr);

    let review = ["crop", "photos", "-o", "faces.npz", "--review", "review"];
    let first = scene.json(&review);
    let photo = &first["aside"][0];
    assert_eq!(
        (&photo["photo"], &photo["why"]),
        (&"photos/s02/both.png".into(), &"largest".into()),
        "{first}"
    );
    assert_eq!((&photo["used"]["face"], &photo["set_aside"][0]["face"]), (&1.into(), &2.into()), "{first}");
    assert_eq!((&first["faces"], &first["sheets"]), (&7.into(), &serde_json::json!(["review/sheet.png"])));
    let crops = |part: &str| -> Vec<PathBuf> {
        scene.files().into_iter().filter(|path| path.parent() == Some(&scene.path(part))).collect()
    };
    let moved =
        crops("review/s02/aside").into_iter().find(|crop| crop.to_string_lossy().ends_with("-face2.png"));
    let moved = moved.expect("a crop of face 2");
    fs::rename(&moved, scene.path("review/s02/used").join(moved.file_name().expect("a name")))
        .expect("a move");
    for _ in 0..2 {
        let again = scene.json(&review);
        let photo = &again["aside"][0];
        assert_eq!((&photo["used"]["face"], &photo["why"]), (&2.into(), &"chosen".into()), "{again}");
        assert_eq!(again["resumed"], 7, "nothing is searched again");
        assert_eq!(crops("review/s02/used").len(), 1, "the other crop gave way");
    }
    let run = scene.ok(&review);
    assert!(
        run.stdout.contains("several faces; used: your choice (1); see review/sheet.png"),
        "{}",
        run.stdout
    );

    let model = ["crop", "photos", "-o", "f.npz", "--adapter", "cpu", "--model", "model.safetensors"];
    assert_eq!(scene.json(&model)["aside"][0]["why"], "most alike");
    let mut file = safetensors::read(scene.path("model.safetensors")).expect("a model");
    file.metadata["preprocessing"]["size"] = 64.into();
    safetensors::write(scene.path("model.safetensors"), &file).expect("a model");
    scene.fails(&model, &["model.safetensors", "64 × 64", "224 × 224"]);
    scene.fails(&["crop", "photos", "-o", "f.npz", "--review", "photos/new"], &["photos/new", "beside it"]);
    scene.write("review/review.json", b"{");
    scene.fails(&review, &["review.json", "begin anew"]);
}

#[test]
fn faces_are_listed_drawn_and_compared() {
    let scene = Scene::new(&[("s01", 2), ("s02", 1)]);
    scene.write("broken.jpg", b"no picture");
    scene.write("plain.png", &encode_png(&RgbImage::filled(60, 50, [90; 3])).expect("a PNG"));
    let photos = ["photos/s01/01.png", "photos/s02/01.png", "plain.png", "broken.jpg"];
    let command = |more: &[&'static str]| [&["faces"][..], &photos, &["--adapter", "cpu"], more].concat();

    let found = scene.json(&command(&[]));
    let entries = found.as_array().expect("an entry for each photo");
    assert_eq!(entries.len(), 4, "{found}");
    let face = &entries[0]["faces"][0];
    assert_eq!((&entries[0]["detector"], &entries[0]["error"]), (&"mtcnn".into(), &Value::Null));
    assert!(face["box"].as_array().unwrap().len() == 4 && face["score"].as_f64().unwrap() > 0.9, "{face}");
    assert_eq!(face["landmarks"].as_array().expect("landmarks").len(), 5, "{face}");
    assert!(
        face["landmarks"][0][0].as_f64() < face["landmarks"][1][0].as_f64(),
        "left eye, right eye: {face}"
    );
    assert_eq!(entries[2]["faces"], serde_json::json!([]));
    assert!(entries[3]["error"].as_str().expect("an error").contains("not a JPEG"), "{found}");
    let lbp = scene.json(&command(&["--detector", "lbp"]));
    assert!(lbp[0]["detector"] == "lbp" && lbp[1]["faces"][0]["landmarks"].is_null(), "{lbp}");
    let small = scene.json(&command(&["--min-face", "200"]));
    assert_eq!(small[0]["faces"], serde_json::json!([]), "no face of 200 pixels");

    let run = scene.ok(&command(&["-o", "boxes"]));
    assert!(
        run.stdout.contains("photos/s01/01.png: 1 face") && run.stdout.contains("eyes at"),
        "{}",
        run.stdout
    );
    assert!(red_pixels(&scene.path("boxes/01.png")) > 100 && red_pixels(&scene.path("boxes/01-2.png")) > 100);
    assert!(scene.path("boxes/plain.png").exists() && !scene.path("boxes/broken.png").exists());

    let run = scene.ok(&command(&["--compare"]));
    for part in ["by mtcnn", "by lbp", "it alone", "were found by both"] {
        assert!(run.stdout.contains(part), "'{part}' in {}", run.stdout);
    }
    let both = decode(&scene.path("lookalike-compare/plain.png"), MAX_PIXELS).expect("a picture");
    assert_eq!(both.width(), 2 * 60 + 8);
    let both = scene.json(&command(&["--compare", "-o", "both"]));
    let detectors: Vec<_> = both.as_array().unwrap().iter().map(|entry| entry["detector"].as_str()).collect();
    assert_eq!(detectors[..4], [Some("mtcnn"), Some("lbp"), Some("mtcnn"), Some("lbp")], "{both}");
    assert!(both[0]["faces"][0]["by_both"].is_boolean() && both[0]["seconds"].is_number(), "{both}");
    scene.fails(&["faces", "broken.jpg", "--adapter", "cpu"], &["none of 1 photos"]);
}

/// Peak memory in kilobytes of a run that must succeed, as Linux counts it.
#[cfg(target_os = "linux")]
fn peak_memory(scene: &Scene, arguments: &[&str]) -> u64 {
    let mut child =
        scene.command(arguments).stdout(std::process::Stdio::null()).spawn().expect("the program starts");
    let mut peak = 0;
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        if let Some(end) = child.try_wait().expect("a child") {
            assert!(end.success(), "{arguments:?}");
            return peak;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn memory_stays_flat_over_500_photos_of_changing_sizes() {
    const PHOTOS: usize = 500;
    let scene = Scene::new(&[("s01", 1)]);
    let face = decode(&scene.path("photos/s01/01.png"), MAX_PIXELS).expect("a photo");
    let sizes: Vec<Vec<u8>> = (0..20)
        .map(|i| {
            let (width, height) = (30 + i * 53 % 331, 30 + i * 97 % 297);
            encode_png(&crop_resize(&face, face.bounds(), width, height)).expect("a PNG")
        })
        .collect();
    let names: Vec<String> = (0..PHOTOS).map(|i| format!("many/{i:03}.png")).collect();
    names.iter().zip(sizes.iter().cycle()).for_each(|(name, bytes)| scene.write(name, bytes));
    let peak = |count: usize| {
        let photos = names[..count].iter().map(String::as_str);
        let command: Vec<&str> = ["faces", "--adapter", "cpu", "--json"].into_iter().chain(photos).collect();
        peak_memory(&scene, &command)
    };
    let (few, all) = (peak(PHOTOS / 5), peak(PHOTOS));
    println!("peak memory: {few} kB for {} photos, {all} kB for {PHOTOS}", PHOTOS / 5);
    assert!(all < few + 16 * 1024, "{few} kB for {} photos, {all} kB for {PHOTOS}", PHOTOS / 5);
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let scene = Scene::new(&[("s01", 8), ("s02", 8), ("s03", 8)]);
    // Large enough that the program can be caught in the middle.
    for photo in scene.files().into_iter().filter(|path| path.is_file()) {
        let large = enlarged(&scene, photo.to_str().expect("a name"), 3);
        fs::write(photo, encode_png(&large).expect("a PNG")).expect("a file");
    }
    scene.ok(&["crop", "photos", "-o", "whole.npz"]);
    let finished = || fs::read_dir(scene.path("faces.npz.progress")).map_or(0, Iterator::count);
    let mut child =
        scene.command(&["crop", "photos", "-o", "faces.npz"]).spawn().expect("the program starts");
    // Some of these may be half written: files of each worker's own name until they are whole.
    while finished() < 8 {
        assert!(child.try_wait().expect("a child").is_none(), "it is still at work");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("an end");
    assert!(!scene.path("faces.npz").exists());

    let report = scene.json(&["crop", "photos", "-o", "faces.npz"]);
    let resumed = report["resumed"].as_u64().expect("a number");
    assert!((3..24).contains(&resumed), "{resumed} photos of 24 were finished");
    let [whole, resumed] = ["whole.npz", "faces.npz"].map(|name| fs::read(scene.path(name)).expect("faces"));
    assert!(whole == resumed, "the same bytes as without the interruption");
    assert!(!scene.path("faces.npz.progress").exists());
}

#[test]
fn what_leaves_nothing_to_do_is_an_error_of_one_line() {
    let scene = Scene::new(&[("s01", 2), ("s02", 2)]);
    scene.write("one/anna/1.png", &encode_png(&RgbImage::filled(9, 9, [9; 3])).expect("a PNG"));
    fs::create_dir(scene.path("empty")).expect("a folder");
    scene.write("file", b"");
    let plain = TensorFile { tensors: Default::default(), metadata: Value::Null };
    safetensors::write(scene.path("plain.safetensors"), &plain).expect("a file");

    let train = |photos, output| [&["train", photos, "-o", output][..], &QUICK].concat();
    scene.fails(&train("missing", "m.safetensors"), &["missing", "one sub-folder per person"]);
    scene.fails(&train("empty", "m.safetensors"), &["no person with photos"]);
    scene.fails(&train("one", "m.safetensors"), &["only one person", "two or more"]);
    scene.fails(&train("file", "m.safetensors"), &["file", "npz"]);
    scene.fails(&train("photos", "file/m.safetensors"), &["file/m.safetensors", "choose a folder"]);
    scene.fails(&train("photos", "nowhere/m.safetensors"), &["nowhere/m.safetensors", "folder"]);
    scene.fails(&["crop", "photos", "-o", "file/f.npz"], &["file/f.npz", "choose a folder"]);
    scene.fails(&["demo", "--out", "file/demo", "--adapter", "cpu"], &["file/demo", "folder"]);
    scene.fails(
        &["predict", "plain.safetensors", "a.jpg", "--adapter", "cpu"],
        &["plain.safetensors", "train"],
    );
    scene.fails(&["summary", "file", "--adapter", "cpu"], &["file"]);
    scene.fails(
        &["info", "--adapter", "no-such-gpu"],
        &["no adapter named 'no-such-gpu'", "cpu", "--adapter"],
    );
    let diverging = [&train("photos", "m.safetensors")[..], &["--rate", "1e30"]].concat();
    scene.fails(&diverging, &["--rate"]);
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let scene = Scene::new(&[]);
    for arguments in [
        &["train"][..],
        &["no-such-command"],
        &["predict", "model.safetensors"],
        &["train", "photos", "-o", "m.safetensors", "--epochs", "0"],
        &["train", "photos", "-o", "m.safetensors", "--validation", "1"],
        &["train", "photos", "-o", "m.safetensors", "--rate", "nan"],
        &["crop", "photos", "-o", "f.npz", "--margin", "-1"],
        &["summary", "scratch", "--classes", "0"],
    ] {
        let run = scene.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
    assert!(scene.files().is_empty());
}

#[test]
fn help_shows_an_example_of_each_command() {
    let scene = Scene::new(&[]);
    for command in [
        "info", "crop", "faces", "augment", "train", "evaluate", "predict", "explain", "summary", "selftest",
        "demo",
    ] {
        let help = scene.ok(&[command, "--help"]).stdout;
        assert!(help.contains("Example") && help.contains(&format!("lookalike {command}")), "{help}");
    }
}

#[test]
fn what_runs_and_what_it_takes_is_told_without_photos() {
    let scene = Scene::new(&[]);
    let info = scene.json(&["info", "--adapter", "cpu"]);
    assert_eq!((&info["adapters"][0]["name"], &info["taken"]), (&"cpu".into(), &0.into()));
    let summary = scene.json(&["summary", "scratch", "--classes", "10", "--adapter", "cpu"]);
    assert_eq!(summary["parameters"], 6_447_530);
    assert_eq!(summary["layers"][5]["output"], serde_json::json!([28, 28, 64]));
    let text = scene.ok(&["summary", "scratch", "--adapter", "cpu"]).stdout;
    assert!(text.contains("conv1 (Conv2D)") && text.contains("Memory to train on 16"), "{text}");
}

#[test]
fn a_selftest_writes_what_a_report_needs() {
    let scene = Scene::new(&[]);
    let file = scene.path("selftest.json");
    let text = scene.ok(&["selftest", "--adapter", "cpu", "-o", file.to_str().unwrap()]).stdout;
    assert!(text.contains("operators without variants") && text.contains("selftest.json"), "{text}");
    let document: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!((&document["passed"], &document["barred"]), (&true.into(), &serde_json::json!([])));
    assert!(document["checks"].as_array().unwrap().len() > 20);
    let nowhere = ["selftest", "--adapter", "cpu", "-o", "no/such/folder/selftest.json"];
    scene.fails(&nowhere, &["no/such/folder", "folder"]);
}

#[cfg(unix)]
#[test]
fn an_interrupt_keeps_the_best_model() {
    use std::io::{BufRead, BufReader};

    let scene = Scene::new(&[("s01", 4), ("s02", 4)]);
    let arguments = [&["train", "photos", "-o", "m.safetensors"][..], &QUICK].concat();
    let endless = ["--epochs", "100000", "--patience", "100000"];
    let arguments: Vec<&str> =
        arguments.iter().filter(|a| **a != "--epochs" && **a != "2").chain(&endless).copied().collect();
    let mut child = scene
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.trim_start().starts_with("3 ")), "a third epoch");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill is there").success());
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().expect("an end").success(), "{rest:?}");
    assert!(rest.iter().any(|line| line.starts_with("validation accuracy")), "{rest:?}");
    scene.ok(&["summary", "m.safetensors", "--adapter", "cpu"]);
}
