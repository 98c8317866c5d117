//! Counting rows that agree, also with ties.

use lookalike::check::{Check, integers, normal};
use lookalike::graph::Graph;
use lookalike::tensor::{HostTensor, TensorType};

#[test]
fn around_a_workgroup() {
    for (rows, classes) in [(1, 1), (1, 2), (7, 5), (255, 3), (256, 3), (257, 3), (600, 2)] {
        Check::new(&format!("{rows} rows of {classes}"))
            .input(normal([rows, classes], 1))
            .input(normal([rows, classes], 2))
            .without_gradients()
            .run(|graph, v| Ok(vec![graph.correct(v[0], v[1])?]));
    }
}

#[test]
fn of_equals_the_first_wins() {
    let few = |seed| HostTensor::new([300, 4], integers([300, 4], seed, 2).to_f32());
    Check::new("many ties")
        .input(few(1))
        .input(few(2))
        .without_gradients()
        .run(|graph, v| Ok(vec![graph.correct(v[0], v[1])?]));
    Check::new("one tie")
        .input(HostTensor::new([2, 3], vec![1.0f32, 2.0, 2.0, 5.0, 5.0, 5.0]))
        .input(HostTensor::new([2, 3], vec![0.0f32, 1.0, 0.0, 0.0, 0.0, 1.0]))
        .without_gradients()
        .run(|graph, v| Ok(vec![graph.correct(v[0], v[1])?]));
}

#[test]
fn other_shapes_are_refused() {
    let mut graph = Graph::new();
    let logits = graph.input("logits", TensorType::f32([4, 3]));
    let targets = graph.input("targets", TensorType::f32([3, 4]));
    let problem = graph.correct(logits, targets).unwrap_err().to_string();
    assert_eq!(problem, "correct: targets is f32 [3, 4], expected f32 [4, 3]");
}
