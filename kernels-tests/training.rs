//! A whole training step in one plan: what it costs in submissions, buffers and memory.

use lookalike::Device;
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::Adam;
use lookalike::tensor::{Data, HostTensor, TensorType};

const SLOTS: usize = 64;

/// A classifier that learns one logit per row and class, with all that a training loop has.
struct Training {
    device: Device,
    params: Params,
    plan: Plan,
}

impl Training {
    /// On a device of its own: counters count what every plan on a device does.
    fn new() -> Training {
        let name = std::env::var("LOOKALIKE_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
        let device = Device::named(&name).expect("scripts/test installs a software driver");
        let params = Params::new(&device);
        let mut graph = Graph::new();
        let targets = graph.input("targets", TensorType::f32([8, 3]));
        let mut state = |name: &str, ty, value| graph.state_filled(name, ty, value).unwrap();
        let w = state("w", TensorType::f32([8, 3]), 0.0);
        let moments = state("w/moments", TensorType::f32([2, 8, 3]), 0.0);
        let rate = state("rate", TensorType::f32([1]), 0.1);
        let step = state("step", TensorType::u32([1]), 0.0);
        let ring = state("ring", TensorType::f32([SLOTS, 2]), 0.0);
        let build = |graph: &mut Graph| {
            let loss = graph.softmax_cross_entropy(w, targets, None, 0.0)?;
            let correct = graph.correct(w, targets)?;
            let dw = graph.gradients(loss, &[w])?[0];
            graph.adam(&[[w, dw, moments]], step, rate, Adam::default())?;
            graph.record(ring, step, &[loss, correct])?;
            graph.increment(step)?;
            Plan::new(graph, &params, &[])
        };
        let plan = build(&mut graph).unwrap();
        Training { device, params, plan }
    }

    fn step(&mut self) {
        let targets = (0..24).map(|i| if i % 3 == i / 3 % 3 { 1.0 } else { 0.0 }).collect();
        self.plan.write("targets", &Data::F32(targets)).unwrap();
        self.plan.run().unwrap();
    }

    /// Loss and count of correct rows at each of the last steps.
    fn metrics(&self) -> Vec<[f32; 2]> {
        self.params.get("ring").unwrap().to_f32().chunks(2).map(|slot| [slot[0], slot[1]]).collect()
    }
}

#[test]
fn a_step_is_one_submission_and_makes_nothing() {
    let mut training = Training::new();
    let gpu = training.device.gpu().expect("it was opened by name").clone();
    training.step();
    let made = (gpu.buffers_created(), gpu.pipelines_compiled());
    for _ in 1..50 {
        let before = gpu.submissions();
        training.step();
        assert_eq!(gpu.submissions(), before + 1);
    }
    assert_eq!((gpu.buffers_created(), gpu.pipelines_compiled()), made);

    let metrics = training.metrics();
    assert_eq!(training.params.get("step").unwrap(), HostTensor::new([1], vec![50u32]));
    approx::assert_relative_eq!(metrics[0][0], 3f32.ln(), max_relative = 1e-6);
    assert!(metrics[..50].windows(2).all(|pair| pair[1][0] < pair[0][0]), "the loss falls at each step");
    assert_eq!(metrics[49][1], 8.0, "all rows are right in the end");
    assert_eq!(metrics[50], [0.0, 0.0], "later slots are untouched");
}

/// Names the process that runs this test alone, since memory is counted for a whole process.
#[cfg(target_os = "linux")]
const ALONE: &str = "LOOKALIKE_TEST_ALONE";

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_over_2000_steps() {
    if std::env::var_os(ALONE).is_none() {
        let program = std::env::current_exe().expect("the test program has a path");
        let status = std::process::Command::new(program)
            .args(["--exact", "training::memory_does_not_grow_over_2000_steps"])
            .env(ALONE, "1")
            .status()
            .expect("the test program runs");
        assert!(status.success());
        return;
    }
    let mut training = Training::new();
    let mut run = |steps: usize| {
        for step in 1..=steps {
            training.step();
            if step.is_multiple_of(SLOTS) {
                training.metrics();
            }
        }
        training.metrics();
        resident()
    };
    let before = run(200);
    let grown = run(2000).saturating_sub(before);
    assert!(grown <= 8 << 20, "2,000 steps took {grown} bytes more");
}

/// Bytes of this process in memory.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    const PAGE: usize = 4096;
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let resident = pages.split_whitespace().nth(1).expect("statm has seven numbers");
    resident.parse::<usize>().expect("statm holds numbers") * PAGE
}
