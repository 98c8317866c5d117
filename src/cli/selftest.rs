//! `lookalike selftest`: whether this machine's GPU computes what it should.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use lookalike::check::{Outcome, SelfTest, selftest};
use lookalike::gpu::GpuOptions;
use lookalike::{Device, Error, Result};
use serde_json::{Value, json};

use super::device::AdapterArguments;
use super::display::{note, say};
use super::output;

/// Check every kernel that this machine's GPU might run against the CPU
///
/// Each operator runs at odd sizes, in every variant that the GPU offers, and is compared with a plain computation in 64 bits.
/// A variant that fails is left out on this adapter from then on, until it passes.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike selftest --adapter nvidia -o selftest.json")]
pub struct Arguments {
    #[command(flatten)]
    adapter: AdapterArguments,
    /// File for all results, to attach to a bug report
    #[arg(short, long, value_name = "FILE.json", default_value = "selftest.json")]
    output: PathBuf,
}

/// Runs them all.
pub fn run(arguments: &Arguments) -> Result<()> {
    let options = GpuOptions { tensor_cores: true, ..GpuOptions::default() };
    let device = arguments.adapter.open_with(options, false)?;
    let start = Instant::now();
    let done = selftest(&device, &mut |outcome| {
        if let Err(problem) = &outcome.result {
            note(format_args!("failed: {}{problem}", variant_of(outcome)));
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    say(table(&done));
    let document = document(&device, &done, seconds);
    output::write(&arguments.output, format!("{document:#}\n").as_bytes())?;
    say(format_args!(
        "{} checks in {seconds:.0} s; all results are in {}",
        done.outcomes.len(),
        arguments.output.display()
    ));
    verdict(&device, &done, arguments)
}

fn variant_of(outcome: &Outcome) -> String {
    outcome.variant.map_or(String::new(), |variant| format!("{variant}, "))
}

/// A line for each variant, and one for all operators without any.
fn table(done: &SelfTest) -> String {
    let mut rows: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for outcome in &done.outcomes {
        let [passed, all] = rows.entry(outcome.variant.unwrap_or("operators without variants")).or_default();
        *passed += usize::from(outcome.result.is_ok());
        *all += 1;
    }
    let line = |(name, [passed, all]): (&&str, &[usize; 2])| {
        let mark = if passed == all { "ok" } else { "FAILED" };
        format!("{name:<28}{passed:>4} of {all:<4}{mark}")
    };
    std::iter::once(format!("{:<28}{:>12}", "kernels", "passed"))
        .chain(rows.iter().map(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn document(device: &Device, done: &SelfTest, seconds: f64) -> Value {
    let outcome = |outcome: &Outcome| {
        json!({
            "case": outcome.case,
            "variant": outcome.variant,
            "passed": outcome.result.is_ok(),
            "problem": outcome.result.as_ref().err().map(ToString::to_string),
            "seconds": outcome.seconds,
        })
    };
    json!({
        "lookalike": env!("CARGO_PKG_VERSION"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "device": device.to_string(),
        "features": device.gpu().map(|gpu| gpu.info().features.clone()),
        "passed": done.passed(),
        "barred": done.barred,
        "seconds": seconds,
        "checks": done.outcomes.iter().map(outcome).collect::<Vec<_>>(),
    })
}

/// An error that says what to do, if something failed.
fn verdict(device: &Device, done: &SelfTest, arguments: &Arguments) -> Result<()> {
    let failed = done.outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    if failed == 0 {
        return Ok(());
    }
    let without = done.outcomes.iter().any(|outcome| outcome.variant.is_none() && outcome.result.is_err());
    let barred = match (&done.barred[..], &done.file) {
        ([], _) => String::new(),
        (names, Some(_)) => format!("; left out on this adapter from now on: {}", names.join(", ")),
        (names, None) => format!("; there is no cache folder to remember that {} failed", names.join(", ")),
    };
    let advice = if without || done.barred.contains(&"tile-32") { "; use --adapter cpu" } else { "" };
    let file = arguments.output.display();
    Err(Error::Gpu(format!(
        "{failed} checks failed on {device}{barred}{advice}; please report it with {file}"
    )))
}
