//! `batch_norm_inference`.

use lookalike::Error;
use lookalike::check::{Check, normal, uniform};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

const EPSILON: f32 = 1e-3;

/// Mean and variance are states: they have no gradient.
fn run(name: &str, shape: &[usize], folded: bool) {
    let channels = *shape.last().expect("an axis of channels");
    let rows = shape.iter().product::<usize>() / channels;
    let case = Check::new(name)
        .input(normal(shape, 1))
        .input(normal([channels], 2))
        .input(normal([channels], 3))
        .state("mean", normal([channels], 4))
        .state("variance", uniform([channels], 5, 0.1, 2.0))
        .terms(rows);
    let case = if folded { case.folded() } else { case };
    case.run(|graph, v| Ok(vec![graph.batch_norm_inference(v[0], v[1], v[2], v[3], v[4], EPSILON)?]));
}

#[test]
fn shapes() {
    for (name, shape) in [
        ("one element", &[1, 1][..]),
        ("a batch of images", &[2, 3, 5, 7]),
        ("one below a workgroup", &[1, 255]),
        ("a workgroup", &[8, 32]),
        ("one above a workgroup", &[257, 1]),
        ("one above the columns of a workgroup", &[3, 33]),
        ("one below a chunk of rows", &[255, 3]),
        ("several chunks", &[3, 10, 30, 2]),
    ] {
        run(name, shape, false);
    }
}

#[test]
fn folded_grid() {
    run("element-wise", &[2, 30, 40, 3], true);
    run("sums over rows", &[7 * 256 + 1, 1], true);
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3]));
    let three = graph.input("three", TensorType::f32([3]));
    let two = graph.input("two", TensorType::f32([2]));
    let problem = graph.batch_norm_inference(x, three, three, three, two, EPSILON).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "batch_norm_inference", .. }), "{problem}");
    assert!(problem.to_string().contains("x: [2, 3], variance: [2]"), "{problem}");
}
