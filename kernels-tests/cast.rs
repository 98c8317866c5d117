//! Floats of another width.

use lookalike::check::{self, Check, halves, normal};
use lookalike::gpu::GpuOptions;
use lookalike::graph::{Graph, Params, Plan};
use lookalike::tensor::{DType, Data, TensorType};
use lookalike::{Device, Error};

#[test]
fn to_halves_and_back() {
    for (name, len) in [("one", 1), ("an odd number", 7), ("below a workgroup", 255), ("above", 257)] {
        Check::new(name).input(normal([len], 1)).without_gradients().run(|graph, v| {
            let half = graph.cast(v[0], DType::F16)?;
            Ok(vec![half, graph.cast(half, DType::F32)?])
        });
    }
}

#[test]
fn hosts_write_halves_as_floats() {
    for device in [&Device::cpu(), check::gpu()].into_iter().filter(|device| device.has_f16()) {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f16([3]));
        let y = graph.cast(x, DType::F32).unwrap();
        let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
        plan.write("x", &Data::F32(vec![0.5, 2049.0, -1e9])).unwrap();
        plan.run().unwrap();
        assert_eq!(plan.read(y).unwrap().to_f32(), [0.5, 2048.0, -65504.0], "{device}");
    }
}

#[test]
fn folded_grid() {
    let check = Check::new("many workgroups").input(halves(&normal([2049], 1))).without_gradients().folded();
    check.run(|graph, v| {
        let half = graph.cast(v[0], DType::F16)?;
        Ok(vec![graph.cast(half, DType::F32)?])
    });
}

fn round_trip(device: &Device, values: &[f32]) -> Vec<f32> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([values.len()]));
    let half = graph.cast(x, DType::F16).unwrap();
    let y = graph.cast(half, DType::F32).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(device), &[y]).unwrap();
    plan.write("x", &Data::F32(values.to_vec())).unwrap();
    plan.run().unwrap();
    plan.read(y).unwrap().to_f32()
}

#[test]
fn what_halves_hold_stays_and_what_is_too_large_becomes_the_largest() {
    let devices = [&Device::cpu(), &Device::reference(), check::gpu()];
    for device in devices.into_iter().filter(|device| device.has_f16()) {
        let kept = [0.0, 1.0, -2.5, 1.0 + 1.0 / 1024.0, 65504.0, -0.000_061_035_156];
        assert_eq!(round_trip(device, &kept), kept, "{device}");
        assert_eq!(round_trip(device, &[1e6, -65_600.0, 3e38]), [65504.0, -65504.0, 65504.0], "{device}");
        assert!(round_trip(device, &[f32::NAN])[0].is_nan(), "{device}");
    }
}

#[test]
fn a_device_without_halves_is_told_before_anything_is_compiled() {
    let name = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
    let options = GpuOptions { no_f16: true, ..GpuOptions::default() };
    let device = Device::named_with(&name, &options).expect("it opens");
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([3]));
    let half = graph.cast(x, DType::F16).unwrap();
    let error = Plan::new(&graph, &Params::new(&device), &[half]).unwrap_err();
    assert!(matches!(&error, Error::Kernel { problem, .. } if problem.contains("16-bit floats")), "{error}");
    assert_eq!(device.gpu().expect("a GPU").pipelines_compiled(), 0);
}

#[test]
fn only_floats_are_cast_and_there_is_no_gradient() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u32([3]));
    assert_eq!(graph.cast(x, DType::F16).unwrap_err().to_string(), "cast: input 0 is u32, expected f16");
    let x = graph.input("y", TensorType::f32([1]));
    assert_eq!(graph.cast(x, DType::F32).unwrap(), x);
    let half = graph.cast(x, DType::F16).unwrap();
    let error = graph.gradients(half, &[x]).unwrap_err();
    assert!(matches!(error, Error::NotDifferentiable("cast")), "{error}");
}
