//! What computing takes, by operator: plans on a device with a [`Profiler`] report each dispatch to it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a dispatch is for, and how much it does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// The layer that appended its operator, or that of the operator it is the gradient of; empty outside of layers.
    pub layer: Arc<str>,
    /// The operator.
    pub operator: &'static str,
    /// Types of the operator's inputs: `f32 [16, 224, 224, 3], f32 [3, 3, 3, 16]`.
    pub inputs: Arc<str>,
    /// Number of the operator in its graph: an operator may take several dispatches.
    pub node: usize,
    /// `shader/entry_point`.
    pub kernel: String,
    /// Floating-point operations; an operator's are divided evenly among its dispatches.
    pub flops: u64,
    /// Bytes that cross memory if each tensor it binds does so once: what it reads, what it writes, and both ways what
    /// it updates in place.
    pub bytes: u64,
}

/// Time of one dispatch.
#[derive(Clone, Debug)]
pub struct KernelTime {
    /// What was dispatched.
    pub work: Work,
    /// Seconds, by the device's [`Clock`].
    pub seconds: f64,
}

/// What dispatches are timed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The GPU's own timestamps, before and after each dispatch.
    Timestamps,
    /// The host's clock, from the submission of each dispatch until the GPU's queue is empty: a lower bound of speed.
    QueueWaits,
    /// The host's clock, around a call on the CPU.
    Host,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clock::Timestamps => "timestamps of the GPU",
            Clock::QueueWaits => {
                "waits for the queue, as this adapter has no timestamps: each time is too long"
            }
            Clock::Host => "the host's clock",
        })
    }
}

/// What one operator of one layer took in all runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// The layer, empty outside of layers.
    pub layer: Arc<str>,
    /// The operator.
    pub operator: &'static str,
    /// Its kernels, in the order of their first dispatch.
    pub kernels: Vec<String>,
    /// Dispatches.
    pub dispatches: u64,
    /// Seconds.
    pub seconds: f64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes, as in [`Work`].
    pub bytes: u64,
}

impl Spent {
    /// Layer and kernels, as a profile shows them: `conv1 · conv2d_weight_gradient/tile-32`.
    pub fn name(&self) -> String {
        name(&self.layer, self.operator, &self.kernels)
    }
}

/// Layer and kernels, as profiles show them: `conv1 · conv2d_weight_gradient/tile-32`; with the operator where it runs
/// on a kernel of another name: `dense1 · dense: matmul/tile-32`.
pub fn name(layer: &str, operator: &str, kernels: &[String]) -> String {
    let mut name = if layer.is_empty() { String::new() } else { format!("{layer} · ") };
    let shader = kernels.first().and_then(|kernel| kernel.split('/').next()).unwrap_or_default();
    if !operator.replace([' ', '-'], "_").starts_with(shader) {
        name += &format!("{operator}: ");
    }
    name + &kernels.join(" + ")
}

/// Adds up what dispatches report. Any thread may report: plans that run at the same time count in full.
#[derive(Debug, Default)]
pub struct Profiler(Mutex<BTreeMap<(Arc<str>, &'static str), Spent>>);

impl Profiler {
    /// Adds the dispatches of a run.
    pub fn record(&self, times: &[KernelTime]) {
        let mut all = self.lock();
        for KernelTime { work, seconds } in times {
            let spent = all.entry((work.layer.clone(), work.operator)).or_insert_with(|| Spent {
                layer: work.layer.clone(),
                operator: work.operator,
                ..Spent::default()
            });
            if !spent.kernels.contains(&work.kernel) {
                spent.kernels.push(work.kernel.clone());
            }
            spent.dispatches += 1;
            spent.seconds += seconds;
            spent.flops += work.flops;
            spent.bytes += work.bytes;
        }
    }

    /// What was reported, the longest first.
    pub fn spent(&self) -> Vec<Spent> {
        let mut spent: Vec<Spent> = self.lock().values().cloned().collect();
        spent.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        spent
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Arc<str>, &'static str), Spent>> {
        self.0.lock().expect("nothing panics while it adds")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatches_of_an_operator_are_one_row() {
        let time = |layer: &str, operator, kernel: &str, seconds| KernelTime {
            work: Work {
                layer: layer.into(),
                operator,
                kernel: kernel.into(),
                flops: 10,
                bytes: 4,
                ..Work::default()
            },
            seconds,
        };
        let profiler = Profiler::default();
        for _ in 0..2 {
            profiler.record(&[
                time("conv1", "conv2d", "conv2d/forward", 1.0),
                time("conv1", "conv2d", "column_sum/tall", 0.5),
                time("conv2", "conv2d", "conv2d/forward", 4.0),
                time("", "increment", "update/increment", 0.1),
                time("", "softmax cross-entropy", "softmax_cross_entropy/loss", 0.01),
            ]);
        }
        let spent = profiler.spent();
        let names: Vec<String> = spent.iter().map(Spent::name).collect();
        let expected = [
            "conv2 · conv2d/forward",
            "conv1 · conv2d/forward + column_sum/tall",
            "increment: update/increment",
            "softmax_cross_entropy/loss",
        ];
        assert_eq!(names, expected);
        assert_eq!((spent[1].dispatches, spent[1].seconds, spent[1].flops, spent[1].bytes), (4, 3.0, 40, 16));
    }
}
