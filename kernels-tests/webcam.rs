//! `webcam` without a camera: pictures of a folder and films as frames.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use lookalike::vision::{MAX_PIXELS, decode, encode_jpeg};
use serde_json::Value;

use super::{QUICK, Scene};

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn frames_are_named_as_predict_names_photos() {
    let scene = Scene::new(&[("s01", 5), ("s02", 5)]);
    scene.ok(&[&["train", "photos", "-o", "model.safetensors", "--no-report"][..], &QUICK].concat());
    let mut film = Vec::new();
    for (number, photo) in ["s01/02", "s02/03", "s01/04"].iter().enumerate() {
        // The detector sees the same pixels in all three.
        let image = decode(&scene.path(&format!("photos/{photo}.png")), MAX_PIXELS).unwrap();
        let jpeg = encode_jpeg(&image).unwrap();
        scene.write(&format!("frames/{number}.jpg"), &jpeg);
        film.extend(jpeg);
    }
    scene.write("film.mjpeg", &film);
    // One at a time, as frames come: the last digits depend on how many a network sees at once.
    let predict = |number: usize| {
        let photo = format!("frames/{number}.jpg");
        let run = scene.ok(&["predict", "model.safetensors", &photo, "--json", "--adapter", "cpu"]);
        serde_json::from_str::<Value>(&run.stdout).unwrap()[0]["faces"].clone()
    };
    let predicted: Vec<Value> = (0..3).map(predict).collect();
    let expected: Vec<&Value> = predicted.iter().collect();
    assert!(expected.iter().all(|faces| !faces.as_array().unwrap().is_empty()));

    let webcam = ["webcam", "model.safetensors", "--adapter", "cpu", "--min-face", "20", "--source"];
    let from_folder = lines(&scene.ok(&[&webcam[..], &["frames"]].concat()).stdout);
    let from_film = lines(&scene.ok(&[&webcam[..], &["film.mjpeg"]].concat()).stdout);
    let mut piped = scene.command(&[&webcam[..], &["-"]].concat());
    let mut child =
        piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("it is piped").write_all(&film).unwrap();
    let from_pipe = lines(&String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap());
    for lines in [&from_folder, &from_film, &from_pipe] {
        let faces: Vec<&Value> = lines.iter().map(|line| &line["faces"]).collect();
        assert_eq!(faces, expected);
        assert!(
            lines.iter().zip(1..).all(|(line, number)| line["frame"] == number && line["error"].is_null())
        );
    }
    assert_eq!(from_folder[1]["source"], "1.jpg");
    let two = scene.ok(&[&webcam[..], &["film.mjpeg", "--frames", "2"]].concat());
    assert_eq!(lines(&two.stdout).len(), 2);

    // A picture that cannot be read is told, and the others are named.
    fs::write(scene.path("frames/1.jpg"), b"no picture").unwrap();
    let told = lines(&scene.ok(&[&webcam[..], &["frames"]].concat()).stdout);
    assert!(told[1]["error"].as_str().unwrap().contains("JPEG"), "{}", told[1]);
    assert_eq!(&told[2]["faces"], expected[2]);
    let refused = scene.run(&[&webcam[..], &["model.safetensors"]].concat());
    assert!(refused.code == 1 && refused.stderr.contains("ffmpeg"), "{}", refused.stderr);
    scene.write("empty/notes.txt", b"");
    let refused = scene.run(&[&webcam[..], &["empty"]].concat());
    assert!(refused.code == 1 && refused.stderr.contains("no jpg"), "{}", refused.stderr);
}
