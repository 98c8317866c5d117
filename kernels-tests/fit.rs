//! The training loop: parts of a batch, equal runs, what stops it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lookalike::check::{self, bytes};
use lookalike::data::features::Precision;
use lookalike::data::{CutStyle, Dataset, Split};
use lookalike::models::{Model, ScratchCnn, scratch_cnn};
use lookalike::nn::LayerActivation;
use lookalike::nn::layers::{BatchNormalization, Dense};
use lookalike::ops::{Augment, Normalize};
use lookalike::tensor::{Data, HostTensor};
use lookalike::train::{Batches, Caching, Event, FineTune, FitOptions, Outcome, Task, Trained, fit};
use lookalike::{Device, Error, Result};

mod learning;
mod linear;
mod recovery;
mod resume;
mod strangers;

type Weights = BTreeMap<String, HostTensor>;

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
        masked: vec![false; count],
        landmarks: vec![None; count],
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

/// 21 pictures to train on: two full batches and a remainder of five.
fn split() -> Split {
    Split { train: (0..21).collect(), validation: (21..30).collect(), leaky: false, note: String::new() }
}

/// Values for all parameters, as a file of pretrained weights would give them.
fn pretrained(model: &Model) -> Weights {
    let parameters = model.parameters().unwrap().into_iter();
    parameters.map(|p| (p.name.clone(), p.initializer.values(&p.name, &p.shape, 77))).collect()
}

/// What is trained on, but for the network.
#[derive(Clone)]
struct Scene {
    dataset: Dataset,
    split: Split,
    weights: Weights,
    device: Device,
}

impl Scene {
    fn new(weights: &Weights, device: &Device) -> Scene {
        Scene { dataset: dataset(), split: split(), weights: weights.clone(), device: device.clone() }
    }

    fn task<'a>(&'a self, model: &'a Model) -> Task<'a> {
        let Scene { dataset, split, weights, device } = self;
        Task { model, dataset, split, normalize: Normalize::unit(), weights, device }
    }
}

/// A run, and how many pictures went through the frozen layers before it.
fn run_from(
    model: &Model,
    weights: &Weights,
    device: &Device,
    options: &FitOptions,
) -> Result<(Trained, usize)> {
    let scene = Scene::new(weights, device);
    let mut frozen = 0;
    let trained = fit(&scene.task(model), options, &AtomicBool::new(false), &mut |event| match event {
        Event::Features { total, .. } => frozen = total,
        Event::Note(note) => panic!("{note}"),
        Event::Step(_) | Event::Epoch(_) => {}
    })?;
    Ok((trained, frozen))
}

