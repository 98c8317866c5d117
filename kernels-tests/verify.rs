//! Checks of kernel variants on the device that is to use them.

use lookalike::Device;
use lookalike::check::{gpu, verified_tensor_cores, verify};
use lookalike::gpu::GpuOptions;
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Activation, tensor_core_variants};
use lookalike::tensor::TensorType;

/// Candidates for a dense layer that fills several tiles of each variant.
fn candidates(device: &Device) -> Vec<&'static str> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([512, 512]));
    let weight = graph.input("weight", TensorType::f32([512, 512]));
    let y = graph.dense(x, weight, None, Activation::Linear).unwrap();
    let plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
    plan.choices()[0].candidates.clone()
}

#[test]
fn every_variant_passes() {
    for variant in ["tile-32", "tile-64", "tile-128", "narrow", "winograd-2", "winograd-4"] {
        verify(gpu(), variant).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn a_variant_that_is_not_offered_fails() {
    let failure = verify(gpu(), "tile-7").unwrap_err().to_string();
    assert!(failure.ends_with("variant tile-7 is not offered"), "{failure}");
}

/// On this device, as far as its driver has tensor cores: Mesa's lavapipe has in 26.1.
#[test]
fn tensor_cores_are_used_once_they_passed() {
    let name = &gpu().gpu().unwrap().info().name;
    let closed = Device::named(name).unwrap();
    assert!(tensor_core_variants(&closed).is_empty(), "nobody opted in");

    let options = GpuOptions { tensor_cores: true, ..GpuOptions::default() };
    let open = Device::named_with(name, &options).unwrap();
    let variants = tensor_core_variants(&open);
    if variants.is_empty() {
        println!("NOT RUN: {open} has no matrices that there are kernels for");
    }
    assert!(candidates(&open).iter().all(|candidate| !variants.contains(candidate)), "not checked yet");
    let (verified, results) = verified_tensor_cores(&open);
    assert_eq!(results.len(), variants.len());
    for (variant, result) in results {
        result.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(candidates(&verified).contains(&variant));
        assert!(verify(&closed, variant).is_err(), "{variant} on a device that was not opened for it");
    }
}
