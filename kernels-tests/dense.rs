//! Dense layers: product, bias, activation.

use lookalike::check::{Check, halves, normal};
use lookalike::graph::Graph;
use lookalike::ops::Activation;
use lookalike::tensor::{DType, TensorType};

const TILES: [&str; 5] = ["tile-32", "tile-64", "tile-128", "narrow", "subgroup"];

fn check(name: &str, [batch, features, out]: [usize; 3]) -> Check {
    Check::new(&format!("{name}, {batch} x {features} -> {out}"))
        .input(normal([batch, features], 1))
        .input(normal([features, out], 2))
        .input(normal([out], 3))
        .terms(features.max(out).max(batch) + 1)
}

#[test]
fn around_the_tiles() {
    for size in [[1, 1, 1], [2, 31, 33], [33, 5, 32]] {
        check("linear", size)
            .variants(&TILES)
            .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], Some(v[2]), Activation::Linear)?]));
    }
}

#[test]
fn activations() {
    for activation in [Activation::Sigmoid, Activation::Tanh] {
        check("one split", [3, 20, 10])
            .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], Some(v[2]), activation)?]));
        check("split", [3, 300, 10])
            .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], Some(v[2]), activation)?]));
    }
    // The seeds are such that no sum lies at the kink, 0, to within a difference's step.
    for activation in [Activation::Relu, Activation::LeakyRelu(0.3)] {
        for features in [20, 300] {
            check("kinked", [3, features, 10])
                .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], Some(v[2]), activation)?]));
        }
    }
}

#[test]
fn without_bias_there_are_two_gradients() {
    Check::new("no bias")
        .input(normal([5, 300], 1))
        .input(normal([300, 3], 2))
        .terms(300)
        .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], None, Activation::Tanh)?]));
}

#[test]
fn halves_give_floats() {
    for [batch, features, out] in [[1, 1, 1], [2, 31, 33], [33, 8, 32], [3, 1200, 20], [5, 301, 3]] {
        Check::new(&format!("halves, {batch} x {features} -> {out}"))
            .input(halves(&normal([batch, features], 1)))
            .input(halves(&normal([features, out], 2)))
            .input(normal([out], 3))
            .terms(features + 1)
            .without_gradients()
            .variants(&TILES)
            .run(|graph, v| {
                let (x, weight) = (graph.cast(v[0], DType::F16)?, graph.cast(v[1], DType::F16)?);
                let y = graph.dense(x, weight, Some(v[2]), Activation::Relu)?;
                assert_eq!(graph.ty(y).dtype, DType::F32);
                Ok(vec![y])
            });
    }
}

#[test]
fn folded_grid() {
    check("many splits", [5, 1200, 3])
        .folded()
        .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], Some(v[2]), Activation::Linear)?]));
    check("many tiles", [100, 9, 130])
        .folded()
        .run(|graph, v| Ok(vec![graph.dense(v[0], v[1], Some(v[2]), Activation::Linear)?]));
}

#[test]
fn errors_name_the_shapes() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([8, 20]));
    let weight = graph.input("weight", TensorType::f32([21, 5]));
    let bias = graph.input("bias", TensorType::f32([4]));
    let message = graph.dense(x, weight, None, Activation::Linear).unwrap_err().to_string();
    assert_eq!(message, "dense: x has 20 features but weight expects 21 (x: [8, 20], weight: [21, 5])");
    let fitting = graph.input("fitting", TensorType::f32([20, 5]));
    let message = graph.dense(x, fitting, Some(bias), Activation::Linear).unwrap_err().to_string();
    assert!(message.contains("[4]") && message.contains("[5]"), "{message}");
    assert!(graph.dense(bias, fitting, None, Activation::Linear).is_err());
    assert!(graph.dense(x, fitting, None, Activation::LeakyRelu(-1.0)).is_err());
}
