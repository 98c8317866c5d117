//! Start-up: from the start of a process to the first prediction of the scratch CNN.
//!
//! ```text
//! cargo bench --bench startup -- [OPTIONS]
//!   --adapter NAME     what to predict on; default cpu
//!   --rounds N         processes that are measured for each state of the caches; default 5
//! ```
//!
//! Each round starts a process of its own. It opens the device, opens a model file and predicts one crop, which compiles
//! what is needed; then it predicts once more, which is what a prediction costs when everything is there. The first
//! column is the parent's: from the start of the process to its answer. On a GPU, rounds are run with our cache of
//! pipelines cold and warm, and with the driver's own cache off, cold and warm: drivers of Mesa and NVIDIA keep one on the
//! disk and can be told where. Others keep theirs, if they have one.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use lookalike::Device;
use lookalike::check::Times;
use lookalike::gpu::GpuOptions;
use lookalike::graph::Params;
use lookalike::models::{Judgement, ModelFile, Predictor, Preprocessing, ScratchCnn, scratch_cnn};
use lookalike::ops::{Normalize, random};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const CLASSES: usize = 10;
const SEED: u32 = 1;
/// What a process tells the time of.
const PHASES: [&str; 5] = ["in all", "device", "model", "first", "second"];

fn main() -> Result<()> {
    if std::env::args().len() == 1 {
        println!("this is a bench: `cargo bench --bench startup` runs it");
        return Ok(());
    }
    let mut options = Options { adapter: "cpu".into(), rounds: 5, once: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--bench" => {} // cargo says so
            "--adapter" => options.adapter = value()?,
            "--rounds" => options.rounds = value()?.parse()?,
            "--once" => options.once = Some(value()?.into()),
            _ => return Err(format!("no option {option}; benches/startup.rs begins with a list").into()),
        }
    }
    match &options.once {
        Some(folder) => once(&options.adapter, folder),
        None => compare(&options),
    }
}

struct Options {
    adapter: String,
    rounds: usize,
    /// Be the process that is measured, in this folder.
    once: Option<PathBuf>,
}

/// The state of a cache when a process starts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cache {
    Off,
    Cold,
    Warm,
}

fn compare(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    model()?.save(&folder.path().join("model.safetensors"))?;
    println!("{}, {} processes each, median ms", Device::named(&options.adapter)?, options.rounds);
    print!("{:<32}", "");
    PHASES.iter().for_each(|phase| print!("{phase:>9}"));
    println!();
    let states: &[(Cache, Cache)] = match Device::named(&options.adapter)?.gpu() {
        None => &[(Cache::Off, Cache::Off)],
        Some(_) => &[
            (Cache::Off, Cache::Off),
            (Cache::Cold, Cache::Off),
            (Cache::Warm, Cache::Off),
            (Cache::Cold, Cache::Cold),
            (Cache::Off, Cache::Warm),
            (Cache::Warm, Cache::Warm),
        ],
    };
    for &(ours, drivers) in states {
        let mut times = vec![Times::default(); PHASES.len()];
        for round in 0..=options.rounds {
            let seconds = run(options, folder.path(), ours, drivers)?;
            // The first process fills the caches, and the disk's.
            if round > 0 {
                times.iter_mut().zip(seconds).for_each(|(times, seconds)| times.0.push(seconds));
            }
        }
        print!("{:<32}", format!("ours {ours:?}, driver's {drivers:?}").to_lowercase());
        times.iter().for_each(|times| print!("{:>9.1}", 1e3 * times.median()));
        println!();
    }
    Ok(())
}

/// Runs one process; returns the seconds of its [`PHASES`].
fn run(options: &Options, folder: &Path, ours: Cache, drivers: Cache) -> Result<Vec<f64>> {
    for (state, name) in [(ours, "ours"), (drivers, "driver")] {
        let cache = folder.join(name);
        if state != Cache::Warm && cache.exists() {
            std::fs::remove_dir_all(&cache)?;
        }
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--adapter").arg(&options.adapter).arg("--once").arg(folder);
    command.env("STARTUP_OURS", if ours == Cache::Off { "off" } else { "on" });
    let driver = folder.join("driver");
    if drivers == Cache::Off {
        command.env("MESA_SHADER_CACHE_DISABLE", "true").env("__GL_SHADER_DISK_CACHE", "0");
    } else {
        std::fs::create_dir_all(&driver)?;
        command.env("MESA_SHADER_CACHE_DISABLE", "false").env("MESA_SHADER_CACHE_DIR", &driver);
        command.env("__GL_SHADER_DISK_CACHE", "1").env("__GL_SHADER_DISK_CACHE_PATH", &driver);
    }
    let start = Instant::now();
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut lines = BufReader::new(process.stdout.take().expect("standard output is a pipe")).lines();
    lines.next().ok_or("the process said nothing")??;
    let all = start.elapsed().as_secs_f64();
    let phases = lines.next().ok_or("the process gave no times")??;
    if !process.wait()?.success() {
        return Err("the process failed".into());
    }
    let rest = phases.split_whitespace().map(|word| Ok(word.parse()?));
    std::iter::once(Ok(all)).chain(rest).collect()
}

/// The process that is measured.
fn once(adapter: &str, folder: &Path) -> Result<()> {
    let cached = std::env::var("STARTUP_OURS").is_ok_and(|state| state == "on");
    let options = GpuOptions { cache: cached.then(|| folder.join("ours")), ..GpuOptions::default() };
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed().as_secs_f64();
    let device = Device::named_with(adapter, &options)?;
    let opened = lap();
    let mut predictor = Predictor::new(&device, ModelFile::open(&folder.join("model.safetensors"))?)?;
    let loaded = lap();
    let [height, width, channels] = [224, 224, 3];
    let byte = |element| random::word(SEED, random::stream("pixels"), 0, element) as u8;
    let pixels: Vec<u8> = (0..height * width * channels).map(byte).collect();
    lap();
    let first_answer = predictor.predict(&pixels)?;
    let first = lap();
    println!("{:?}", first_answer[0]);
    lap();
    if predictor.predict(&pixels)? != first_answer {
        return Err("the second prediction differs".into());
    }
    let second = lap();
    println!("{opened} {loaded} {first} {second}");
    Ok(())
}

/// A scratch CNN that knows nothing.
fn model() -> Result<ModelFile> {
    let model = scratch_cnn(&ScratchCnn::new(CLASSES));
    let params = Params::new(&Device::cpu());
    model.initialize(&params, SEED)?;
    let names = model.parameters()?.into_iter().map(|parameter| parameter.name);
    let weights =
        names.map(|name| Ok((name.clone(), params.get(&name)?))).collect::<lookalike::Result<_>>()?;
    let preprocessing = Preprocessing {
        size: 224,
        detector: "mtcnn".into(),
        margin: 0.2,
        align: true,
        placed: None,
        whole: false,
        normalize: Normalize::unit(),
    };
    let labels = (0..CLASSES).map(|person| format!("person {person}")).collect();
    Ok(ModelFile {
        model,
        labels,
        preprocessing,
        training: serde_json::Value::Null,
        judgement: Judgement::default(),
        weights,
    })
}