fn run(model: &Model, device: &Device, options: &FitOptions) -> Result<Trained> {
    run_from(model, &Weights::new(), device, options).map(|(trained, _)| trained)
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
    let scene = Scene::new(&Weights::new(), &device);
    let Batches { batch, most, whole, .. } = Batches::new(&scene.task(&model), &options).unwrap();
    assert_eq!((batch, most, whole), (4, 4, true));
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
    let scene = Scene::new(&Weights::new(), &Device::cpu());
    let error = fit(&scene.task(&network()), &options(), &AtomicBool::new(true), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
}

/// The network with its first stage frozen and a batch normalisation behind the hidden layer.
fn frozen_network() -> Model {
    let mut model = network();
    model.layers.insert(6, Arc::new(BatchNormalization::new("norm")));
    model.frozen = 2;
    model
}

#[test]
fn frozen_features_give_the_same_run_from_memory_from_a_file_and_computed_each_time() {
    let model = frozen_network();
    let weights = pretrained(&model);
    for device in [Device::cpu(), check::gpu().clone()] {
        let folder = tempfile::tempdir().unwrap();
        let run = |cache: Caching| {
            run_from(&model, &weights, &device, &FitOptions { copies: 2, cache, ..options() }).unwrap()
        };
        let in_folder = || Caching::Folder(folder.path().to_owned());
        let (memory, frozen) = run(Caching::Memory);
        // 21 pictures with two copies each, and 9 to validate with.
        assert_eq!(frozen, 21 * 3 + 9);
        let (first, frozen) = run(in_folder());
        assert_eq!(frozen, 21 * 3 + 9);
        let (second, frozen) = run(in_folder());
        assert_eq!(frozen, 0, "nothing is computed again");
        let (each_time, frozen) = run(Caching::Off);
        assert_eq!(frozen, 0, "nothing is computed before");
        for other in [&first, &second] {
            assert_eq!(memory.weights, other.weights, "on {device}");
            assert_eq!(memory.answers, other.answers, "on {device}");
        }
        // Batches of other sizes may add up in another order.
        for (kept, computed) in memory.history.0.iter().zip(&each_time.history.0) {
            approx::assert_relative_eq!(kept.loss, computed.loss, max_relative = 1e-4);
            approx::assert_relative_eq!(kept.val_loss, computed.val_loss, max_relative = 1e-4);
        }
        for name in ["conv1/kernel", "conv1/bias"] {
            assert_eq!(memory.weights[name], weights[name], "{name} is frozen");
        }
        assert_ne!(memory.weights["conv2/kernel"], weights["conv2/kernel"]);
    }
}

#[test]
fn another_head_or_seed_finds_the_features_and_other_weights_do_not() {
    let model = frozen_network();
    let weights = pretrained(&model);
    let folder = tempfile::tempdir().unwrap();
    let options = FitOptions { cache: Caching::Folder(folder.path().to_owned()), ..options() };
    let frozen = |model: &Model, weights: &Weights, options: &FitOptions| {
        run_from(model, weights, &Device::cpu(), options).unwrap().1
    };
    assert_eq!(frozen(&model, &weights, &options), 21 * 2 + 9);
    let mut wider = model.clone();
    wider.layers[5] = Arc::new(Dense::new("dense1", 20, LayerActivation::RELU));
    let head_only = weights.iter().filter(|(name, _)| name.starts_with("conv1"));
    let head_only: Weights = head_only.map(|(name, value)| (name.clone(), value.clone())).collect();
    assert_eq!(frozen(&wider, &head_only, &options), 0);
    let augment = options.augment.map(|augment| Augment { seed: 9, ..augment });
    assert_eq!(frozen(&model, &weights, &FitOptions { seed: 9, augment, ..options.clone() }), 0);
    assert_eq!(frozen(&model, &weights, &FitOptions { copies: 3, ..options.clone() }), 21 * 2);
    let mut other = weights.clone();
    other.insert("conv1/bias".into(), HostTensor::new([4], vec![0.1f32; 4]));
    assert_eq!(frozen(&model, &other, &options), 21 * 2 + 9);
    assert_eq!(frozen(&model, &weights, &FitOptions { precision: Precision::F16, ..options }), 21 * 2 + 9);
}

#[test]
fn half_floats_change_the_run_only_a_little() {
    let model = frozen_network();
    let weights = pretrained(&model);
    let run = |precision| {
        run_from(&model, &weights, &Device::cpu(), &FitOptions { precision, ..options() }).unwrap().0
    };
    let (exact, rounded) = (run(Precision::F32), run(Precision::F16));
    let (exact, rounded) = (&exact.history.0[0], &rounded.history.0[0]);
    approx::assert_relative_eq!(exact.loss, rounded.loss, max_relative = 5e-3);
    assert_ne!(exact.loss, rounded.loss);
}

#[test]
fn fresh_changes_differ_from_epoch_to_epoch_and_from_copies() {
    let model = frozen_network();
    let weights = pretrained(&model);
    let still = FitOptions { rate: 1e-20, epochs: 3, fresh: true, ..options() };
    let (trained, frozen) = run_from(&model, &weights, &Device::cpu(), &still).unwrap();
    assert_eq!(frozen, 9, "only what validates is the same in each epoch");
    // Where nothing is learned, only the changes differ.
    let losses: Vec<f64> = trained.history.0.iter().map(|epoch| epoch.loss).collect();
    assert!((losses[0] - losses[1]).abs() > 1e-4 * losses[0], "{losses:?}");
}

#[test]
fn frozen_layers_without_weights_are_refused() {
    let model = frozen_network();
    let error = run_from(&model, &Weights::new(), &Device::cpu(), &options()).unwrap_err();
    assert_eq!(error.to_string(), "state 'conv1/kernel': is missing");
}

#[test]
fn pretrained_layers_follow_their_own_rate() {
    let mut model = network();
    model.frozen = 0;
    let weights = pretrained(&model);
    let moved = |fine_tune: Option<FineTune>| {
        let options = FitOptions { epochs: 1, augment: None, fine_tune, ..options() };
        let (trained, _) = run_from(&model, &weights, &Device::cpu(), &options).unwrap();
        let moved = |name: &str| {
            let pairs = trained.weights[name].to_f64().into_iter().zip(weights[name].to_f64());
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        ["conv1/kernel", "conv2/kernel", "dense1/kernel"].map(moved)
    };
    let all = moved(None);
    // Adam's steps are about as long as the rate.
    let slow = moved(Some(FineTune { layers: 2, rate: 1e-5 }));
    assert!(slow[0] < 1e-4 && all[0] > 1e-3, "{slow:?} {all:?}");
    assert!(slow[1] > 1e-3 && slow[2] > 1e-3, "{slow:?}");
    let still = moved(Some(FineTune { layers: 4, rate: 0.0 }));
    assert_eq!(still[..2], [0.0, 0.0]);
}

#[test]
fn any_batch_will_do() {
    let model = frozen_network();
    let weights = pretrained(&model);
    for batch in [1, 2, 41, 42, 1000] {
        let options = FitOptions { batch, epochs: 1, ..options() };
        let (trained, _) = run_from(&model, &weights, &Device::cpu(), &options).unwrap();
        assert!(trained.history.0[0].loss.is_finite(), "batch {batch}");
    }
    let mut scene = Scene::new(&weights, &Device::cpu());
    scene.split.train = vec![0];
    let options = FitOptions { augment: None, ..options() };
    let error =
        fit(&scene.task(&model), &options, &AtomicBool::new(false), &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("batch normalisation needs two pictures"), "{error}");
}

#[test]
fn a_memory_budget_holds_without_batch_normalisation_too() {
    let (scene, model) = (Scene::new(&Weights::new(), &Device::cpu()), network());
    let batches = |memory| Batches::new(&scene.task(&model), &FitOptions { memory, ..options() }).unwrap();
    let free = batches(None);
    let tight = batches(Some(free.memory.total() * 3 / 4));
    assert!(tight.memory.total() <= free.memory.total() * 3 / 4 && tight.batch < free.batch, "{tight:?}");
}

#[test]
fn a_parameter_that_no_device_holds_is_refused() {
    let mut model = network();
    model.layers[5] = Arc::new(Dense::new("dense1", 40_000_000, LayerActivation::RELU));
    let error = run(&model, &Device::cpu(), &options()).unwrap_err().to_string();
    assert!(error.contains("dense1/kernel") && error.contains("--dense"), "{error}");
}

#[test]
fn a_memory_budget_makes_batches_smaller_and_is_kept() {
    let device = Device::cpu();
    let model = frozen_network();
    let weights = pretrained(&model);
    let scene = Scene::new(&weights, &device);
    let batches = |memory| Batches::new(&scene.task(&model), &FitOptions { memory, ..options() });
    let free = batches(None).unwrap();
    assert_eq!((free.batch, free.frozen), (8, 8));
    let tight = batches(Some(free.memory.total() * 2 / 3)).unwrap();
    assert!(tight.memory.total() <= free.memory.total() * 2 / 3);
    assert!(tight.batch < free.batch && tight.batch >= 2, "batch normalisation needs two: {tight:?}");
    let error = batches(Some(1000)).unwrap_err().to_string();
    assert!(error.contains("the device allows 1000") && error.contains("--memory"), "{error}");
    let options = FitOptions { memory: Some(free.memory.total() * 2 / 3), ..options() };
    assert!(run_from(&model, &weights, &device, &options).is_ok());
}
