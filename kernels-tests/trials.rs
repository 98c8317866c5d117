//! Measuring kernel variants.

use lookalike::Device;
use lookalike::check::bench::variants::OPERATORS;
use lookalike::check::gpu;
use lookalike::gpu::AdapterKind;
use lookalike::graph::{Graph, Var};
use lookalike::ops::{Activation, Conv2d, Padding};
use lookalike::tensor::TensorType;

/// Two convolutions for one problem, and a dense layer.
fn graph() -> (Graph, Var) {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1, 8, 8, 8]));
    let weight = graph.state("weight", TensorType::f32([3, 3, 8, 8])).unwrap();
    let same = Conv2d { padding: Padding::Same, activation: Activation::Relu, ..Conv2d::default() };
    let first = graph.conv2d(x, weight, None, same).unwrap();
    let second = graph.conv2d(first, weight, None, same).unwrap();
    let flat = graph.reshape(second, [1, 512]).unwrap();
    let dense = graph.state("dense", TensorType::f32([512, 3])).unwrap();
    let y = graph.dense(flat, dense, None, Activation::Linear).unwrap();
    (graph, y)
}

#[test]
fn each_candidate_can_be_run_alone() {
    let (graph, y) = graph();
    let trials = graph.trials(gpu(), &[y]).unwrap();
    let operators: Vec<&str> = trials.iter().map(|trial| trial.operator).collect();
    assert_eq!(operators, ["conv2d", "conv2d", "dense"], "in the order in which they run");
    assert_eq!(trials[0].inputs, trials[1].inputs);
    assert!(trials[0].choice.candidates.contains(&"winograd-4"));
    for trial in &trials[1..] {
        assert_eq!(trial.choice.taken, trial.choice.candidates[0], "nothing is tuned");
        for &candidate in &trial.choice.candidates {
            let mut plan = trial.plan(gpu(), candidate).unwrap();
            assert_eq!(plan.choices()[0].taken, candidate);
            assert!(plan.profile().unwrap().iter().all(|time| time.seconds > 0.0));
        }
        let fastest = trial.fastest(gpu()).unwrap();
        assert!(trial.choice.candidates.contains(&fastest));
    }
}

#[test]
fn a_frozen_weight_is_prepared_once() {
    let (mut graph, y) = graph();
    let winograd = |graph: &Graph| {
        let trials = graph.trials(gpu(), &[y]).unwrap();
        trials[0].plan(gpu(), "winograd-2").unwrap().constant_dispatches()
    };
    assert_eq!(winograd(&graph), 1);
    let weight = graph.state("weight", TensorType::f32([3, 3, 8, 8])).unwrap();
    let more = graph.input("more", TensorType::f32([3, 3, 8, 8]));
    graph.accumulate(weight, more).unwrap();
    assert_eq!(winograd(&graph), 0);
}

#[test]
fn operators_with_variants_are_those_that_can_be_asked_for() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1, 8, 8, 8]));
    let weight = graph.input("weight", TensorType::f32([3, 3, 8, 8]));
    let conv = graph.conv2d(x, weight, None, Conv2d::default()).unwrap();
    let flat = graph.reshape(conv, [1, 288]).unwrap();
    let dense = graph.input("dense", TensorType::f32([288, 3]));
    let y = graph.dense(flat, dense, None, Activation::Linear).unwrap();
    let dy = graph.input("dy", TensorType::f32([1, 3]));
    let mut outputs = graph.gradients_of(&[(y, dy)], &[x, weight, dense]).unwrap();
    outputs.push(y);
    let mut operators: Vec<&str> =
        graph.trials(gpu(), &outputs).unwrap().iter().map(|trial| trial.operator).collect();
    operators.sort_unstable();
    operators.dedup();
    assert_eq!(operators, OPERATORS);
}

#[test]
fn there_is_nothing_to_tune_without_a_gpu() {
    let (graph, y) = graph();
    assert!(graph.trials(&Device::cpu(), &[y]).unwrap().is_empty());
    let software = |device: &Device| device.gpu().is_none_or(|gpu| gpu.info().kind == AdapterKind::Software);
    for device in [Device::cpu(), gpu().clone()].into_iter().filter(software) {
        let problem = device.tuning().unwrap_err().to_string();
        assert!(problem.contains("--tune"), "{problem}");
    }
}

#[test]
fn a_layer_in_training_keeps_its_zeros() {
    let (mut graph, y) = graph();
    let candidates = |graph: &Graph| graph.trials(gpu(), &[y]).unwrap()[0].choice.candidates.clone();
    assert!(candidates(&graph).contains(&"winograd-4"));
    let weight = graph.state("weight", TensorType::f32([3, 3, 8, 8])).unwrap();
    let dy = graph.input("dy", TensorType::f32([1, 3]));
    graph.gradients_of(&[(y, dy)], &[weight]).unwrap();
    let candidates = candidates(&graph);
    assert!(candidates.contains(&"winograd-2") && !candidates.contains(&"winograd-4"), "{candidates:?}");
}
