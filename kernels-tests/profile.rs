//! A profiled run computes what any other does, and every dispatch of it is accounted for, by whatever clock there is.

use std::sync::Arc;

use lookalike::Device;
use lookalike::check::{gpu, uniform};
use lookalike::gpu::GpuOptions;
use lookalike::graph::{Params, Plan};
use lookalike::models::{ScratchCnn, Workload, scratch_cnn};
use lookalike::profile::{Clock, Profiler};
use lookalike::tensor::{Data, HostTensor};

/// The adapter of the other tests, opened without its timestamps.
fn without_timestamps() -> Device {
    let name = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
    let options = GpuOptions { default_limits: true, no_timestamps: true, ..GpuOptions::default() };
    Device::named_with(&name, &options).expect("it opens without timestamps")
}

/// Three training steps of a small network; its loss and a weight.
fn train(device: &Device) -> (Vec<HostTensor>, Vec<(u64, u64)>) {
    let model = scratch_cnn(&ScratchCnn { size: 12, widths: vec![4, 8], dense: 10, ..ScratchCnn::new(3) });
    let Workload { graph, outputs, .. } = Workload::training(&model, 5).expect("a graph");
    let params = Params::new(device);
    model.initialize(&params, 1).expect("room");
    let mut plan = Plan::new(&graph, &params, &outputs).expect("a plan");
    let pixels = (0..5 * 12 * 12 * 3).map(|i| (i * 31 % 251) as u8).collect();
    plan.write("x", &Data::U8(pixels)).expect("pictures");
    let targets = uniform([5, 3], 1, 0.0, 1.0).to_f32();
    plan.write("targets", &Data::F32(targets)).expect("targets");
    (0..3).for_each(|_| plan.run().expect("a run"));
    let values = vec![plan.read(outputs[0]).expect("a loss"), params.get("conv1/kernel").expect("a weight")];
    // What depends on states alone runs once, all else in each of the three runs.
    let once = plan.constant_dispatches();
    let counted =
        plan.works().iter().enumerate().map(|(at, work)| (if at < once { 1 } else { 3 }, work.bytes));
    let works = counted.collect();
    (values, works)
}

#[test]
fn profiled_runs_compute_the_same_and_count_everything() {
    for (device, clock) in [
        (Device::cpu(), Clock::Host),
        (gpu().clone(), Clock::Timestamps),
        (without_timestamps(), Clock::QueueWaits),
    ] {
        assert_eq!(device.clock(), clock, "{device}");
        let (expected, works) = train(&device);
        let profiler = Arc::new(Profiler::default());
        let (found, _) = train(&device.clone().profiled(profiler.clone()));
        assert_eq!(found, expected, "{device}, {clock}");

        let spent = profiler.spent();
        assert!(spent.iter().any(|row| row.name().starts_with("conv2 + pool2 · conv2d")), "{spent:#?}");
        assert!(spent.iter().all(|row| row.seconds >= 0.0) && spent[0].seconds > 0.0, "{spent:#?}");
        let dispatches: u64 = spent.iter().map(|row| row.dispatches).sum();
        assert_eq!(dispatches, works.iter().map(|(runs, _)| runs).sum::<u64>());
        let bytes: u64 = spent.iter().map(|row| row.bytes).sum();
        assert_eq!(bytes, works.iter().map(|(runs, bytes)| runs * bytes).sum::<u64>());
    }
}
