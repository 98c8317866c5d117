//! `train --resume`: killed at any moment, a run loses nothing; what stands in its way damages nothing.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{QUICK, Scene};

/// Times that the run is killed.
const KILLS: usize = 25;

/// Photos, with their faces found once.
fn scene() -> Scene {
    let scene = Scene::new(&[("s01", 8), ("s02", 8), ("s03", 8)]);
    scene.ok(&["crop", "photos", "-o", "faces.npz"]);
    scene
}

/// Training with a checkpoint after each step. The network is small, but saving it takes a notable part of a step, so that some
/// runs are killed while they write.
fn training<'a>(output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let quick = QUICK.map(|argument| match argument {
        "2" => "20",
        other => other,
    });
    let every_step = ["--patience", "20", "--checkpoint-every", "0"];
    [&["train", "faces.npz", "-o", output][..], &quick, &every_step, more].concat()
}

/// Moments from 0 to `most`, the same in every run of the test.
fn moments(most: Duration) -> impl Iterator<Item = Duration> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(move || {
        // xorshift64*: Marsaglia, Journal of Statistical Software 8, 2003; Vigna, arXiv:1402.6246.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        most.mul_f64(word as f64 / f64::from(u32::MAX))
    })
}

/// Waits for the run's end, but kills it at that moment, or, if `writing` is to be there, at the next one when it is; whether it
/// came to its end.
fn ends_before(child: &mut Child, moment: Duration, writing: Option<&Path>) -> bool {
    let start = Instant::now();
    while start.elapsed() < moment || writing.is_some_and(|part| !part.exists()) {
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success(), "{status}");
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("an end");
    false
}

#[test]
fn killed_at_25_moments_a_run_ends_with_the_same_bytes() {
    let scene = scene();
    let start = Instant::now();
    scene.ok(&training("whole.safetensors", &[]));
    let whole = start.elapsed();
    let resumed = training("killed.safetensors", &["--resume"]);
    let (mut kills, mut while_writing) = (0, 0);
    // A part of the run's time each, so that 25 of them fit into it.
    for moment in moments(whole.mul_f64(0.15)) {
        let mut command = scene.command(&resumed);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        // Every other time in the middle of a write.
        let part = scene.path("killed.checkpoint.part");
        if kills < KILLS && !ends_before(&mut child, moment, (kills % 2 == 1).then_some(&*part)) {
            kills += 1;
            while_writing += usize::from(part.exists());
            continue;
        }
        assert!(child.wait().expect("an end").success());
        if kills == KILLS {
            break;
        }
        // It came to its end too early: from the start again.
        let same =
            ["whole.safetensors", "killed.safetensors"].map(|file| fs::read(scene.path(file)).unwrap());
        assert!(same[0] == same[1], "after {kills} kills");
    }
    let [whole, killed] =
        ["whole.safetensors", "killed.safetensors"].map(|file| fs::read(scene.path(file)).expect("a model"));
    assert!(whole == killed, "the same bytes as without an interruption");
    assert!(while_writing > 0, "some were in the middle of a write");
    for left in ["killed.checkpoint", "killed.checkpoint.previous", "killed.checkpoint.part"] {
        assert!(!scene.path(left).exists(), "{left} is removed when the run is done");
    }
}

/// Runs until a file is there, and then no longer.
fn killed_when(scene: &Scene, arguments: &[&str], file: &str) {
    let mut command = scene.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    while !scene.path(file).exists() {
        assert!(child.try_wait().expect("a child").is_none(), "it has made no {file}");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("an end");
}

/// A run that was killed after its first checkpoints.
fn killed(scene: &Scene) {
    killed_when(scene, &training("m.safetensors", &[]), "m.checkpoint.previous");
}

#[test]
fn what_does_not_fit_a_checkpoint_is_refused_and_leaves_it_alone() {
    let scene = scene();
    killed(&scene);
    let checkpoint = fs::read(scene.path("m.checkpoint")).unwrap();
    scene.fails(
        &training("m.safetensors", &["--resume", "--seed", "2"]),
        &["m.checkpoint", "seed was 1 and is 2"],
    );
    let fewer = ["--resume", "--photos", "2"];
    scene.fails(&training("m.safetensors", &fewer), &["m.checkpoint", "other photos", "--resume"]);
    assert!(fs::read(scene.path("m.checkpoint")).unwrap() == checkpoint);

    // A damaged one: the one before it stands in.
    scene.write("m.checkpoint", &checkpoint[..checkpoint.len() - 1]);
    let run = scene.ok(&training("m.safetensors", &["--resume"]));
    assert!(
        run.stderr.contains("cut short") && run.stderr.contains("m.checkpoint.previous"),
        "{}",
        run.stderr
    );
    scene.ok(&training("whole.safetensors", &[]));
    let [a, b] = ["m.safetensors", "whole.safetensors"].map(|file| fs::read(scene.path(file)).unwrap());
    assert!(a == b);
}

#[test]
fn what_folds_and_strangers_train_is_not_trained_again() {
    let scene = scene();
    let more = ["--folds", "2", "--strangers", "0.2", "--hold-out", "3"];
    // Six networks: a few epochs of each are enough.
    let few = |line: Vec<&'static str>| {
        line.into_iter().map(|word| if word == "20" { "4" } else { word }).collect()
    };
    let whole: Vec<&str> = few(training("whole.safetensors", &more));
    scene.ok(&whole);
    let line: Vec<&str> = few([&training("m.safetensors", &more)[..], &["--resume"]].concat());
    killed_when(&scene, &line, "m.fold-2.checkpoint");
    killed_when(&scene, &line, "m.without-2.checkpoint");
    let run = scene.ok(&line);
    for done in ["m.fold-1", "m.fold-2", "m", "m.without-1"] {
        let done = format!("the run's epochs are done ({done}.checkpoint)");
        assert!(run.stderr.contains(&done), "{done}: {}", run.stderr);
    }
    assert!(run.stderr.contains("m.without-2.checkpoint"), "{}", run.stderr);
    let [a, b] = ["m.safetensors", "whole.safetensors"].map(|file| fs::read(scene.path(file)).unwrap());
    assert!(a == b, "the same bytes as without an interruption");
    let left = |path: &Path| path.to_string_lossy().contains(".checkpoint");
    assert!(!scene.files().iter().any(|path| left(path)), "{:?}", scene.files());
}

#[test]
fn a_run_that_starts_anew_says_what_it_replaces() {
    let scene = scene();
    killed(&scene);
    let run = scene.ok(&training("m.safetensors", &[]));
    assert!(run.stderr.contains("m.checkpoint is of a run that was interrupted"), "{}", run.stderr);
    let run = scene.ok(&training("m.safetensors", &["--resume"]));
    assert!(run.stderr.contains("there is no checkpoint"), "{}", run.stderr);
}
