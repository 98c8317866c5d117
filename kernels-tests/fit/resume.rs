//! Runs that are interrupted and go on: they end as if nothing had happened, or say why they cannot.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lookalike::check;
use lookalike::models::Model;
use lookalike::nn::Optimizer;
use lookalike::ops::Sgd;
use lookalike::train::{
    Checkpoints, Decay, Event, FineTune, FitOptions, Outcome, Schedule, Trained, fit, hold_out,
};
use lookalike::{Device, Error, Result};

use super::{Scene, Weights, frozen_network, network, options, pretrained};

/// What is told in words, and what the run gave.
type Told = (Vec<String>, Result<Trained>);

/// A run that goes on from the checkpoint at `path`, if there is one, and is stopped after so many steps.
fn part_of(scene: &Scene, model: &Model, options: &FitOptions, path: &Path, steps: usize) -> Told {
    let stop = AtomicBool::new(false);
    let checkpoints = Some(Checkpoints { path: path.into(), every: Duration::MAX, resume: true });
    let (mut taken, mut epochs, mut notes) = (0, 0, vec![]);
    let options = FitOptions { checkpoints, ..options.clone() };
    let trained = fit(&scene.task(model), &options, &stop, &mut |event| match event {
        Event::Step(_) => {
            taken += 1;
            stop.store(taken >= steps, Ordering::Relaxed);
        }
        Event::Note(note) => notes.push(note.to_string()),
        Event::Epoch(epoch) => {
            epochs += 1;
            assert_eq!(epoch.number, epochs, "those before the interruption are told too");
        }
        Event::Features { .. } => {}
    });
    (notes, trained)
}

/// The figures of a run without its clock times.
fn curves(trained: &Trained) -> serde_json::Value {
    trained.history.to_json()
}

/// Runs without an interruption, and with one after every `steps` steps, and compares them.
fn check_resumed(model: &Model, weights: &Weights, device: &Device, options: &FitOptions, steps: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.checkpoint");
    let scene = Scene::new(weights, device);
    let whole = fit(&scene.task(model), options, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let mut parts = 0;
    let resumed = loop {
        parts += 1;
        assert!(parts < 100, "it never ends");
        match part_of(&scene, model, options, &path, steps) {
            (_, Ok(trained)) if trained.outcome != Outcome::Interrupted => break trained,
            (_, Ok(_) | Err(Error::Training(_))) => {}
            (_, Err(other)) => panic!("{other}"),
        }
    };
    assert!(parts > 2, "it was interrupted");
    assert_eq!(curves(&resumed), curves(&whole), "on {device}");
    assert_eq!(resumed.weights, whole.weights, "on {device}");
    assert_eq!(resumed.answers, whole.answers, "on {device}");
    assert_eq!((resumed.best_epoch, resumed.outcome), (whole.best_epoch, whole.outcome));
}

#[test]
fn an_interrupted_run_ends_with_the_same_bits() {
    for device in [Device::cpu(), check::gpu().clone()] {
        for steps in [1, 2, 5] {
            check_resumed(&network(), &Weights::new(), &device, &options(), steps);
        }
    }
}

#[test]
fn everything_that_a_recipe_remembers_goes_on() {
    let cosine = Schedule { warm_up: 1.0, decay: Decay::Cosine { least: 0.1 } };
    let plateau = Schedule { warm_up: 0.0, decay: Decay::Plateau { factor: 0.5, patience: 1, least: 0.01 } };
    let momentum = Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
    let all = FitOptions {
        schedule: cosine,
        mixup: Some(0.2),
        average: Some(0.9),
        clip: Some(0.5),
        balance: true,
        ..options()
    };
    let early =
        FitOptions { schedule: plateau, optimizer: momentum, rate: 0.5, patience: 1, epochs: 9, ..options() };
    let parts = FitOptions { micro_batch: Some(3), ..options() };
    for recipe in [all, early, parts] {
        check_resumed(&network(), &Weights::new(), &Device::cpu(), &recipe, 2);
    }
}

#[test]
fn a_head_behind_frozen_layers_goes_on() {
    let model = frozen_network();
    let weights = pretrained(&model);
    let fresh = FitOptions { fresh: true, ..options() };
    let slow = FitOptions { fine_tune: Some(FineTune { layers: 5, rate: 1e-4 }), ..options() };
    for recipe in [options(), fresh, slow] {
        check_resumed(&model, &weights, &Device::cpu(), &recipe, 4);
    }
}

/// A run that was stopped after four steps, in the middle of its second epoch.
fn interrupted(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("model.checkpoint");
    let scene = Scene::new(&Weights::new(), &Device::cpu());
    let (notes, trained) = part_of(&scene, &network(), &options(), &path, 4);
    assert_eq!(trained.unwrap().outcome, Outcome::Interrupted);
    assert_eq!(notes, ["there is no checkpoint: the run starts at its first epoch"]);
    path
}

#[test]
fn a_checkpoint_of_another_run_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = interrupted(folder.path());
    let before = fs::read(&path).unwrap();
    let scene = Scene::new(&Weights::new(), &Device::cpu());
    let mut other_photo = Scene::new(&Weights::new(), &Device::cpu());
    other_photo.dataset.pixels[0] ^= 1;
    let mut other_split = Scene::new(&Weights::new(), &Device::cpu());
    other_split.split.train.swap(0, 1);
    let longer = FitOptions { epochs: 5, ..options() };
    let still = FitOptions { augment: None, ..options() };
    for (scene, model, options, expected) in [
        (&scene, network(), longer, "epochs was 4 and is 5"),
        (&scene, network(), still, "augmentation was"),
        (&scene, frozen_network(), options(), "other network"),
        (&other_photo, network(), options(), "other photos"),
        (&other_split, network(), options(), "other photos"),
    ] {
        let weights = pretrained(&model);
        let scene =
            Scene { weights: if model.frozen > 0 { weights } else { Weights::new() }, ..scene.clone() };
        let (_, trained) = part_of(&scene, &model, &options, &path, 1);
        let problem = trained.unwrap_err().to_string();
        assert!(problem.contains(expected) && problem.contains("--resume"), "{problem}");
        assert_eq!(fs::read(&path).unwrap(), before, "{expected}");
    }
    // Only the same run goes on.
    let (notes, trained) = part_of(&scene, &network(), &options(), &path, usize::MAX);
    assert_eq!(trained.unwrap().outcome, Outcome::Finished);
    assert!(notes[0].contains("goes on in epoch 2, after 8 of its pictures"), "{notes:?}");
}

