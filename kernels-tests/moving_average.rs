//! `moving_average`.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::TensorType;

#[test]
fn around_a_workgroup() {
    for len in [1, 255, 256, 257] {
        Check::new(&format!("{len} elements"))
            .input(normal([len], 1))
            .state("average", normal([len], 2))
            .without_gradients()
            .run(|graph, v| {
                graph.moving_average(v[1], v[0], 0.99)?;
                Ok(vec![])
            });
    }
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(normal([3, 7, 100], 1))
        .state("average", normal([3, 7, 100], 2))
        .without_gradients()
        .folded()
        .run(|graph, v| {
            graph.moving_average(v[1], v[0], 0.5)?;
            Ok(vec![])
        });
}

#[test]
fn readers_see_the_old_value() {
    Check::new("a sum with the state")
        .input(normal([5], 1))
        .state("average", normal([5], 2))
        .without_gradients()
        .run(|graph, v| {
            graph.moving_average(v[1], v[0], 0.9)?;
            Ok(vec![graph.add(v[0], v[1])?])
        });
}

#[test]
fn wrong_inputs_are_refused() {
    let mut graph = Graph::new();
    let state = graph.state_filled("average", TensorType::f32([3]), 0.0).unwrap();
    let x = graph.input("x", TensorType::f32([3]));
    let long = graph.input("long", TensorType::f32([4]));
    for (state, value, momentum) in [(state, long, 0.9), (x, x, 0.9), (state, x, 1.1), (state, x, f32::NAN)] {
        let problem = graph.moving_average(state, value, momentum).unwrap_err();
        assert!(matches!(&problem, Error::Shape { op: "moving_average", .. }), "{problem}");
    }
    let problem = graph.moving_average(state, long, 0.9).unwrap_err().to_string();
    assert!(problem.contains("state: [3], value: [4]"), "{problem}");
}
