//! The report as a reader finds it: one page and its pictures, with the numbers that the program has printed.

use std::collections::BTreeSet;
use std::fs;

use lookalike::vision::{MAX_PIXELS, decode};
use roxmltree::Document;

use super::{QUICK, Scene};

const NAME: &str = "o'eve & עדה";

/// The page's text, after it was found to be well formed, to name everybody, and to ask nothing of a network.
fn page_of(scene: &Scene, folder: &str, pictures: &[&str]) -> String {
    let page = fs::read_to_string(scene.path(folder).join("report.html")).expect("a page");
    for outside in ["http:", "https:", "href=", "url(", "@import", "<script", "<link", "src=\"/", "file:"] {
        assert!(!page.contains(outside), "'{outside}' in the page");
    }
    let document = Document::parse(page.strip_prefix("<!DOCTYPE html>\n").expect("a page"))
        .unwrap_or_else(|e| panic!("{e}\n{page}"));
    let images = document.descendants().filter(|node| node.has_tag_name("img"));
    assert!(images.filter_map(|image| image.attribute("src")).all(|src| src.starts_with("data:image/")));
    let of =
        |tag: &str| document.descendants().filter(|n| n.has_tag_name(tag)).filter_map(|n| n.text()).collect();
    let names: BTreeSet<&str> = of("bdi");
    assert!(names.contains(NAME) && names.contains("s01"), "{names:?}");

    let mut expected: BTreeSet<String> = BTreeSet::from(["report.html".into()]);
    for picture in pictures {
        expected.extend([format!("{picture}.svg"), format!("{picture}.png")]);
        let svg = fs::read_to_string(scene.path(folder).join(format!("{picture}.svg"))).expect("a drawing");
        assert!(
            Document::parse(&svg)
                .expect("XML")
                .root_element()
                .has_tag_name(("http://www.w3.org/2000/svg", "svg"))
        );
        let png = scene.path(folder).join(format!("{picture}.png"));
        assert!(decode(&png, MAX_PIXELS).expect("a picture").width() >= 500);
    }
    let found: BTreeSet<String> = fs::read_dir(scene.path(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name != "changes.png")
        .collect();
    assert_eq!(found, expected);
    document.descendants().filter_map(|node| node.text()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_was_learned_and_what_it_is_worth_is_one_page() {
    let scene = Scene::new(&[("s01", 5), ("s02", 5)]);
    fs::rename(scene.path("photos/s02"), scene.path("photos").join(NAME)).expect("a folder");
    scene.write("photos/s01/text.jpg", b"no picture");
    let run = scene.train("model.safetensors");
    assert!(run.stdout.contains("report: model-report/report.html"), "{}", run.stdout);
    let text = page_of(&scene, "model-report", &["curves", "confusion", "roc", "reliability"]);
    assert!(scene.path("model-report/changes.png").exists());
    let printed =
        run.stdout.lines().find(|line| line.starts_with("validation accuracy")).expect("an accuracy");
    let (accuracy, faces) = printed.split_once("  (").expect("faces in brackets");
    let accuracy = accuracy.trim_start_matches("validation accuracy").trim();
    for part in [accuracy, faces.trim_end_matches(')')] {
        assert!(text.contains(part), "'{part}' in {text}");
    }
    for line in ["split: ", "calibration: ", "from "] {
        let printed = run.stdout.lines().find(|printed| printed.starts_with(line)).expect("a line");
        assert!(text.contains(printed.trim_start_matches("split: ")), "'{printed}' in {text}");
    }
    let command = "lookalike train photos -o model.safetensors --model scratch --widths 4,8 --dense 16 --epochs 2 --batch 8 \
                   --adapter cpu --seed 1";
    for part in [command, "text.jpg", "conv1 (Conv2D)", "changes: zoom", "epoch 6", env!("CARGO_PKG_VERSION")]
    {
        assert!(text.contains(part), "'{part}' in {text}");
    }

    let scores =
        scene.json(&["evaluate", "model.safetensors", "photos", "--adapter", "cpu", "--report", "a/b"]);
    let text = page_of(&scene, "a/b", &["curves", "confusion", "roc", "reliability"]);
    let percent = |value: &serde_json::Value| format!("{:.1} %", 100.0 * value.as_f64().expect("a share"));
    let interval =
        format!("interval {} to {}", percent(&scores["interval"][0]), percent(&scores["interval"][1]));
    for part in [percent(&scores["accuracy"]), interval] {
        assert!(text.contains(&part), "'{part}' in {text}");
    }
}

#[test]
fn a_report_can_be_left_out_or_put_elsewhere() {
    let scene = Scene::new(&[("s01", 2), ("s02", 2)]);
    let train =
        |more: &[&'static str]| [&["train", "photos", "-o", "m.safetensors"][..], &QUICK, more].concat();
    scene.write("file", b"");
    scene.fails(&train(&["--report", "file/report"]), &["file", "folder"]);
    scene.ok(&train(&["--no-report"]));
    assert!(!scene.path("m-report").exists());
    let run = scene.ok(&train(&["--report", "seen"]));
    assert!(run.stdout.contains("report: seen/report.html") && !scene.path("m-report").exists());
    assert!(scene.path("seen/report.html").exists());
    assert_eq!(scene.run(&train(&["--report", "x", "--no-report"])).code, 2);
}
