//! Checks of kernel variants on the device that is to use them.

use lookalike::Device;
use lookalike::check::{gpu, selftest, verified_tensor_cores, verify};
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

/// A variant that failed its last check is left out by every plan on that adapter, but for those that ask for it by name.
#[test]
fn what_failed_is_left_out_until_it_passes() {
    let cache = tempfile::tempdir().unwrap();
    let name = &gpu().gpu().unwrap().info().name;
    let options = GpuOptions { cache: Some(cache.path().into()), ..GpuOptions::default() };
    let open = || Device::named_with(name, &options).unwrap();
    let mut told = 0;
    let first = selftest(&open(), &mut |_| told += 1);
    assert!(first.passed() && first.barred.is_empty(), "{:?}", first.outcomes);
    assert_eq!(told, first.outcomes.len());
    let checked = |variant| first.outcomes.iter().filter(|outcome| outcome.variant == variant).count();
    assert!(checked(None) > 20 && checked(Some("tile-64")) > 5 && checked(Some("winograd-4")) > 1);

    // As if it had failed.
    let file = first.file.unwrap();
    let mut known: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    known["barred"] = serde_json::json!({"tile-64": "element 3 is off", "tile-32": "all are off"});
    std::fs::write(&file, known.to_string()).unwrap();
    let again = open();
    let offered = candidates(&again);
    assert!(!offered.contains(&"tile-64") && offered.contains(&"tile-128"), "{offered:?}");
    assert!(offered.contains(&"tile-32"), "something has to compute: {offered:?}");
    assert!(candidates(&again.preferring("tile-64")).contains(&"tile-64"));

    assert!(selftest(&again, &mut |_| ()).passed());
    assert!(candidates(&open()).contains(&"tile-64"));
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
