//! A training step of the scratch CNN, beside PyTorch's and burn's on the CPU: all take turns within one run.
//!
//! ```text
//! cargo bench --bench training -- [OPTIONS]
//!   --batch N          pictures of a step; default 16
//!   --rounds N         turns that are measured; default 15
//!   --adapter NAME     a second device to train on, such as a GPU
//!   --python PROGRAM   a Python that has torch; default python3
//!   --burn PROGRAM     burn's step, built by `cargo build --release --manifest-path benches/rivals/Cargo.toml`;
//!                      default where that puts it
//!   --backend NAME     burn's: flex, the default, or ndarray, which takes a minute for a step
//!   --before PROGRAM   another build of this bench, for what a change is worth
//!   --profile          also what each dispatch takes
//!   --serve            only train, one step for each line of standard input; what --before runs
//! ```
//!
//! Everyone uses all cores that the process may use (`taskset -c 0` leaves one), trains on one batch that stays the
//! same, and has read the loss when a step ends. Our step also takes in the pictures as bytes, scales them and drops
//! out a fifth of the hidden units, which the rivals' does not.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use common::{Contender, RIVALS, Result, report};
use lookalike::Device;
use lookalike::check::{Rival, Step, Times, take_turns};
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::models::{ScratchCnn, scratch_cnn};
use lookalike::nn::{CrossEntropy, Mode, Optimizer};
use lookalike::ops::{Normalize, random};
use lookalike::tensor::{Data, TensorType};

const CLASSES: usize = 10;
const SIDE: usize = 224;
const SEED: u32 = 1;
/// Share of a step from which a profile lists a dispatch.
const NOTABLE: f64 = 0.005;
/// Turns that are not measured; at their end a loss must fall.
const WARM_UP: usize = 5;

fn main() -> Result<()> {
    if std::env::args().len() == 1 {
        println!("this is a bench: `cargo bench --bench training` runs it");
        return Ok(());
    }
    let options = Options::parse()?;
    if options.serve {
        let mut training = Training::new(&options.device()?, options.batch)?;
        return Rival::serve(|| training.step());
    }

    let mut contenders = options.contenders()?;
    take_turns(&mut contenders, WARM_UP, Contender::turn)?;
    contenders.iter().try_for_each(learns)?;
    let times = take_turns(&mut contenders, options.rounds, Contender::turn)?;
    let Options { batch, rounds, .. } = options;
    println!("scratch CNN, a training step of {batch} pictures {SIDE}×{SIDE}; {rounds} rounds, wall time");
    report(batch, &contenders, &times);
    if options.profile {
        profile(&mut Training::new(&options.device()?, options.batch)?, options.rounds)?;
    }
    Ok(())
}

struct Options {
    batch: usize,
    rounds: usize,
    adapter: Option<String>,
    python: PathBuf,
    burn: PathBuf,
    backend: String,
    before: Option<PathBuf>,
    profile: bool,
    serve: bool,
}

impl Options {
    fn parse() -> Result<Options> {
        let mut options = Options {
            batch: 16,
            rounds: 15,
            adapter: None,
            python: "python3".into(),
            burn: format!("{RIVALS}/target/release/rival-burn{}", std::env::consts::EXE_SUFFIX).into(),
            backend: "flex".into(),
            before: None,
            profile: false,
            serve: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
            match option.as_str() {
                "--bench" => {} // cargo says so
                "--batch" => options.batch = value()?.parse()?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--adapter" => options.adapter = Some(value()?),
                "--python" => options.python = value()?.into(),
                "--burn" => options.burn = value()?.into(),
                "--backend" => options.backend = value()?,
                "--before" => options.before = Some(value()?.into()),
                "--profile" => options.profile = true,
                "--serve" => options.serve = true,
                _ => return Err(format!("no option {option}; benches/training.rs begins with a list").into()),
            }
        }
        Ok(options)
    }

    /// The device that is profiled or served.
    fn device(&self) -> Result<Device> {
        Ok(self.adapter.as_deref().map_or_else(|| Ok(Device::cpu()), Device::named)?)
    }

    /// Ours on the CPU, which the others are compared with; then whoever else is there.
    fn contenders(&self) -> Result<Vec<Contender>> {
        let mut contenders = vec![ours(&Device::cpu(), self.batch)?];
        if self.adapter.is_some() {
            contenders.push(ours(&self.device()?, self.batch)?);
        }
        let batch = self.batch.to_string();
        let mut pytorch = Command::new(&self.python);
        pytorch.arg(Path::new(RIVALS).join("pytorch_step.py")).arg(&batch);
        let mut burn = Command::new(&self.burn);
        burn.args([&self.backend, &batch]);
        let mut commands = vec![("PyTorch".into(), pytorch), (format!("burn {}", self.backend), burn)];
        if let Some(program) = &self.before {
            let mut before = Command::new(program);
            before.args(["--serve", "--batch", &batch]);
            commands.push(("before".into(), before));
        }
        contenders.extend(commands.iter_mut().filter_map(|(name, command)| Contender::rival(name, command)));
        Ok(contenders)
    }
}

