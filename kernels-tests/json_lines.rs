//! `lookalike train --json-lines`: a run that a machine follows.

use serde_json::Value;

use super::{QUICK, Scene};

#[test]
fn a_machine_can_follow_a_run() {
    let scene = Scene::new(&[("s01", 5), ("s02", 5)]);
    let train = ["train", "photos", "-o", "model.safetensors", "--json-lines"];
    let run = scene.ok(&[&train[..], &QUICK].concat());
    assert!(run.stderr.contains("device: ") && run.stderr.contains("network: scratch_cnn"), "{}", run.stderr);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
    assert_eq!((&lines[0]["event"], &lines[0]["epochs"]), (&"start".into(), &2.into()));
    assert_eq!(lines[0]["people"].as_array().map(Vec::len), Some(2));
    assert_eq!(of("epoch").len(), 2);
    assert!(of("epoch").iter().all(|epoch| epoch["val_loss"].is_number()));
    assert_eq!(of("step")[0]["epoch"], 1);
    let end = lines.last().expect("a line");
    assert_eq!((&end["event"], &end["outcome"]), (&"end".into(), &"finished".into()));
    assert!(end["accuracy"].is_number() && end["model"] == "model.safetensors", "{end}");
    assert_eq!(scene.run(&[&train[..], &["--plain"]].concat()).code, 2);
}
