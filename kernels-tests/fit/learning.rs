//! What changes how a run learns: rates that change, clipping, mixup, averages of weights, weights of classes.

use lookalike::check;
use lookalike::models::Model;
use lookalike::nn::Optimizer;
use lookalike::ops::Sgd;
use lookalike::train::{Decay, FitOptions, Schedule, Trained};
use lookalike::{Device, Result};

use super::{Weights, network, options, pretrained, run, run_from};

/// A run of a single step without dropout and random changes.
fn one_step(options: FitOptions) -> Trained {
    let weights = pretrained(&still());
    let options = FitOptions { epochs: 1, batch: 64, augment: None, ..options };
    run_from(&still(), &weights, &Device::cpu(), &options).unwrap().0
}

/// The network without its dropout.
fn still() -> Model {
    let mut model = network();
    model.layers.retain(|layer| layer.class_name() != "Dropout");
    model
}

/// How far the step went: the norm of what it added to the weights.
fn length(before: &Weights, after: &Weights) -> f64 {
    let squares = before.iter().flat_map(|(name, before)| {
        let pairs = before.to_f64().into_iter().zip(after[name].to_f64());
        pairs.map(|(before, after)| (after - before).powi(2)).collect::<Vec<f64>>()
    });
    squares.sum::<f64>().sqrt()
}

#[test]
fn a_step_is_as_long_as_its_clipped_gradient() {
    let plain = Optimizer::Sgd(Sgd { momentum: 0.0, ..Sgd::default() });
    let step = |clip| FitOptions { rate: 1.0, optimizer: plain, clip, ..options() };
    let before = pretrained(&still());
    let free = length(&before, &one_step(step(None)).weights);
    assert!(free > 0.01, "{free}");
    let clipped = length(&before, &one_step(step(Some(0.01))).weights);
    approx::assert_relative_eq!(clipped, 0.01, max_relative = 1e-3);
    let loose = one_step(step(Some(1e6))).weights;
    assert_eq!(loose, one_step(step(None)).weights, "below the bound nothing changes");
    let parts = one_step(FitOptions { micro_batch: Some(5), ..step(Some(0.01)) });
    approx::assert_relative_eq!(length(&before, &parts.weights), 0.01, max_relative = 1e-3);
}

#[test]
fn an_average_follows_the_weights() {
    let before = pretrained(&still());
    let plain = one_step(options()).weights;
    let average = one_step(FitOptions { average: Some(0.75), ..options() }).weights;
    for (name, average) in &average {
        let expected = before[name].to_f64().into_iter().zip(plain[name].to_f64());
        for (average, (before, after)) in average.to_f64().into_iter().zip(expected) {
            approx::assert_abs_diff_eq!(average, 0.75 * before + 0.25 * after, epsilon = 1e-7);
        }
    }
    // What validates is the average; what is trained on goes its own way.
    for device in [Device::cpu(), check::gpu().clone()] {
        let with = |average| run(&network(), &device, &FitOptions { average, ..options() }).unwrap();
        let (free, none, slow) = (with(None), with(Some(0.0)), with(Some(0.9)));
        assert_eq!(free.weights, none.weights, "without momentum the average is the weight");
        let losses = |trained: &Trained| trained.history.0.iter().map(|e| e.loss).collect::<Vec<_>>();
        assert_eq!(losses(&free), losses(&slow));
        assert_ne!(free.history.0[3].val_loss, slow.history.0[3].val_loss);
    }
}

#[test]
fn rates_follow_the_schedule() {
    let rates = |schedule| -> Result<Vec<f32>> {
        let trained = run(&network(), &Device::cpu(), &FitOptions { rate: 0.01, schedule, ..options() })?;
        Ok(trained.history.0.iter().map(|epoch| epoch.rate).collect())
    };
    assert_eq!(rates(Schedule::default()).unwrap(), [0.01; 4]);
    let cosine = Schedule { warm_up: 1.0, decay: Decay::Cosine { least: 0.0 } };
    let expected = [0.01, 0.0075, 0.0025, 0.0];
    for (rate, expected) in rates(cosine).unwrap().into_iter().zip(expected) {
        approx::assert_abs_diff_eq!(rate, expected, epsilon = 1e-8);
    }
    // Nothing moves where the rate is 0 throughout.
    let never = Schedule { warm_up: 1e12, decay: Decay::Constant };
    let before = pretrained(&still());
    let after = one_step(FitOptions { schedule: never, ..options() });
    assert!(length(&before, &after.weights) < 1e-9);
}

#[test]
fn mixup_mixes_what_is_trained_on_and_nothing_else() {
    for device in [Device::cpu(), check::gpu().clone()] {
        let mixed = |seed| {
            let options = FitOptions { mixup: Some(1.0), seed, ..options() };
            run(&network(), &device, &options).unwrap()
        };
        assert_eq!(mixed(3).weights, mixed(3).weights, "on {device}");
    }
    // One step: the loss before it is that of mixed pictures, in the validation there is none.
    let (plain, mixed) = (one_step(options()), one_step(FitOptions { mixup: Some(1.0), ..options() }));
    assert_ne!(plain.history.0[0].loss, mixed.history.0[0].loss);
    let frozen = |mixup| {
        let options = FitOptions { rate: 1e-20, mixup, ..options() };
        one_step(options).history.0[0].val_loss
    };
    assert_eq!(frozen(None), frozen(Some(1.0)));
}

#[test]
fn people_with_as_many_pictures_are_balanced_already() {
    let losses = |balance| {
        let trained = run(&network(), &Device::cpu(), &FitOptions { balance, ..options() }).unwrap();
        trained.history.0.iter().map(|epoch| epoch.loss).collect::<Vec<_>>()
    };
    assert_eq!(losses(false), losses(true));
}
