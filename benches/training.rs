//! A training step of the scratch CNN, beside rivals': all take turns within one run.
//!
//! ```text
//! cargo bench --bench training -- [OPTIONS]
//!   --batch N          pictures of a step; default 16
//!   --rounds N         turns that are measured; default 15
//!   --adapter NAME     what ours trains on; default cpu
//!   --rivals LIST      who else trains: pytorch:cpu, pytorch:cuda, pytorch:cuda-half, burn:flex, burn:ndarray, burn:wgpu,
//!                      burn:wgpu-software, candle:cpu, meganeura:f32, meganeura:matrices; default what suits the adapter
//!   --python PROGRAM   a Python that has torch; default python3
//!   --built FOLDER     where the other rivals' programs are; default where
//!                      `cargo build --release --manifest-path benches/rivals/Cargo.toml --keep-going` puts them
//!   --limit SECONDS    how long a rival's step may take; default 600
//!   --before PROGRAM   another build of this bench, for what a change is worth
//!   --tensor-cores     ours takes part a second time, with products on the adapter's tensor cores
//!   --profile          also what each dispatch takes
//!   --serve            only train, one step for each line of standard input; what --before runs
//! ```
//!
//! Everyone uses all cores that the process may use (`taskset -c 0` leaves one), starts from the same weights, trains on one
//! batch that stays the same, and has read the loss when a step ends. Our step also takes in the pictures as bytes and scales
//! them. Nobody drops anything out, so that the losses can be compared: they must agree before anything is measured.

mod common;
mod networks;

use std::time::Instant;

use common::{Contender, Result, report};
use lookalike::Device;
use lookalike::check::{Rival, Step, Times, take_turns};
use lookalike::graph::{Graph, Plan, Var};
use lookalike::models::{ScratchCnn, scratch_cnn};
use lookalike::nn::{CrossEntropy, Mode, Optimizer};
use lookalike::ops::Normalize;
use lookalike::tensor::{Data, TensorType};
use networks::options::Options;
use networks::task::{CLASSES, SIDE, Task, label, network_pixels};
use networks::{rivals, warm_up};

/// Share of a step from which a profile lists a dispatch.
const NOTABLE: f64 = 0.005;
/// Steps that are not measured, beside each rival's first; their losses are compared.
const WARM_UP: usize = 5;
/// How far a loss may be from ours, relative to it: the first one, before any weight has changed, and later ones. Where a
/// gradient is nearly zero, Adam's first steps go by its sign, which rounding decides.
const TOLERANCE: [f64; 2] = [1e-4, 0.05];
/// The same in 16-bit floats.
const HALF_TOLERANCE: [f64; 2] = [5e-3, 0.2];

fn main() -> Result<()> {
    if std::env::args().len() == 1 {
        println!("this is a bench: `cargo bench --bench training` runs it");
        return Ok(());
    }
    let options = Options::parse(16, 15)?;
    let task = Task::new(scratch_cnn(&ScratchCnn { dropout: 0.0, ..ScratchCnn::new(CLASSES) }))?;
    let device = options.device()?;
    let mut training = Training::new(&task, &device, options.batch)?;
    if options.serve {
        return Rival::serve(|| training.step());
    }

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("task.safetensors");
    task.write(&file, options.batch)?;
    let first = training.step()?.value;
    let mut ours = Contender::new(format!("Lookalike on {device}"), move || training.step());
    ours.values.push(first);
    let mut contenders = vec![ours];
    if let Some(device) = options.on_tensor_cores()? {
        let mut training = Training::new(&task, &device, options.batch)?;
        let first = training.step()?.value;
        let name = "Lookalike, half on tensor cores";
        let mut half = Contender::new(name.into(), move || training.step());
        half.values.push(first);
        contenders.push(half);
    }
    contenders.extend(rivals(&options, "train", folder.path(), &file)?);
    warm_up(&mut contenders, WARM_UP)?;
    compare(&contenders)?;
    let times = take_turns(&mut contenders, options.rounds, Contender::turn)?;
    let Options { batch, rounds, .. } = options;
    println!("scratch CNN, a training step of {batch} pictures {SIDE}×{SIDE}; {rounds} rounds, wall time");
    report(batch, &contenders, &times);
    if options.profile {
        profile(&mut Training::new(&task, &device, options.batch)?, options.rounds)?;
    }
    Ok(())
}

/// A network that knows nothing starts near ln(classes), and learns its one batch; everybody's losses are ours. Who has
/// another loss is named, and still measured: a wrong answer may be quick, and the reader should know.
fn compare(contenders: &[Contender]) -> Result<()> {
    let ours = &contenders[0].values;
    let last = ours[ours.len() - 1];
    if (ours[0] - (CLASSES as f64).ln()).abs() > 1.0 || last >= ours[0] {
        return Err(format!("ours does not train, its losses are {ours:?}").into());
    }
    for contender in contenders {
        let tolerance = if contender.name.contains("half") { HALF_TOLERANCE } else { TOLERANCE };
        let far = |(step, (&theirs, &ours)): (usize, (&f64, &f64))| {
            (theirs - ours).abs() > tolerance[step.min(1)] * ours.abs() || !theirs.is_finite()
        };
        let values = || contender.values.iter().zip(ours).enumerate();
        let verdict = match values().find(|&pair| far(pair)) {
            None => "agrees".to_owned(),
            Some((step, _)) => format!("DIFFERS from step {step} on"),
        };
        let losses: Vec<String> = contender.values.iter().map(|loss| format!("{loss:.4}")).collect();
        println!("{}: {verdict}: losses {}", contender.name, losses.join(" "));
    }
    Ok(())
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
    fn new(task: &Task, device: &Device, batch: usize) -> Result<Training> {
        let (model, params) = (task.model(), task.params(device)?);
        let mut graph = Graph::new();
        let pixels = graph.input("pixels", TensorType::u8([batch, SIDE, SIDE, 3]));
        let targets = graph.input("targets", TensorType::f32([batch, CLASSES]));
        let step = graph.state_filled("step", TensorType::u32([1]), 0.0)?;
        let rate = graph.state_filled("rate", TensorType::f32([1]), 1e-3)?;
        let x = graph.normalize(pixels, Normalize::unit())?;
        let logits = model.build(&mut graph, x, Mode::Train, 0, Some(step))?;
        let loss = CrossEntropy::default().build(&mut graph, logits, targets)?.loss;
        let parameters = model.parameters()?;
        let state = |graph: &mut Graph, name: &str, shape| graph.state(name, TensorType::f32(shape));
        let states: Vec<Var> = parameters
            .iter()
            .map(|p| state(&mut graph, &p.name, &p.shape))
            .collect::<lookalike::Result<_>>()?;
        let gradients = graph.gradients(loss, &states)?;
        let names = parameters.iter().map(|parameter| parameter.name.as_str());
        let gradients: Vec<(&str, Var)> = names.zip(gradients).collect();
        Optimizer::default().build(&mut graph, &gradients, rate, step)?;
        graph.increment(step)?;
        let plan = Plan::new(&graph, &params, &[loss])?;
        let hot = |picture| (0..CLASSES).map(move |class| f32::from(u8::from(class == label(picture))));
        Ok(Training {
            plan,
            loss,
            flops: graph.flops(),
            pixels: Data::U8(network_pixels(batch)),
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
