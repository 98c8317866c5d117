//! The ring of metrics.

use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::tensor::{HostTensor, TensorType};

#[test]
fn a_slot_is_written_and_the_others_stay() {
    for (slots, step) in [(1, 0), (1, 9), (5, 0), (5, 4), (5, 5), (5, u32::MAX)] {
        Check::new(&format!("{slots} slots, step {step}"))
            .input(normal([], 1))
            .input(normal([1], 2))
            .input(normal([], 3))
            .state("ring", normal([slots, 3], 4))
            .state("step", HostTensor::new([1], vec![step]))
            .without_gradients()
            .run(|graph, v| graph.record(v[3], v[4], &v[..3]).map(|()| vec![]));
    }
}

#[test]
fn the_old_step_counts_where_it_is_incremented() {
    Check::new("record and increment")
        .input(normal([], 1))
        .state("ring", normal([4, 1], 2))
        .state("step", HostTensor::new([1], vec![2u32]))
        .without_gradients()
        .run(|graph, v| {
            graph.increment(v[2])?;
            graph.record(v[1], v[2], &[v[0]])?;
            Ok(vec![])
        });
}

#[test]
fn misfits_are_refused() {
    let mut graph = Graph::new();
    let ring = graph.state("ring", TensorType::f32([4, 2])).unwrap();
    let step = graph.state("step", TensorType::u32([1])).unwrap();
    let (loss, wide) = (graph.input("loss", TensorType::f32([])), graph.input("wide", TensorType::f32([2])));
    let mut problem = |values: &[_]| graph.record(ring, step, values).unwrap_err().to_string();
    assert_eq!(problem(&[loss]), "record: 1 values do not fill a slot of the ring, f32 [4, 2]");
    assert_eq!(problem(&[loss, wide]), "record: value 1 is f32 [2], expected one element");
}
