//! Measuring kernel variants.

use lookalike::Device;
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
fn each_candidate_is_measured_once_for_each_problem() {
    let (graph, y) = graph();
    let trials = graph.trials(gpu(), &[y], 2, |_| false).unwrap();
    let operators: Vec<&str> = trials.iter().map(|trial| trial.operator).collect();
    assert_eq!(operators, ["conv2d", "dense"]);
    for trial in &trials {
        let measured: Vec<&str> = trial.seconds.iter().map(|(name, _)| *name).collect();
        assert_eq!(measured, trial.choice.candidates);
        assert!(measured.contains(&trial.fastest()));
        assert!(
            trial.seconds.iter().all(|(_, seconds)| seconds.len() == 2 && seconds.iter().all(|s| *s > 0.0))
        );
    }
    assert!(trials[0].choice.candidates.contains(&"winograd-4"));
    let rest = graph.trials(gpu(), &[y], 1, |choice| choice.problem == trials[0].choice.problem).unwrap();
    assert_eq!(rest.len(), 1);
}

#[test]
fn there_is_nothing_to_tune_without_a_gpu() {
    let (graph, y) = graph();
    assert!(graph.trials(&Device::cpu(), &[y], 1, |_| false).unwrap().is_empty());
    let software = |device: &Device| device.gpu().is_none_or(|gpu| gpu.info().kind == AdapterKind::Software);
    for device in [Device::cpu(), gpu().clone()].into_iter().filter(software) {
        let problem = device.tuning().unwrap_err().to_string();
        assert!(problem.contains("--tune"), "{problem}");
    }
}
