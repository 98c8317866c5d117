//! The training loop: parts of a batch, equal runs, what stops it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lookalike::check::{self, bytes};
use lookalike::data::{CutStyle, Dataset, Split};
use lookalike::models::{Model, ScratchCnn, scratch_cnn};
use lookalike::nn::layers::BatchNormalization;
use lookalike::ops::{Augment, Normalize};
use lookalike::tensor::Data;
use lookalike::train::{Batches, FitOptions, Outcome, Task, Trained, fit};
use lookalike::{Device, Error, Result};

const SIZE: usize = 16;
const PEOPLE: usize = 3;

/// Noise, brighter for each next person: quickly learned, never trivial.
fn dataset() -> Dataset {
    let count = 30;
    let Data::U8(noise) = bytes([count, SIZE, SIZE, 3], 5).into_data() else { unreachable!("bytes are u8") };
    let person = |picture: usize| picture % PEOPLE;
    let picture = SIZE * SIZE * 3;
    Dataset {
        size: SIZE,
        pixels: noise
            .iter()
            .enumerate()
            .map(|(i, &byte)| byte / 2 + 50 * person(i / picture) as u8)
            .collect(),
        labels: (0..count).map(person).collect(),
        names: ["anna", "berta", "carla"].map(String::from).to_vec(),
        groups: (0..count as i64).collect(),
        sources: (0..count).map(|i| format!("{i}.png")).collect(),
        cut: CutStyle::default(),
    }
}

fn network() -> Model {
    scratch_cnn(&ScratchCnn { size: SIZE, widths: vec![4, 8], dense: 16, dropout: 0.2, classes: PEOPLE })
}

fn options() -> FitOptions {
    let augment = Some(Augment { seed: 3, ..Augment::default() });
    FitOptions { epochs: 4, batch: 8, seed: 3, augment, ..FitOptions::default() }
}

fn run(model: &Model, device: &Device, options: &FitOptions) -> Result<Trained> {
    let dataset = dataset();
    // 21 pictures: two full batches and a remainder of five.
    let split = Split { train: (0..21).collect(), validation: (21..30).collect(), note: String::new() };
    let task = Task { model, dataset: &dataset, split: &split, normalize: Normalize::unit(), device };
    fit(&task, options, &AtomicBool::new(false), &mut |_| {})
}

#[test]
fn a_batch_in_parts_is_the_whole_batch() {
    for device in [Device::cpu(), check::gpu().clone()] {
        let whole = run(&network(), &device, &options()).unwrap();
        let parts = run(&network(), &device, &FitOptions { micro_batch: Some(3), ..options() }).unwrap();
        for (whole, parts) in whole.history.0.iter().zip(&parts.history.0) {
            approx::assert_relative_eq!(whole.loss, parts.loss, max_relative = 1e-4);
            approx::assert_relative_eq!(whole.val_loss, parts.val_loss, max_relative = 1e-4);
        }
        let losses: Vec<f64> = whole.history.0.iter().map(|epoch| epoch.loss).collect();
        assert!(losses[3] < losses[0], "the loss does not fall: {losses:?}");
    }
}

#[test]
fn equal_runs_give_equal_weights() {
    for device in [Device::cpu(), check::gpu().clone()] {
        let weights = || run(&network(), &device, &options()).unwrap().weights;
        assert_eq!(weights(), weights(), "on {device}");
    }
}

#[test]
fn the_seed_matters() {
    let other = FitOptions { seed: 4, ..options() };
    let weights = |options| run(&network(), &Device::cpu(), options).unwrap().weights;
    assert_ne!(weights(&options()), weights(&other));
}

#[test]
fn batch_statistics_keep_a_batch_whole() {
    let mut model = network();
    model.layers.insert(1, Arc::new(BatchNormalization::new("norm")));
    let device = Device::cpu();
    // Batches of 4 leave a remainder of one picture, which has no statistics and is left out.
    let options = FitOptions { micro_batch: Some(4), ..options() };
    assert_eq!(Batches::new(&model, &device, &options).unwrap(), Batches { batch: 4, most: 4, whole: true });
    let trained = run(&model, &device, &options).unwrap();
    let mean = trained.weights["norm/moving_mean"].to_f32();
    assert!(mean.iter().any(|&mean| mean != 0.0), "the running averages move");
    assert!(trained.history.0.iter().all(|epoch| epoch.loss.is_finite()));
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run() {
    let wild = FitOptions { rate: 1e30, ..options() };
    match run(&network(), &Device::cpu(), &wild) {
        Err(Error::Training(message)) => assert!(message.contains("--rate"), "{message}"),
        Ok(trained) => assert!(matches!(trained.outcome, Outcome::NotFinite { .. }), "{:?}", trained.outcome),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_interrupt_before_the_first_epoch_is_said() {
    let (dataset, model, device) = (dataset(), network(), Device::cpu());
    let split = Split { train: (0..21).collect(), validation: (21..30).collect(), note: String::new() };
    let task = Task {
        model: &model,
        dataset: &dataset,
        split: &split,
        normalize: Normalize::unit(),
        device: &device,
    };
    let error = fit(&task, &options(), &AtomicBool::new(true), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
}
