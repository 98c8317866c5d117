//! What the program measures, compares and accounts for, quickly: tiny shapes, one run each.

use std::fs;

use serde_json::{Value, json};

use super::Scene;

const TINY: [&str; 7] = ["bench", "--conv2d", "2,9,10,3,5,3", "--dense", "3,20,7", "--seconds", "0"];

fn of<'a>(document: &'a Value, work: &str, operator: &str) -> &'a Value {
    let rows = document["operators"].as_array().expect("operators");
    let found = rows.iter().find(|row| row["work"] == work && row["operator"] == operator);
    found.unwrap_or_else(|| panic!("no {operator} of {work} in {document:#}"))
}

#[test]
fn tiny_shapes_are_measured_on_the_cpu_and_in_the_shaders() {
    let scene = Scene::new(&[]);
    let adapter = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
    for (adapter, clock) in [("cpu", "host"), (adapter.as_str(), "timestamps")] {
        let document = scene.json(&[&TINY[..], &["--adapter", adapter, "--html", "page.html"]].concat());
        assert_eq!((&document["format"], &document["clock"]), (&"lookalike-bench-1".into(), &clock.into()));
        assert_eq!(document["networks"], json!([]), "shapes alone");
        for ceiling in ["memory", "compute"] {
            assert!(document["ceilings"][ceiling]["rate"].as_f64().is_some_and(|rate| rate > 1e8));
        }
        let conv = of(&document, "conv2d 2,9,10,3,5,3", "conv2d");
        assert_eq!(conv["flops"], 2 * (2 * 9 * 10) * 5 * 27);
        let floats = 2 * 9 * 10 * 3 + 3 * 3 * 3 * 5 + 5 + 2 * 9 * 10 * 5;
        assert_eq!(conv["bytes"], 4 * floats);
        assert_eq!(conv["seconds"].as_array().map(Vec::len), Some(1));
        assert!(
            conv["median"].as_f64().is_some_and(|s| s > 0.0) && conv["share_of_roof"].as_f64() > Some(0.0)
        );
        of(&document, "conv2d 2,9,10,3,5,3", "conv2d_weight_gradient");
        of(&document, "dense 3,20,7", "matmul");

        let page = fs::read_to_string(scene.path("page.html")).expect("a page");
        assert!(page.contains("<svg") && page.contains("conv2d 2,9,10,3,5,3") && !page.contains("http"));
    }
}

#[test]
fn variants_are_measured_side_by_side() {
    let scene = Scene::new(&[]);
    let adapter = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
    let of = |operator| [&TINY[..], &["--variants", operator, "--adapter", &adapter]].concat();
    let document = scene.json(&of("conv2d"));
    let rows = document["variants"].as_array().expect("variants");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["variant"].as_str()).collect();
    // Winograd's method asks for multiples of eight channels.
    for name in ["tile-32", "tile-64", "tile-128", "narrow"] {
        assert!(names.contains(&name), "{name} among {names:?}");
    }
    let marked = |mark: &str| rows.iter().filter(|row| row[mark] == true).collect::<Vec<_>>();
    assert_eq!(marked("by_table").len(), 1);
    let [fastest] = marked("fastest")[..] else { panic!("one is the fastest: {rows:?}") };
    assert!(rows.iter().all(|row| row["median"].as_f64() >= fastest["median"].as_f64()));
    assert!(rows.iter().all(|row| row["flops"] == 2 * (2 * 9 * 10) * 5 * 27));
    assert_eq!(document["operators"], json!([]));
    assert_eq!(document["variants_that_failed"], json!([]));

    let html = [&of("matmul")[..], &["--html", "page.html"]].concat();
    let text = scene.ok(&html).stdout;
    // The two gradients.
    assert_eq!(text.matches("dense 3,20,7: matmul ").count(), 2, "{text}");
    assert!(text.contains("fastest") && text.contains("Winograd"), "{text}");
    let page = fs::read_to_string(scene.path("page.html")).expect("a page");
    assert!(page.contains("<circle") && page.contains("<td>tile-64</td>"), "{page}");

    let cpu = [&TINY[..], &["--variants", "conv2d", "--adapter", "cpu"]].concat();
    scene.fails(&cpu, &["conv2d has no variants on the CPU", "--adapter"]);
    let none = ["bench", "--variants", "dense", "--conv2d", "1,4,4,1,1,3", "--seconds", "0"];
    scene.fails(&[&none[..], &["--adapter", &adapter]].concat(), &["there is no dense"]);
    let wrong = scene.run(&of("conv3d"));
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("conv2d_weight_gradient"), "{}", wrong.stderr);
    scene.fails(&[&TINY[..], &["--tune", "--adapter", "cpu"]].concat(), &["nothing to tune"]);
}

