//! Average pooling over the whole image.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

#[test]
fn shapes() {
    for (name, shape) in [
        ("one pixel", [1, 1, 1, 1]),
        ("an odd image", [2, 3, 5, 7]),
        ("one below the columns of a workgroup", [1, 2, 3, 31]),
        ("the columns of a workgroup", [2, 2, 3, 32]),
        ("one above the columns of a workgroup", [2, 2, 3, 33]),
        ("one below the rows of a workgroup", [2, 3, 85, 1]),
        ("the rows of a workgroup", [2, 16, 16, 1]),
        ("one above the rows of a workgroup", [2, 1, 257, 1]),
        ("several rounds", [1, 30, 40, 3]),
    ] {
        Check::new(name)
            .input(normal(shape, 1))
            .terms(shape[1] * shape[2])
            .run(|graph, v| Ok(vec![graph.global_avg_pool2d(v[0])?]));
    }
}

#[test]
fn folded_grid() {
    for (name, shape) in [("forward", [8, 1, 2, 3]), ("backward", [2, 20, 20, 3])] {
        Check::new(name)
            .input(normal(shape, 1))
            .terms(shape[1] * shape[2])
            .folded()
            .run(|graph, v| Ok(vec![graph.global_avg_pool2d(v[0])?]));
    }
}

#[test]
fn wrong_ranks_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([4, 3]));
    let problem = graph.global_avg_pool2d(x).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "global_avg_pool2d", .. }), "{problem}");
    assert!(problem.to_string().contains("[4, 3]"), "{problem}");
}
