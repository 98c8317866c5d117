//! What was measured, as one document.

use serde_json::{Value, json};

use super::ceilings::{Ceiling, Ceilings};
use super::measure::Measured;
use super::roofline::{Point, Roof};
use super::variants::{Contest, Variant};
use crate::Device;
use crate::check::Times;
use crate::gpu::AdapterKind;
use crate::graph::Traffic;
use crate::profile::Clock;

/// What a document calls itself; another number is another format.
pub const FORMAT: &str = "lookalike-bench-1";

/// Operators that ran in one plan.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are part of.
    pub title: String,
    /// The operators, in the order in which they ran.
    pub rows: Vec<Measured>,
}

/// A whole network.
#[derive(Clone, Debug)]
pub struct Whole {
    /// As the group of its operators.
    pub title: String,
    /// Pictures of a run.
    pub batch: usize,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes moved, and the least possible.
    pub traffic: Traffic,
    /// Seconds of each run by the host's clock, with inputs written and outputs read.
    pub seconds: Vec<f64>,
}

/// All that was measured on a device.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The device.
    pub device: Device,
    /// What it can do at best.
    pub ceilings: Ceilings,
    /// Operators.
    pub groups: Vec<Group>,
    /// Networks.
    pub wholes: Vec<Whole>,
    /// Kernel variants side by side.
    pub contests: Vec<Contest>,
}

impl Measured {
    /// Its place under the roof, by the median.
    pub fn point(&self) -> Point {
        Point { flops: self.flops, bytes: self.bytes, seconds: self.median() }
    }
}

impl Whole {
    /// The time that half of the runs stay below.
    pub fn median(&self) -> f64 {
        Times(self.seconds.clone()).median()
    }

    /// Its place under the roof, by the median.
    pub fn point(&self) -> Point {
        Point { flops: self.flops, bytes: self.traffic.moved, seconds: self.median() }
    }

    /// Pictures in a second.
    pub fn pictures_per_second(&self) -> f64 {
        self.batch as f64 / self.median()
    }
}

impl Bench {
    /// The roof of its device.
    pub fn roof(&self) -> Roof {
        Roof { memory: self.ceilings.memory.rate, compute: self.ceilings.compute.rate }
    }

    /// Where and by what was measured, a line each.
    pub fn facts(&self) -> [String; 3] {
        let Ceilings { memory, compute, half, matrices } = &self.ceilings;
        let name = format!("lookalike {}, {}", env!("CARGO_PKG_VERSION"), system());
        let rate =
            |ceiling: &Ceiling, unit: &str| format!("{:.1} {unit} ({})", ceiling.rate / 1e9, ceiling.how);
        let mut ceilings = vec![rate(memory, "GB/s"), rate(compute, "GFLOP/s in f32")];
        ceilings.extend(half.as_ref().map(|half| rate(half, "GFLOP/s in f16")));
        ceilings.extend(matrices.as_ref().map(|matrices| rate(matrices, "GFLOP/s on matrices")));
        [
            format!("{}; {name}", self.device),
            format!("operators are timed by {}", self.device.clock()),
            format!("ceilings: {}", ceilings.join(", ")),
        ]
    }

    /// Everything, with all times.
    pub fn document(&self) -> Value {
        let rows =
            |group: &Group| group.rows.iter().map(|row| self.row(&group.title, row)).collect::<Vec<_>>();
        let operators: Vec<Value> = self.groups.iter().flat_map(rows).collect();
        let variants: Vec<Value> = self.contests.iter().flat_map(|contest| self.variants(contest)).collect();
        let failed: Vec<Value> = self.contests.iter().flat_map(failed).collect();
        json!({
            "format": FORMAT,
            "lookalike": env!("CARGO_PKG_VERSION"),
            "system": system(),
            "device": self.facts_of_device(),
            "clock": match self.device.clock() {
                Clock::Timestamps => "timestamps",
                Clock::QueueWaits => "queue-waits",
                Clock::Host => "host",
            },
            "ceilings": {
                "memory": ceiling(&self.ceilings.memory),
                "compute": ceiling(&self.ceilings.compute),
                "half": self.ceilings.half.as_ref().map(ceiling),
                "matrices": self.ceilings.matrices.as_ref().map(ceiling),
            },
            "operators": operators,
            "networks": self.wholes.iter().map(network).collect::<Vec<_>>(),
            "variants": variants,
            "variants_that_failed": failed,
        })
    }

    fn facts_of_device(&self) -> Value {
        let threads = rayon::current_num_threads();
        let Some(gpu) = self.device.gpu() else {
            return json!({"name": "cpu", "kind": "cpu", "backend": null, "driver": null, "threads": threads});
        };
        let info = gpu.info();
        json!({
            "name": info.name,
            "kind": match info.kind {
                AdapterKind::Discrete => "discrete",
                AdapterKind::Integrated => "integrated",
                AdapterKind::Virtual => "virtual",
                AdapterKind::Other => "other",
                AdapterKind::Software => "software",
            },
            "backend": info.backend,
            "driver": info.driver,
            "threads": threads,
        })
    }

    fn variants(&self, contest: &Contest) -> Vec<Value> {
        let row = |(place, variant): (usize, &Variant)| {
            let mut row = self.row(&contest.title, &variant.row);
            row["layer"] = contest.layer().into();
            row["problem"] = contest.problem.as_str().into();
            row["variant"] = variant.name.into();
            row["by_table"] = variant.by_table.into();
            row["by_tuning"] = variant.by_tuning.into();
            row["fastest"] = (place == 0).into();
            row
        };
        contest.variants.iter().enumerate().map(row).collect()
    }

    fn row(&self, work: &str, row: &Measured) -> Value {
        let (roof, point) = (self.roof(), row.point());
        json!({
            "work": work,
            "layer": &*row.layer,
            "operator": row.operator,
            "inputs": &*row.inputs,
            "kernels": row.kernels,
            "flops": row.flops,
            "bytes": row.bytes,
            "seconds": row.seconds,
            "median": point.seconds,
            "flops_per_second": point.flops_per_second(),
            "bytes_per_second": point.bytes_per_second(),
            "share_of_roof": roof.share(&point),
            "bound": roof.bound(&point).to_string(),
        })
    }
}

fn failed(contest: &Contest) -> Vec<Value> {
    let entry = |(variant, problem): &(&'static str, String)| {
        json!({
            "work": contest.title,
            "layer": contest.layer(),
            "operator": contest.operator,
            "inputs": contest.inputs,
            "variant": variant,
            "error": problem,
        })
    };
    contest.failed.iter().map(entry).collect()
}

fn system() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}

fn ceiling(ceiling: &Ceiling) -> Value {
    json!({
        "rate": ceiling.rate,
        "how": ceiling.how,
        "amount": ceiling.amount,
        "seconds": ceiling.seconds,
    })
}

fn network(whole: &Whole) -> Value {
    json!({
        "work": whole.title,
        "batch": whole.batch,
        "flops": whole.flops,
        "bytes": whole.traffic.moved,
        "least_bytes": whole.traffic.least,
        "seconds": whole.seconds,
        "median": whole.median(),
        "pictures_per_second": whole.pictures_per_second(),
    })
}