fn ours(device: &Device, batch: usize) -> Result<Contender> {
    let mut training = Training::new(device, batch)?;
    Ok(Contender::new(format!("Lookalike on {device}"), move || training.step()))
}

/// A network that knows nothing starts near ln(classes). Its loss may jump at first, as Adam's first steps are long,
/// but then it learns its one batch.
fn learns(contender: &Contender) -> Result<()> {
    let losses = &contender.values;
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    let worst = losses.iter().copied().fold(first, f64::max);
    if (first - (CLASSES as f64).ln()).abs() < 1.0 && last < worst {
        return Ok(());
    }
    Err(format!("{} does not train, its losses are {losses:?}", contender.name).into())
}

/// Our training step.
struct Training {
    plan: Plan,
    loss: Var,
    flops: u64,
    pixels: Data,
    targets: Data,
}

impl Training {
    fn new(device: &Device, batch: usize) -> Result<Training> {
        let params = Params::new(device);
        let model = scratch_cnn(&ScratchCnn::new(CLASSES));
        model.initialize(&params, SEED)?;
        let mut graph = Graph::new();
        let pixels = graph.input("pixels", TensorType::u8([batch, SIDE, SIDE, 3]));
        let targets = graph.input("targets", TensorType::f32([batch, CLASSES]));
        let step = graph.state_filled("step", TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled("rate", TensorType::f32([1]), 1e-3)?;
        let x = graph.normalize(pixels, Normalize::unit())?;
        let logits = model.build(&mut graph, x, Mode::Train, SEED, Some(step))?;
        let loss = CrossEntropy::default().build(&mut graph, logits, targets)?.loss;
        let parameters = model.parameters()?;
        let state = |graph: &mut Graph, name: &str, shape| graph.state(name, TensorType::f32(shape));
        let states: Vec<Var> = parameters
            .iter()
            .map(|p| state(&mut graph, &p.name, &p.shape))
            .collect::<lookalike::Result<_>>()?;
        for (parameter, gradient) in parameters.iter().zip(graph.gradients(loss, &states)?) {
            Optimizer::default().build(&mut graph, &parameter.name, gradient, rate, step)?;
        }
        graph.increment(step)?;
        let plan = Plan::new(&graph, &params, &[loss])?;

        let byte = |element| random::word(SEED, random::stream("pixels"), 0, element) as u8;
        let hot = |picture| (0..CLASSES).map(move |class| f32::from(u8::from(class == picture % CLASSES)));
        Ok(Training {
            plan,
            loss,
            flops: graph.flops(),
            pixels: Data::U8((0..(batch * SIDE * SIDE * 3) as u32).map(byte).collect()),
            targets: Data::F32((0..batch).flat_map(hot).collect()),
        })
    }

    fn write(&mut self) -> Result<()> {
        self.plan.write("pixels", &self.pixels)?;
        Ok(self.plan.write("targets", &self.targets)?)
    }

    fn step(&mut self) -> Result<Step> {
        let start = Instant::now();
        self.write()?;
        self.plan.run()?;
        let value = self.plan.read(self.loss)?.to_f64()[0];
        Ok(Step { seconds: start.elapsed().as_secs_f64(), value })
    }
}

/// Prints the median time of each dispatch that takes [`NOTABLE`], the longest first.
fn profile(training: &mut Training, rounds: usize) -> Result<()> {
    training.step()?;
    let mut dispatches: Vec<(String, u64, Times)> = Vec::new();
    for _ in 0..rounds {
        training.write()?;
        let times = training.plan.profile()?;
        dispatches.resize_with(times.len(), Default::default);
        for ((name, flops, all), time) in dispatches.iter_mut().zip(times) {
            (*name, *flops) = (time.work.kernel, time.work.flops);
            all.0.push(time.seconds);
        }
    }
    dispatches.sort_by(|(_, _, a), (_, _, b)| b.median().total_cmp(&a.median()));
    let total: f64 = dispatches.iter().map(|(_, _, times)| times.median()).sum();
    println!("\n{:<40} {:>9} {:>7} {:>9}", "dispatch", "median ms", "share", "GFLOP/s");
    for (name, flops, times) in dispatches.iter().filter(|(_, _, times)| times.median() > NOTABLE * total) {
        let seconds = times.median();
        let rate = *flops as f64 / seconds / 1e9;
        println!("{name:<40} {:>9.2} {:>5.1} % {rate:>9.1}", 1e3 * seconds, 100.0 * seconds / total);
    }
    let rate = training.flops as f64 / total / 1e9;
    println!("{:<40} {:>9.2} {:>5.1} % {rate:>9.1}", "all", 1e3 * total, 100.0);
    Ok(())
}
