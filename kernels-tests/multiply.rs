//! `multiply` and `scale`.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

#[test]
fn around_a_workgroup() {
    for len in [1, 255, 256, 257] {
        let case = |name: &str| Check::new(&format!("{name}, {len}")).input(normal([len], 1));
        case("multiply").input(normal([len], 2)).run(|graph, v| Ok(vec![graph.multiply(v[0], v[1])?]));
        case("scale").run(|graph, v| Ok(vec![graph.scale(v[0], -0.3)?]));
    }
}

#[test]
fn folded_grid() {
    Check::new("multiply")
        .input(normal([3, 7, 100], 1))
        .input(normal([3, 7, 100], 2))
        .folded()
        .run(|graph, v| Ok(vec![graph.multiply(v[0], v[1])?]));
    Check::new("scale")
        .input(normal([3, 7, 100], 1))
        .folded()
        .run(|graph, v| Ok(vec![graph.scale(v[0], 1.7)?]));
}

#[test]
fn a_square_gets_both_gradients() {
    Check::new("x * x").input(normal([3, 5], 3)).run(|graph, v| Ok(vec![graph.multiply(v[0], v[0])?]));
}

#[test]
fn different_shapes_are_refused() {
    let mut graph = Graph::new();
    let a = graph.input("a", TensorType::f32([2, 3]));
    let b = graph.input("b", TensorType::f32([3, 2]));
    let problem = graph.multiply(a, b).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "multiply", .. }), "{problem}");
    assert!(problem.to_string().contains("a: [2, 3], b: [3, 2]"), "{problem}");
}

#[test]
fn integers_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u32([2]));
    assert!(matches!(graph.scale(x, 2.0), Err(Error::Type { op: "scale", .. })));
}