#[test]
fn networks_are_measured_whole() {
    let scene = Scene::new(&[]);
    let arguments = ["bench", "--networks", "scratch", "--batch", "1", "--seconds", "0", "--adapter", "cpu"];
    let document = scene.json(&arguments);
    let networks = document["networks"].as_array().expect("networks");
    let names: Vec<&Value> = networks.iter().map(|network| &network["work"]).collect();
    assert_eq!(names, ["scratch, training step, 1 pictures", "scratch, prediction, 1 pictures"]);
    for network in networks {
        assert!(network["bytes"].as_u64() > network["least_bytes"].as_u64(), "{network}");
        assert!(network["pictures_per_second"].as_f64() > Some(0.1), "{network}");
    }
    let gradient = of(&document, "scratch, training step, 1 pictures", "conv2d_input_gradient");
    assert!(gradient["layer"] == "conv3 + pool3" || gradient["layer"] == "conv2 + pool2", "{gradient}");

    let text = scene.ok(&arguments).stdout;
    for part in ["ceilings: ", "conv2 · conv2d/product  [1×112×112×16] [3×3×16×32]", "pictures/s", "(--all)"]
    {
        assert!(text.contains(part), "'{part}' in: {text}");
    }
}

#[test]
fn regressions_fail() {
    let scene = Scene::new(&[]);
    let run = scene.ok(&[&TINY[..], &["--adapter", "cpu", "--json"]].concat());
    let before: Value = serde_json::from_str(&run.stdout).expect("a document");
    let mut after = before.clone();
    let slower = after["operators"][0]["median"].as_f64().expect("seconds") * 1.5;
    after["operators"][0]["median"] = slower.into();
    after["operators"][1]["layer"] = "another".into();
    scene.write("before.json", run.stdout.as_bytes());
    scene.write("after.json", after.to_string().as_bytes());
    let compare = ["bench", "--compare", "before.json", "after.json"];

    scene.fails(&compare, &["1 of ", "rows take over 10.0 % longer"]);
    let text = scene.run(&compare).stdout;
    let first = text.lines().nth(1).expect("a row");
    assert!(
        first.contains(" 1.50  conv2d 2,9,10,3,5,3 · conv2d · ") && first.ends_with("  slower"),
        "{text}"
    );
    assert!(text.contains("only in before.json: ") && text.contains("only in after.json: "), "{text}");
    let document = scene.ok(&[&compare[..], &["--threshold", "60", "--json"]].concat()).stdout;
    let document: Value = serde_json::from_str(&document).expect("a document");
    assert_eq!((&document["slower"], &document["alike"]), (&0.into(), &true.into()));
    scene.ok(&["bench", "--compare", "before.json", "before.json"]);

    scene.write("broken.json", b"{\"format\": ");
    scene.fails(&["bench", "--compare", "before.json", "broken.json"], &["broken.json: is not JSON"]);
    scene.write("other.json", b"[1, 2]");
    scene.fails(&["bench", "--compare", "other.json", "before.json"], &["other.json: is not a document"]);
    scene.fails(&["bench", "--compare", "before.json", "none.json"], &["none.json", "--json"]);
    let html = ["--html", "no/such/folder/page.html", "--adapter", "cpu"];
    scene.fails(&[&TINY[..], &html].concat(), &["no/such/folder/page.html"]);
    for wrong in [
        &["bench", "--conv2d", "1,2,3"][..],
        &["bench", "--networks", "resnet"],
        &["bench", "--seconds", "-1"],
        &["bench", "--batch", "0"],
        &["bench", "--compare", "before.json"],
        &["bench", "--compare", "before.json", "before.json", "--batch", "2"],
    ] {
        assert_eq!(scene.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn any_run_can_be_profiled() {
    let scene = Scene::new(&[("s01", 2)]);
    let faces = ["faces", "photos/s01/01.png", "photos/s01/02.png", "--adapter", "cpu", "--profile"];
    let text = scene.ok(&faces).stdout;
    for part in ["profile, by the host's clock", "FLOP/s", "pnet/conv1 · conv2d/product", " all\n"] {
        assert!(text.contains(part), "'{part}' in: {text}");
    }
    // Beside the result, where that is a JSON document.
    let run = scene.ok(&[&faces[..], &["--json"]].concat());
    serde_json::from_str::<Value>(&run.stdout).expect("a document alone");
    assert!(run.stderr.contains("onet/conv1 · conv2d/product"), "{}", run.stderr);
    assert!(!scene.ok(&faces[..5]).stdout.contains("profile"), "only when asked for");
}
