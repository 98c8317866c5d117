//! Random words: every device gives those of `random::word`, bit for bit.

use lookalike::check::{Check, gpu};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::random;
use lookalike::tensor::{Data, HostTensor, TensorType};

#[test]
fn around_a_block_and_a_workgroup() {
    for len in [1, 3, 4, 5, 1023, 1024, 1025] {
        Check::new(&format!("{len} words"))
            .input(HostTensor::new([1], vec![7u32]))
            .without_gradients()
            .run(|graph, v| Ok(vec![graph.random_words([len], 1, 0xffff_ffff, v[0])?]));
    }
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(HostTensor::new([1], vec![u32::MAX]))
        .without_gradients()
        .folded()
        .run(|graph, v| Ok(vec![graph.random_words([7 * 1024 + 1], u32::MAX, 3, v[0])?]));
}

#[test]
fn words_on_the_gpu_are_those_of_the_host() {
    let mut graph = Graph::new();
    let step = graph.input("step", TensorType::u32([1]));
    let y = graph.random_words([5, 7, 11], 42, random::stream("dropout_1"), step).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[y]).unwrap();
    plan.write("step", &Data::U32(vec![100_000])).unwrap();
    plan.run().unwrap();
    let expected: Vec<u32> =
        (0..5 * 7 * 11).map(|e| random::word(42, random::stream("dropout_1"), 100_000, e)).collect();
    assert_eq!(plan.read(y).unwrap().data(), &Data::U32(expected));
}

#[test]
fn the_step_is_a_counter() {
    let mut graph = Graph::new();
    let steps = graph.input("steps", TensorType::u32([2]));
    let problem = graph.random_words([3], 0, 0, steps).unwrap_err().to_string();
    assert_eq!(problem, "random: step is u32 [2], expected u32 [1]");
}
