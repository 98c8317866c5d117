//! The kernels that a device's ceilings are measured with compute what they say.

use lookalike::Device;
use lookalike::check::bench::ceilings::{Floats, copy, multiply_add, multiply_matrices};
use lookalike::check::bench::{Ceilings, Effort};
use lookalike::check::{Check, gpu, uniform};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::tensor_core_variants;
use lookalike::tensor::{Data, HostTensor, TensorType};

#[test]
fn copies_are_copies() {
    for len in [4, 1020, 1024, 1028] {
        Check::new(&format!("{len} floats"))
            .input(uniform([len], 1, -1.0, 1.0))
            .without_gradients()
            .run(|graph, v| Ok(vec![copy(graph, v[0])?]));
    }
    Check::new("a folded grid")
        .input(uniform([100, 101], 2, -1.0, 1.0))
        .without_gradients()
        .folded()
        .run(|graph, v| Ok(vec![copy(graph, v[0])?]));
}

#[test]
fn every_step_is_computed() {
    // A step less moves each number by a thousandth of its distance from 1: a hundred times what rounding may.
    for (len, rounds) in [(1, 0), (255, 1), (256, 2), (257, 5), (2000, 3)] {
        Check::new(&format!("{len} floats, {rounds} rounds"))
            .input(uniform([len], 3, 10.0, 20.0))
            .terms(16 * (8 * rounds as usize + 1))
            .without_gradients()
            .run(|graph, v| Ok(vec![multiply_add(graph, v[0], rounds, Floats::Single)?]));
    }
}

/// In f16 all numbers are exact: a step less moves each chain by 1/1024.
#[test]
fn every_step_is_computed_in_half_floats() {
    if !gpu().has_f16() {
        println!("skipped: {} does not compute in 16-bit floats", gpu());
        return;
    }
    for (len, rounds) in [(1, 0), (255, 1), (257, 5), (1000, 7)] {
        let x: Vec<f32> = (0..len).map(|i| (i % 64) as f32 / 1024.0).collect();
        Check::new(&format!("{len} floats, {rounds} rounds"))
            .input(HostTensor::new([len], x))
            .without_gradients()
            .run(|graph, v| Ok(vec![multiply_add(graph, v[0], rounds, Floats::Half)?]));
    }
}

/// All numbers are exact: a step less moves each chain by 1/1024.
#[test]
fn every_product_of_matrices_is_computed() {
    let variants = tensor_core_variants(gpu());
    if variants.is_empty() {
        println!("NOT RUN: {} has no matrices that there are kernels for", gpu());
    }
    for variant in variants {
        for (len, rounds) in [(1, 0), (255, 1), (257, 5), (5000, 3)] {
            let mut graph = Graph::new();
            let x = graph.input("x", TensorType::f32([len]));
            let y = multiply_matrices(&mut graph, x, rounds, variant).unwrap();
            let values: Vec<f32> = (0..len).map(|i| (i % 64) as f32 / 1024.0).collect();
            let run = |device: &Device| {
                let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
                plan.write("x", &Data::F32(values.clone())).unwrap();
                plan.run().unwrap();
                plan.read(y).unwrap().to_f32()
            };
            assert_eq!(run(gpu()), run(&Device::cpu()), "{variant}, {len} floats, {rounds} rounds");
        }
    }
}

#[test]
fn ceilings_are_measured() {
    let effort = Effort { seconds: 0.0, runs: 1 };
    for device in [gpu().clone(), Device::cpu()] {
        let Ceilings { memory, compute, half, matrices } =
            Ceilings::measure(&device, &effort).expect("rates");
        // No machine that runs these tests is slower, or as fast.
        assert!(memory.rate > 1e8 && memory.rate < 1e14, "{memory:?}");
        assert!(compute.rate > 1e8 && compute.rate < 1e16, "{compute:?}");
        assert_eq!(half.is_some(), device.gpu().is_some_and(|gpu| gpu.has_f16()));
        assert!(half.is_none_or(|half| half.rate > 1e8 && half.rate < 1e16));
        assert_eq!(matrices.is_some(), !tensor_core_variants(&device).is_empty());
        assert!(matrices.is_none_or(|matrices| matrices.rate > 1e7 && matrices.rate < 1e17));
        assert_eq!((memory.seconds.len(), compute.seconds.len()), (1, 1));
    }
}
