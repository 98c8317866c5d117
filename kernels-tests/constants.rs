//! Work that depends on states alone: done once, and again after a state has changed.

use lookalike::Device;
use lookalike::check::{gpu, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Conv2d, Padding, Sgd};
use lookalike::tensor::{Data, HostTensor, TensorType};

fn counter(value: u32) -> HostTensor {
    HostTensor::new([1], Data::U32(vec![value]))
}

#[test]
fn only_work_on_states_that_the_plan_leaves_alone_is_constant() {
    let params = Params::new(&Device::cpu());
    let mut graph = Graph::new();
    let mut state = |name: &str| graph.state_filled(name, TensorType::f32([1]), 0.5).unwrap();
    let (frozen, trained, rate) = (state("frozen"), state("trained"), state("rate"));
    let x = graph.input("x", TensorType::f32([1]));
    let twice = graph.add(frozen, frozen).unwrap();
    let four = graph.add(twice, twice).unwrap();
    let of_trained = graph.add(trained, four).unwrap();
    let y = graph.add(of_trained, x).unwrap();
    let frozen_only = Plan::new(&graph, &params, &[y]).unwrap();
    assert_eq!(frozen_only.constant_dispatches(), 3);
    graph.sgd(trained, y, None, rate, Sgd::default()).unwrap();
    let training = Plan::new(&graph, &params, &[y]).unwrap();
    assert_eq!(training.constant_dispatches(), 2);
}

#[test]
fn a_changed_state_is_seen_whoever_changed_it() {
    for device in [gpu().clone(), Device::cpu(), Device::reference()] {
        let params = Params::new(&device);
        params.set("step", &counter(1)).unwrap();
        let mut graph = Graph::new();
        let step = graph.state("step", TensorType::u32([1])).unwrap();
        let words = graph.random_words([4], 7, 1, step).unwrap();
        let mut plan = Plan::new(&graph, &params, &[words]).unwrap();
        assert_eq!(plan.constant_dispatches(), 1);
        let mut counting = Graph::new();
        let step = counting.state("step", TensorType::u32([1])).unwrap();
        counting.increment(step).unwrap();
        let mut counting = Plan::new(&counting, &params, &[]).unwrap();

        let mut value = || {
            plan.run().unwrap();
            plan.read(words).unwrap()
        };
        let first = value();
        assert_eq!(first.data(), value().data());
        counting.run().unwrap();
        let second = value();
        assert_ne!(first.data(), second.data(), "{device}");
        params.set("step", &counter(1)).unwrap();
        assert_eq!(first.data(), value().data(), "{device}");
    }
}

/// What is kept must not share its memory with what comes and goes.
#[test]
fn a_frozen_weight_is_transformed_once() {
    let device = gpu().preferring("winograd-4");
    let params = Params::new(&device);
    let weight = |seed| normal([3, 3, 8, 8], seed);
    params.set("weight", &weight(1)).unwrap();
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1, 9, 9, 8]));
    let w = graph.state("weight", TensorType::f32([3, 3, 8, 8])).unwrap();
    let same = Conv2d { padding: Padding::Same, ..Conv2d::default() };
    let first = graph.conv2d(x, w, None, same).unwrap();
    let second = graph.conv2d(first, w, None, same).unwrap();
    let mut plan = Plan::new(&graph, &params, &[second]).unwrap();
    assert_eq!(plan.constant_dispatches(), 2);
    let mut value = |seed| {
        plan.write("x", normal([1, 9, 9, 8], seed).data()).unwrap();
        plan.run().unwrap();
        plan.read(second).unwrap().to_f32()
    };
    let (first, other) = (value(2), value(3));
    assert_ne!(first, other);
    assert_eq!(first, value(2));
    params.set("weight", &weight(4)).unwrap();
    assert_ne!(first, value(2));
    params.set("weight", &weight(1)).unwrap();
    assert_eq!(first, value(2));
}
