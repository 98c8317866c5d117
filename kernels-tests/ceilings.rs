//! The kernels that a device's ceilings are measured with compute what they say.

use lookalike::Device;
use lookalike::check::bench::ceilings::{copy, multiply_add};
use lookalike::check::bench::{Ceilings, Effort};
use lookalike::check::{Check, gpu, uniform};

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
            .run(|graph, v| Ok(vec![multiply_add(graph, v[0], rounds)?]));
    }
}

#[test]
fn ceilings_are_measured() {
    let effort = Effort { seconds: 0.0, runs: 1 };
    for device in [gpu().clone(), Device::cpu()] {
        let Ceilings { memory, compute } = Ceilings::measure(&device, &effort).expect("rates");
        // No machine that runs these tests is slower, or as fast.
        assert!(memory.rate > 1e8 && memory.rate < 1e14, "{memory:?}");
        assert!(compute.rate > 1e8 && compute.rate < 1e16, "{compute:?}");
        assert_eq!((memory.seconds.len(), compute.seconds.len()), (1, 1));
    }
}
