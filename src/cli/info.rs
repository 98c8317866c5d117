//! `lookalike info`: what this machine can run on.

use clap::Args;
use lookalike::gpu::{AdapterInfo, AdapterKind, Gpu};
use lookalike::{Device, Result};
use serde_json::{Value, json};

use super::device::AdapterArguments;
use super::display::{self, say};

/// List the adapters of this machine, and which one would be taken
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike info --json")]
pub struct Arguments {
    #[command(flatten)]
    adapter: AdapterArguments,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.adapter.open(arguments.json)?;
    let adapters = Gpu::adapters();
    let taken = number(&device, &adapters);
    let threads = rayon::current_num_threads();
    if arguments.json {
        return display::json(&document(&adapters, taken, threads));
    }
    let mark = |number: usize| if number == taken { "  <- taken" } else { "" };
    say(format_args!("0  cpu, {threads} threads{}", mark(0)));
    for (index, adapter) in adapters.iter().enumerate() {
        print(index + 1, adapter, mark(index + 1));
    }
    say("Choose with --adapter NAME or NUMBER, or the variable LOOKALIKE_ADAPTER.");
    if adapters.iter().all(|adapter| adapter.kind == AdapterKind::Software) {
        say(
            "There is no GPU with a Vulkan, Metal or DirectX 12 driver. A software driver is slower than the cpu.",
        );
    }
    Ok(())
}

/// The number that `--adapter` knows the device by.
fn number(device: &Device, adapters: &[AdapterInfo]) -> usize {
    let same = |gpu: &AdapterInfo, other: &AdapterInfo| {
        (&gpu.name, &gpu.backend, &gpu.driver) == (&other.name, &other.backend, &other.driver)
    };
    let at = device.gpu().and_then(|gpu| adapters.iter().position(|adapter| same(gpu.info(), adapter)));
    at.map_or(0, |index| index + 1)
}

fn kind(adapter: &AdapterInfo) -> &'static str {
    match adapter.kind {
        AdapterKind::Discrete => "discrete",
        AdapterKind::Integrated => "integrated",
        AdapterKind::Virtual => "virtual",
        AdapterKind::Other => "other",
        AdapterKind::Software => "software",
    }
}

fn print(number: usize, adapter: &AdapterInfo, mark: &str) {
    let features = if adapter.features.is_empty() { "none".into() } else { adapter.features.join(", ") };
    say(format_args!("{number}  {}{mark}", adapter.name));
    say(format_args!("     kind      {}, {}, {}", kind(adapter), adapter.backend, adapter.driver));
    say(format_args!(
        "     limits    largest binding {} MiB, largest buffer {} MiB, workgroup of {} invocations and {} KiB",
        adapter.max_binding >> 20,
        adapter.max_buffer >> 20,
        adapter.invocations,
        adapter.workgroup_memory >> 10,
    ));
    say(format_args!("     features  {features}"));
}

fn document(adapters: &[AdapterInfo], taken: usize, threads: usize) -> Value {
    let adapter = |(index, adapter): (usize, &AdapterInfo)| {
        json!({
            "index": index + 1,
            "name": adapter.name,
            "kind": kind(adapter),
            "backend": adapter.backend,
            "driver": adapter.driver,
            "limits": {
                "max_binding": adapter.max_binding,
                "max_buffer": adapter.max_buffer,
                "workgroup_memory": adapter.workgroup_memory,
                "invocations": adapter.invocations,
            },
            "features": adapter.features,
        })
    };
    let cpu = json!({"index": 0, "name": "cpu", "kind": "cpu", "threads": threads});
    let all: Vec<Value> = std::iter::once(cpu).chain(adapters.iter().enumerate().map(adapter)).collect();
    json!({"adapters": all, "taken": taken})
}
