//! Counting, adding up and starting again, in place.

use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::{HostTensor, TensorType};

#[test]
fn increment() {
    for value in [0, 41, u32::MAX] {
        Check::new(&format!("from {value}"))
            .state("counter", HostTensor::new([1], vec![value]))
            .without_gradients()
            .run(|graph, v| graph.increment(v[0]).map(|()| vec![]));
    }
}

#[test]
fn accumulate_and_reset_around_a_workgroup() {
    for len in [1, 255, 256, 257] {
        Check::new(&format!("accumulate {len}"))
            .input(normal([len], 1))
            .state("sum", normal([len], 2))
            .without_gradients()
            .run(|graph, v| graph.accumulate(v[1], v[0]).map(|()| vec![]));
        Check::new(&format!("reset {len}"))
            .state("state", normal([len], 1))
            .without_gradients()
            .run(|graph, v| graph.reset(v[0]).map(|()| vec![]));
    }
}

#[test]
fn folded_grid() {
    Check::new("accumulate and reset")
        .input(normal([3, 7, 100], 1))
        .state("sum", normal([3, 7, 100], 2))
        .state("state", normal([3, 7, 100], 3))
        .without_gradients()
        .folded()
        .run(|graph, v| {
            graph.accumulate(v[1], v[0])?;
            graph.reset(v[2])?;
            Ok(vec![])
        });
}

#[test]
fn a_state_changes_after_its_readers() {
    Check::new("old + value is read before the update")
        .input(normal([5], 1))
        .state("sum", normal([5], 2))
        .without_gradients()
        .run(|graph, v| {
            graph.accumulate(v[1], v[0])?;
            Ok(vec![graph.add(v[1], v[0])?])
        });
}

#[test]
fn other_types_are_refused() {
    let mut graph = Graph::new();
    let x = graph.state("x", TensorType::f32([2])).unwrap();
    let y = graph.input("y", TensorType::f32([3]));
    let counters = graph.state("counters", TensorType::u32([2])).unwrap();
    assert_eq!(
        graph.accumulate(x, y).unwrap_err().to_string(),
        "accumulate: the value is f32 [3], expected f32 [2]"
    );
    assert_eq!(
        graph.increment(counters).unwrap_err().to_string(),
        "increment: the counter is u32 [2], expected u32 [1]"
    );
    assert!(graph.reset(counters).is_err());
    assert!(graph.reset(y).unwrap_err().to_string().contains("must be a state"));
}
