//! Every kernel that the program might choose on a device, checked there against the `f64` twins.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use super::verify::{self, Case, case};
use super::{Check, Failure, apart, bytes, normal, uniform};
use crate::Device;
use crate::ops::{
    Activation, Adam, Augment, DepthwiseConv2d, Dropout, Normalize, Padding, Pool2d, Sgd,
    tensor_core_variants,
};
use crate::tensor::HostTensor;

/// How one kernel variant did on one case.
#[derive(Debug)]
pub struct Outcome {
    /// What was computed.
    pub case: String,
    /// The variant, where the device has a choice.
    pub variant: Option<&'static str>,
    /// Nothing, or what was wrong.
    pub result: Result<(), Failure>,
    /// Wall time, pipelines and the twin included.
    pub seconds: f64,
}

/// What came of [`selftest`].
#[derive(Debug)]
pub struct SelfTest {
    /// In the order in which they ran.
    pub outcomes: Vec<Outcome>,
    /// Variants that failed, which the device no longer takes.
    pub barred: Vec<&'static str>,
    /// Where that is kept for later runs; `None` if there was nothing to keep it in.
    pub file: Option<PathBuf>,
}

impl SelfTest {
    /// Whether everything is right.
    pub fn passed(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.result.is_ok())
    }
}

/// Checks every kernel variant that `device` might choose, at odd sizes, with poisoned outputs and guard words behind them, and
/// bars those that fail: plans leave them out from now on, in later runs too where the device was opened with a cache, until
/// they pass. `on_outcome` is told of each as it ends.
pub fn selftest(device: &Device, on_outcome: &mut dyn FnMut(&Outcome)) -> SelfTest {
    let all =
        tensor_core_variants(device).into_iter().fold(device.clone(), |device, name| device.allowing(name));
    let mut outcomes = Vec::new();
    for (check, build) in verify::cases().into_iter().chain(cases()) {
        let mut start = Instant::now();
        check.check_all_on(&all, &build, &mut |variant, result| {
            let seconds = start.elapsed().as_secs_f64();
            let outcome = Outcome { case: check.name().into(), variant, result, seconds };
            on_outcome(&outcome);
            outcomes.push(outcome);
            start = Instant::now();
        });
    }
    let failed: BTreeMap<&'static str, String> = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.variant?, outcome.result.as_ref().err()?.to_string())))
        .collect();
    let named = failed.iter().map(|(name, problem)| ((*name).to_string(), problem.clone())).collect();
    let file = device.gpu().and_then(|gpu| gpu.tuned().bar(named));
    SelfTest { outcomes, barred: failed.into_keys().collect(), file }
}

/// Operators without a choice, at sizes around a workgroup and smaller than a vector.
fn cases() -> Vec<Case> {
    [depthwise(), pooling(), elementwise(), normalisation(), losses(), updates(), pictures()]
        .into_iter()
        .flatten()
        .collect()
}

fn depthwise() -> Vec<Case> {
    let of_channels = |channels: usize| {
        let check = Check::new(&format!("depthwise convolution of {channels} channels"))
            .input(normal([2, 7, 9, channels], 1))
            .input(normal([3, 3, channels, 1], 2))
            .input(normal([channels], 3))
            .terms(127);
        case(check, |graph, v| {
            let conv = DepthwiseConv2d { stride: [2, 1], padding: Padding::Same };
            Ok(vec![graph.depthwise_conv2d(v[0], v[1], Some(v[2]), conv)?])
        })
    };
    vec![of_channels(5), of_channels(8)]
}

fn pooling() -> Vec<Case> {
    let pictures = |name: &str| Check::new(name).input(apart([2, 7, 9, 5], 1)).terms(9);
    let overlapping =
        Pool2d { stride: [2, 1], padding: Padding::Explicit([[1, 0], [0, 1]]), ..Pool2d::square(3) };
    let winners = Check::new("max pooling that keeps its winners").input(apart([2, 7, 9, 8], 1));
    vec![
        case(pictures("max pooling"), |graph, v| Ok(vec![graph.max_pool2d(v[0], Pool2d::square(2))?])),
        case(pictures("max pooling, windows that overlap"), move |graph, v| {
            Ok(vec![graph.max_pool2d(v[0], overlapping)?])
        }),
        case(winners, |graph, v| Ok(vec![graph.max_pool2d_with_winners(v[0])?[0]])),
        case(pictures("average pooling"), move |graph, v| Ok(vec![graph.avg_pool2d(v[0], overlapping)?])),
        case(pictures("global average pooling").terms(63), |graph, v| {
            Ok(vec![graph.global_avg_pool2d(v[0])?])
        }),
    ]
}

