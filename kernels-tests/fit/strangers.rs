//! People held out, to find out how far strangers are.

use std::sync::atomic::AtomicBool;

use lookalike::Device;
use lookalike::data::Split;
use lookalike::models::Model;
use lookalike::train::{features_of, fit, hold_out};

use super::{Scene, Weights, network, options, pretrained};

/// The network, of which the first `frozen` layers are frozen.
fn model(frozen: usize) -> Model {
    Model { frozen, ..network() }
}

/// What the last layer makes of features, before its softmax.
fn logits(weights: &Weights, features: &[f32]) -> Vec<f32> {
    let kernel = weights["dense2/kernel"].to_f32();
    let bias = weights["dense2/bias"].to_f32();
    let people = bias.len();
    (0..people)
        .map(|p| bias[p] + features.iter().enumerate().map(|(i, x)| x * kernel[i * people + p]).sum::<f32>())
        .collect()
}

#[test]
fn features_are_what_the_last_layer_is_given() {
    for frozen in [0, 3] {
        let model = model(frozen);
        let mut scene = Scene::new(&pretrained(&model), &Device::cpu());
        // The pictures that are trained on also validate, so that the answers to them are known.
        scene.split = Split { validation: scene.split.train.clone(), ..scene.split };
        let (task, stop) = (scene.task(&model), AtomicBool::new(false));
        let trained = fit(&task, &options(), &stop, &mut |_| {}).unwrap();
        let features = features_of(&task, &options(), &trained.weights, &stop, &mut |_| {}).unwrap();
        assert_eq!(features.len(), trained.answers.len());
        for (features, answer) in features.iter().zip(&trained.answers) {
            let exps: Vec<f32> = logits(&trained.weights, features).into_iter().map(f32::exp).collect();
            for (exp, probability) in exps.iter().zip(answer) {
                assert!((exp / exps.iter().sum::<f32>() - probability).abs() < 1e-4, "{frozen}: {answer:?}");
            }
        }
    }
}

#[test]
fn every_person_is_a_stranger_once() {
    for frozen in [0, 3] {
        let model = model(frozen);
        let scene = Scene::new(&pretrained(&model), &Device::cpu());
        let (task, stop) = (scene.task(&model), AtomicBool::new(false));
        let held_out = |folds: usize| hold_out(&task, &options(), fit, folds, &stop, &mut |_| {}).unwrap();
        let found = held_out(3);
        assert!(found.iter().all(|photo| (0.0..=2.0).contains(&photo.distance)), "{found:?}");
        let groups = |photos: &mut dyn Iterator<Item = i64>| {
            let mut groups: Vec<i64> = photos.collect();
            groups.sort_unstable();
            groups
        };
        let trained_on = groups(&mut scene.split.train.iter().map(|&photo| scene.dataset.groups[photo]));
        assert_eq!(groups(&mut found.iter().map(|photo| photo.group)), trained_on);
        assert_eq!(found, held_out(3), "equal runs are equal");
        assert!(held_out(0).is_empty());
        // One person left is nobody to tell apart.
        assert_eq!(held_out(2).len(), 7, "only the part that leaves two people");
    }
}

#[test]
fn who_is_interrupted_keeps_the_model() {
    let model = model(0);
    let scene = Scene::new(&pretrained(&model), &Device::cpu());
    let stopped = hold_out(&scene.task(&model), &options(), fit, 3, &AtomicBool::new(true), &mut |_| {});
    assert!(stopped.unwrap().is_empty());
}
