//! Feeds damaged files to whatever reads files of strangers: each must give a result or an error, soon and in little
//! memory.
//!
//! ```text
//! cargo run --release --example fuzz -- [--what image] [--cases 10000] [--seed 1] [--case 17] [--keep FOLDER]
//! ```
//!
//! The same seed makes the same files. One file for each place at which a decoder panics is kept, for the tests to
//! read. Ends with exit code 1 if anything else panics, a case takes more than ten seconds, or all of them more than
//! 256 MB.

mod subjects;

use std::collections::HashSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use flate2::Crc;
use lookalike::decoding;
use subjects::{Outcome, Subject};

const LONGEST: Duration = Duration::from_secs(10);
const MOST_MEMORY: u64 = 256_000_000;

#[derive(Debug, Parser)]
struct Arguments {
    /// Only this door.
    #[arg(long, value_parser = ["cascade", "image", "h5", "safetensors", "npz", "model"])]
    what: Option<String>,
    /// Damaged files for each door.
    #[arg(long, default_value_t = 10_000)]
    cases: u32,
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Only this case.
    #[arg(long)]
    case: Option<u32>,
    /// Where files are kept on which something panicked.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels-tests/regressions"))]
    keep: PathBuf,
}

/// The case in work, since when, and where the last panic was.
static CASE: Mutex<Option<(String, Instant)>> = Mutex::new(None);
static PANIC: Mutex<Option<String>> = Mutex::new(None);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    thread::spawn(watch);
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if !decoding() {
            eprintln!("{info}");
        }
        *PANIC.lock().expect("no panic inside") = Some(place);
    }));
    let mut failures = 0;
    for subject in Subject::all() {
        if arguments.what.as_ref().is_none_or(|what| what == subject.name) {
            failures += run(&subject, &arguments);
        }
    }
    let memory = peak_memory();
    let megabytes = memory.map_or("unknown".into(), |bytes| format!("{} MB", bytes / 1_000_000));
    println!("peak memory: {megabytes}, at most {} MB are allowed", MOST_MEMORY / 1_000_000);
    let within = failures == 0 && memory.is_none_or(|bytes| bytes < MOST_MEMORY);
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a door's cases and prints what came of them. The number of panics that left the door.
fn run(subject: &Subject, arguments: &Arguments) -> usize {
    let Arguments { seed, cases, .. } = *arguments;
    let numbers = arguments.case.map_or(0..cases, |case| case..case + 1);
    let (mut results, mut errors, mut caught, mut failures) = (0, 0, 0, 0);
    let mut slowest = (Duration::ZERO, 0);
    let mut places = HashSet::new();
    for case in numbers {
        let file = subject.mutant(seed, case);
        let start = Instant::now();
        *CASE.lock().expect("no panic inside") =
            Some((format!("--what {} --seed {seed} --case {case}", subject.name), start));
        match panic::catch_unwind(AssertUnwindSafe(|| (subject.read)(&file))) {
            Ok(Outcome::Result) => results += 1,
            Ok(Outcome::Error) => errors += 1,
            Ok(Outcome::Caught) => caught += 1,
            Err(_) => {
                println!("{} case {case}: FAILED, a panic left the door", subject.name);
                failures += 1;
            }
        }
        slowest = slowest.max((start.elapsed(), case));
        if let Some(place) = PANIC.lock().expect("no panic inside").take()
            && places.insert(place.clone())
        {
            println!("{} case {case}: panic at {place}", subject.name);
            keep(&arguments.keep, subject.name, &file);
        }
    }
    *CASE.lock().expect("no panic inside") = None;
    println!(
        "{}: {results} results, {errors} errors, {caught} panics of decoders turned into errors, {failures} other \
         panics; slowest {:.0} ms, case {}",
        subject.name,
        slowest.0.as_secs_f64() * 1e3,
        slowest.1
    );
    failures
}

/// Writes a file under the name of its door and its own checksum: numbers of cases change with the mutations.
fn keep(folder: &Path, door: &str, file: &[u8]) {
    let mut crc = Crc::new();
    crc.update(file);
    let path = folder.join(format!("{door}-{:08x}", crc.sum()));
    fs::create_dir_all(folder).and_then(|()| fs::write(&path, file)).expect("the folder can be written");
    println!("kept {}", path.display());
}

/// Ends the program if a case hangs: no thread can be stopped from outside.
fn watch() {
    loop {
        thread::sleep(Duration::from_millis(100));
        if let Some((case, start)) = &*CASE.lock().expect("no panic inside")
            && start.elapsed() > LONGEST
        {
            println!("{case}: FAILED, takes more than {} s", LONGEST.as_secs());
            std::process::exit(1);
        }
    }
}

/// The most memory that the process has had, where Linux tells it.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1024)
}