#[test]
fn another_device_goes_on_but_says_that_bits_will_differ() {
    let folder = tempfile::tempdir().unwrap();
    let path = interrupted(folder.path());
    let scene = Scene::new(&Weights::new(), check::gpu());
    let (notes, trained) = part_of(&scene, &network(), &options(), &path, usize::MAX);
    assert_eq!(trained.unwrap().outcome, Outcome::Finished);
    assert!(notes[0].contains("not end with the same bits") && notes[0].contains("device"), "{notes:?}");
}

#[test]
fn epochs_that_are_done_are_not_done_again() {
    let early = FitOptions { rate: 0.5, patience: 1, epochs: 9, ..options() };
    for (options, outcome) in [(options(), Outcome::Finished), (early, Outcome::EarlyStopped)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.checkpoint");
        let scene = Scene::new(&Weights::new(), &Device::cpu());
        let (_, whole) = part_of(&scene, &network(), &options, &path, usize::MAX);
        let whole = whole.unwrap();
        assert_eq!(whole.outcome, outcome);
        // With the first step this one would be interrupted.
        let (notes, again) = part_of(&scene, &network(), &options, &path, 1);
        let again = again.unwrap();
        assert!(notes[0].contains("epochs are done"), "{notes:?}");
        assert_eq!((&again.outcome, again.best_epoch), (&outcome, whole.best_epoch));
        assert_eq!((&again.weights, &again.answers), (&whole.weights, &whole.answers));
        assert_eq!(curves(&again), curves(&whole));
    }
}

#[test]
fn networks_without_some_of_the_people_go_on_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.checkpoint");
    let model = network();
    let scene = Scene::new(&Weights::new(), &Device::cpu());
    let held_out = |checkpoints: Option<Checkpoints>, stop_at: Option<&str>| {
        let (stop, mut notes) = (AtomicBool::new(false), vec![]);
        let options = FitOptions { checkpoints, ..options() };
        let distances = hold_out(&scene.task(&model), &options, fit, 3, &stop, &mut |note| {
            stop.store(stop_at == Some(note), Ordering::Relaxed);
            notes.push(note.to_string());
        });
        (notes, distances.unwrap())
    };
    let kept = |resume| Some(Checkpoints { path: path.clone(), every: Duration::MAX, resume });
    let (_, whole) = held_out(None, None);
    let last = "training without some of the people, 3 of 3";
    let (_, part) = held_out(kept(false), Some(last));
    assert!(!part.is_empty() && part.len() < whole.len(), "{} of {}", part.len(), whole.len());
    let (notes, resumed) = held_out(kept(true), None);
    assert_eq!(resumed, whole);
    for number in [1, 2] {
        let done = format!("model.without-{number}.checkpoint");
        assert!(
            notes.iter().any(|note| note.contains("epochs are done") && note.contains(&done)),
            "{notes:?}"
        );
    }
    assert!(!path.exists(), "the checkpoint of the model is another one");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A folder of that name: nobody can write a file there.
    let path = folder.path().join("model.checkpoint");
    fs::create_dir_all(path.join("full")).unwrap();
    let scene = Scene::new(&Weights::new(), &Device::cpu());
    let checkpoints = Some(Checkpoints { path, every: Duration::ZERO, resume: false });
    let options = FitOptions { checkpoints, ..options() };
    let mut notes = Vec::new();
    let trained = fit(&scene.task(&network()), &options, &AtomicBool::new(false), &mut |event| {
        if let Event::Note(note) = event {
            notes.push(note.to_string());
        }
    });
    assert_eq!(trained.unwrap().outcome, Outcome::Finished);
    assert!(notes[0].starts_with("no checkpoint: "), "{notes:?}");
}
