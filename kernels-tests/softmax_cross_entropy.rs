//! Softmax cross-entropy: class counts around a workgroup of 64, soft targets, weights, smoothing, huge logits.

use lookalike::check::{Check, gpu, normal, uniform};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::{HostTensor, TensorType};

/// Rows that point at classes 0, 2, 4, … in turn.
fn one_hot(rows: usize, classes: usize) -> HostTensor {
    let at = |row: usize, class: usize| if class == row * 2 % classes { 1.0f32 } else { 0.0 };
    let values: Vec<f32> = (0..rows * classes).map(|i| at(i / classes, i % classes)).collect();
    HostTensor::new([rows, classes], values)
}

/// A case whose targets and weights have no gradient: they are states.
fn case(name: &str, logits: HostTensor, targets: HostTensor) -> Check {
    let terms = logits.shape()[1].max(logits.shape()[0]);
    Check::new(name).input(logits).state("targets", targets).terms(terms)
}

#[test]
fn around_a_workgroup() {
    for (rows, classes) in
        [(1, 2), (3, 10), (2, 63), (2, 64), (2, 65), (1, 129), (255, 2), (256, 2), (257, 3)]
    {
        case(&format!("{rows} rows of {classes}"), normal([rows, classes], 1), one_hot(rows, classes))
            .run(|graph, v| Ok(vec![graph.softmax_cross_entropy(v[0], v[1], None, 0.0)?]));
    }
}

#[test]
fn thousands_of_classes() {
    case("3 rows of 5 003", normal([3, 5003], 1), one_hot(3, 5003))
        .run(|graph, v| Ok(vec![graph.softmax_cross_entropy(v[0], v[1], None, 0.1)?]));
}

#[test]
fn soft_targets_weights_and_smoothing() {
    for smoothing in [0.0, 0.1, 1.0] {
        // Rows of these targets do not add up to 1.
        case(&format!("smoothing {smoothing}"), normal([5, 7], 1), uniform([5, 7], 2, 0.0, 0.5))
            .state("weights", uniform([7], 3, 0.2, 3.0))
            .run(|graph, v| Ok(vec![graph.softmax_cross_entropy(v[0], v[1], Some(v[2]), smoothing)?]));
    }
}

#[test]
fn folded_grid() {
    case("forward, scale", normal([300, 7], 1), one_hot(300, 7))
        .folded()
        .run(|graph, v| Ok(vec![graph.softmax_cross_entropy(v[0], v[1], None, 0.0)?]));
}

#[test]
fn huge_logits() {
    case("up to 1e4", uniform([9, 6], 1, -1e4, 1e4), one_hot(9, 6))
        .run(|graph, v| Ok(vec![graph.softmax_cross_entropy(v[0], v[1], None, 0.2)?]));
}

#[test]
fn equal_logits_give_the_logarithm_of_the_classes() {
    let mut graph = Graph::new();
    let logits = graph.fill([4, 10], 1e4).unwrap();
    let targets = graph.fill([4, 10], 0.1).unwrap();
    let loss = graph.softmax_cross_entropy(logits, targets, None, 0.3).unwrap();
    assert_eq!(graph.shape(loss).rank(), 0);
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[loss]).unwrap();
    plan.run().unwrap();
    approx::assert_relative_eq!(plan.read(loss).unwrap().to_f64()[0], 10f64.ln(), max_relative = 1e-6);
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let mut input = |shape: &[usize]| graph.input(&format!("{shape:?}"), TensorType::f32(shape));
    let (logits, narrow, flat, single) = (input(&[4, 3]), input(&[4, 2]), input(&[4]), input(&[4, 1]));
    let problem = |found: lookalike::Result<_>| found.unwrap_err().to_string();
    assert_eq!(
        problem(graph.softmax_cross_entropy(logits, narrow, None, 0.0)),
        "softmax cross-entropy: targets is f32 [4, 2], expected f32 [4, 3]"
    );
    assert!(problem(graph.softmax_cross_entropy(flat, flat, None, 0.0)).contains("rank 1"));
    assert!(problem(graph.softmax_cross_entropy(single, single, None, 0.0)).contains("[4, 1]"));
    assert!(
        problem(graph.softmax_cross_entropy(logits, logits, Some(flat), 0.0)).contains("expected f32 [3]")
    );
    assert!(problem(graph.softmax_cross_entropy(logits, logits, None, 1.5)).contains("1.5"));
}