fn elementwise() -> Vec<Case> {
    let mut cases = Vec::new();
    for activation in [Activation::Relu, Activation::LeakyRelu(0.3), Activation::Sigmoid, Activation::Tanh] {
        let check = Check::new(&format!("activation, {activation:?}")).input(apart([3, 173], 1));
        cases.push(case(check, move |graph, v| Ok(vec![graph.activation(v[0], activation)?])));
    }
    let two = |name: &str| Check::new(name).input(normal([3, 173], 1)).input(normal([3, 173], 2));
    cases.push(case(two("sum"), |graph, v| Ok(vec![graph.add(v[0], v[1])?])));
    cases.push(case(two("product of elements"), |graph, v| Ok(vec![graph.multiply(v[0], v[1])?])));
    cases.push(case(two("concatenation"), |graph, v| Ok(vec![graph.concat(&[v[0], v[1]], 1)?])));
    let slopes = Check::new("PReLU").input(apart([2, 5, 3, 7], 1)).input(uniform([7], 2, 0.1, 0.5)).terms(30);
    cases.push(case(slopes, |graph, v| Ok(vec![graph.prelu(v[0], v[1])?])));
    let residual = Check::new("residual sum").input(normal([2, 5, 3, 7], 1)).input(normal([2, 5, 3, 4], 2));
    cases.push(case(residual, |graph, v| Ok(vec![graph.residual_add(v[0], v[1], Activation::Linear)?])));
    let dropped =
        Check::new("dropout").input(normal([3, 173], 1)).state("step", HostTensor::new([1], vec![5u32]));
    cases.push(case(dropped, |graph, v| {
        let dropout = Dropout { rate: 0.3, seed: 7, ..Dropout::default() };
        Ok(vec![graph.dropout(v[0], dropout, v[1])?])
    }));
    cases
}

fn normalisation() -> Vec<Case> {
    let columns = || [normal([259, 5], 1), uniform([5], 2, 0.5, 2.0), normal([5], 3)];
    let check = |name: &str| columns().into_iter().fold(Check::new(name), Check::input).terms(259);
    vec![
        case(check("batch normalisation").factor(64.0), |graph, v| {
            Ok(vec![graph.batch_norm(v[0], v[1], v[2], 1e-3)?.y])
        }),
        case(
            Check::new("sums of columns").input(normal([700, 13], 1)).terms(700).without_gradients(),
            |graph, v| Ok(vec![graph.column_sum(v[0])?]),
        ),
        case(Check::new("rows of length 1").input(normal([5, 131], 1)).terms(131), |graph, v| {
            Ok(vec![graph.l2_normalize(v[0])?])
        }),
        case(Check::new("softmax").input(normal([5, 131], 1)).terms(131), |graph, v| {
            Ok(vec![graph.softmax(v[0])?])
        }),
    ]
}

fn losses() -> Vec<Case> {
    let logits = Check::new("softmax and cross-entropy").input(normal([5, 13], 1)).terms(65);
    let logits = logits.state("targets", uniform([5, 13], 2, 0.0, 1.0));
    vec![
        case(logits, |graph, v| Ok(vec![graph.softmax_cross_entropy(v[0], v[1], None, 0.1)?])),
        case(Check::new("sum of squares").input(normal([700], 1)).terms(700), |graph, v| {
            Ok(vec![graph.l2_penalty(v[0], 0.5)?])
        }),
    ]
}

fn updates() -> Vec<Case> {
    let states = |name: &str, moments: usize| {
        Check::new(name)
            .input(normal([300], 1))
            .state("param", normal([300], 2))
            .state("moments", uniform([moments, 300], 3, 0.5, 2.0))
            .state("step", HostTensor::new([1], vec![3u32]))
            .state("rate", HostTensor::new([1], vec![0.1f32]))
            .without_gradients()
    };
    vec![
        case(states("Adam", 2), |graph, v| {
            graph.adam(&[[v[1], v[0], v[2]]], v[3], v[4], Adam::default()).map(|()| vec![])
        }),
        case(states("gradient descent", 1), |graph, v| {
            let sgd = Sgd { momentum: 0.0, nesterov: false };
            graph.sgd(v[1], v[0], None, v[4], sgd).map(|()| vec![])
        }),
    ]
}

fn pictures() -> Vec<Case> {
    let pixels = |name: &str| Check::new(name).input(bytes([3, 9, 7, 3], 1)).without_gradients();
    let keys = HostTensor::new([3], vec![11u32, 12, 13]);
    let changed = pixels("changed pictures").input(keys).state("epoch", HostTensor::new([1], vec![2u32]));
    vec![
        case(pixels("pixels to numbers"), |graph, v| Ok(vec![graph.normalize(v[0], Normalize::torch())?])),
        case(changed, |graph, v| {
            Ok(vec![graph.augment(v[0], v[1], v[2], Augment::default(), Normalize::unit())?])
        }),
    ]
}
