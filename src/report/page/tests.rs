use super::*;
use crate::Device;
use crate::models::{ScratchCnn, scratch_cnn};
use crate::vision::sheet::Tile;

const NASTY: &str = "<script>alert(\"anna\")</script> & 'co'";

/// Three people, one of them never seen; two of five faces are given a wrong name.
fn report() -> Report {
    let face = |answer| Thumbnail {
        answer,
        picture: RgbImage::filled(30, 30, [90, 120, 40]),
        source: "a&b/<1>.jpg".into(),
    };
    let rows = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0.0], [0.6, 0.3, 0.1], [0.3, 0.5, 0.2]];
    let tile = |caption: &str| Tile {
        picture: RgbImage::filled(20, 20, [200, 0, 0]),
        caption: caption.into(),
        marked: false,
    };
    let curve = |title: &str, is_share| Curve {
        title: title.into(),
        training: vec![1.0, 0.5],
        validation: vec![0.9, 0.7],
        is_share,
    };
    Report {
        title: NASTY.into(),
        subtitle: "Trained on photos.".into(),
        facts: vec![("people".into(), "3".into())],
        tried: Some(Tried {
            accuracy: "Validation accuracy".into(),
            warning: None,
            names: vec![NASTY.into(), "עדה 😀".into(), "a very long name ".repeat(20)],
            truths: vec![0, 1, 0, 1, 1],
            rows: rows.map(Vec::from).into(),
            unknown: vec![false, true, false, true, false],
            notes: vec!["from 5 groups".into()],
            mistakes: vec![face(2), face(3)],
            looks: vec![Look { answer: 0, face: face(0).picture, heat: face(0).picture }],
            strangers: Some(Distances { known: vec![0.1, 0.2], strangers: vec![0.3, 0.15], threshold: 0.25 }),
            skipped: vec![("x/1.jpg".into(), "ends early".into())],
        }),
        learning: Some(Learning {
            curves: vec![curve("loss", false), curve("accuracy", true)],
            best_epoch: 2,
        }),
        samples: vec![Row {
            title: "1.jpg".into(),
            note: NASTY.into(),
            tiles: vec![tile("original"), tile("epoch 1")],
        }],
        split: Some("split & done".into()),
        network: Summary::new(&scratch_cnn(&ScratchCnn::new(3)), 1, &Device::cpu()).unwrap(),
        settings: vec![("rate".into(), "0.001".into())],
        run: vec![("Lookalike".into(), "0.1".into())],
        command: "lookalike train 'my photos' -o m".into(),
    }
}

/// The page as XML, which it is but for its first line.
fn parsed(page: &str) -> roxmltree::Document<'_> {
    let xml = page.strip_prefix("<!DOCTYPE html>\n").expect("a page");
    roxmltree::Document::parse(xml).unwrap_or_else(|e| panic!("{e}\n{xml}"))
}

fn texts(document: &roxmltree::Document<'_>) -> String {
    let texts = document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text());
    texts.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_is_whole_and_stands_alone() {
    let page = report().page().unwrap();
    let document = parsed(&page);
    for outside in ["http:", "https:", "src=\"/", "href=", "@import", "url(", "<script", "<link"] {
        assert!(!page.contains(outside), "'{outside}' in the page");
    }
    for image in document.descendants().filter(|node| node.has_tag_name("img")) {
        assert!(image.attribute("src").unwrap().starts_with("data:image/jpeg;base64,"));
        assert!(!image.attribute("alt").unwrap().is_empty());
    }
    let policy = document.descendants().find(|node| node.attribute("http-equiv").is_some()).unwrap();
    assert!(policy.attribute("content").unwrap().starts_with("default-src 'none';"));
    let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
    // Two faces, one more with its heat map, two samples; interval, two matrices, ROC, reliability, strangers, two curves.
    assert_eq!((count("h1"), count("img"), count("svg")), (1, 6, 8));
    let headings: Vec<&str> =
        document.descendants().filter(|n| n.has_tag_name("h2")).filter_map(|n| n.text()).collect();
    assert_eq!(headings[..3], ["Mistakes", "Where it looks", "Person by person"]);
    assert_eq!(headings.len(), 11, "{headings:?}");
}

#[test]
fn names_are_text_whatever_they_hold() {
    let page = report().page().unwrap();
    let document = parsed(&page);
    let bdi = document.descendants().filter(|node| node.has_tag_name("bdi"));
    let names: Vec<String> =
        bdi.map(|bdi| bdi.descendants().filter(|n| n.is_text()).filter_map(|n| n.text()).collect()).collect();
    assert!(names.iter().any(|name| name == NASTY) && names.iter().any(|name| name == "עדה 😀"), "{names:?}");
    let title = document.descendants().find(|node| node.has_tag_name("h1")).unwrap();
    assert_eq!(title.text(), Some(NASTY));
}

#[test]
fn numbers_are_those_of_the_answers() {
    let page = report().page().unwrap();
    let text = texts(&parsed(&page));
    // Three of five; Wilson's interval by statsmodels 0.14: proportion_confint(3, 5, method="wilson")
    for part in
        ["60.0 %", "3 of 5 faces; 95 % interval 23.1 % to 88.2 %", "All 2 faces that were given a wrong name"]
    {
        assert!(text.contains(part), "'{part}' in {text}");
    }
    assert_eq!(text.matches("answered ‘unknown’").count(), 1, "one of the mistakes");
    // The surest mistake is the first face that is shown.
    let [first, second] = ["90.0 % sure", "60.0 % sure"].map(|part| text.find(part).expect("a face"));
    assert!(first < second);
}

#[test]
fn what_is_not_known_is_left_out() {
    let bare =
        Report { tried: None, learning: None, samples: vec![], split: None, settings: vec![], ..report() };
    let page = bare.page().unwrap();
    let document = parsed(&page);
    let headings: Vec<&str> =
        document.descendants().filter(|n| n.has_tag_name("h2")).filter_map(|n| n.text()).collect();
    assert_eq!(headings, ["The network", "This run"]);
    assert!(page.contains("cannot be said"));
    let names: Vec<String> = bare.files().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [PAGE]);
}

#[test]
fn each_picture_is_a_file_too() {
    let files = report().files().unwrap();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let both = |name: &str| [format!("{name}.svg"), format!("{name}.png")];
    let pictures = ["curves", "confusion", "roc", "reliability", "strangers"].map(both);
    let expected: Vec<&str> = pictures.as_flattened().iter().map(String::as_str).collect();
    assert_eq!(names, [&[PAGE][..], &expected, &["changes.png"]].concat());
    for (name, bytes) in &files {
        if name.ends_with(".svg") {
            roxmltree::Document::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
        }
    }
}
