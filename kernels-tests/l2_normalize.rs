//! `l2_normalize`.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::{HostTensor, TensorType};

#[test]
fn rows_and_lengths() {
    for (name, shape) in [
        ("one row", [1, 7]),
        ("one above a workgroup of rows of 2", [129, 2]),
        ("one below a workgroup of rows", [15, 10]),
        ("a workgroup of rows", [16, 10]),
        ("one above a workgroup of rows", [17, 10]),
        ("an embedding", [3, 128]),
        ("one below a workgroup's length", [2, 255]),
        ("one above a workgroup's length", [2, 257]),
        ("long rows", [2, 3001]),
    ] {
        Check::new(name)
            .input(normal(shape, 1))
            .terms(shape[1])
            .run(|graph, v| Ok(vec![graph.l2_normalize(v[0])?]));
    }
}

/// Each number is divided by itself, so the gradient is 0: a difference whose rounding errors nothing bounds.
#[test]
fn rows_of_one_number() {
    Check::new("as many as threads, and one")
        .input(normal([257, 1], 1))
        .without_gradients()
        .run(|graph, v| Ok(vec![graph.l2_normalize(v[0])?]));
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(normal([8 * 16, 10], 3))
        .terms(10)
        .folded()
        .run(|graph, v| Ok(vec![graph.l2_normalize(v[0])?]));
}

#[test]
fn next_to_nothing_is_divided_by_a_constant() {
    // keras.layers.UnitNormalization()([[0, 0], [3e-7, -4e-7]]): 0, 0, 0.3, -0.4
    Check::new("rows shorter than the bound")
        .input(HostTensor::new([2, 2], vec![0.0f32, 0.0, 3e-7, -4e-7]))
        .without_gradients()
        .run(|graph, v| {
            let y = graph.l2_normalize(v[0])?;
            let dy = graph.fill([2, 2], 1e-6)?;
            Ok(vec![y, graph.gradients_of(&[(y, dy)], &[v[0]])?[0]])
        });
}

#[test]
fn wrong_ranks_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([2, 3, 4]));
    let problem = graph.l2_normalize(x).unwrap_err();
    assert!(matches!(&problem, Error::Shape { op: "l2_normalize", .. }), "{problem}");
    assert!(problem.to_string().contains("[2, 3, 4]"), "{problem}");
}
