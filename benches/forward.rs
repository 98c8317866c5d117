//! The convolutional part of VGG16, forward: thirteen convolutions and five poolings, beside rivals': all take turns within one
//! run.
//!
//! ```text
//! cargo bench --bench forward -- [OPTIONS]
//!   --batch N          pictures of a pass; default 4
//!   --rounds N         turns that are measured; default 7
//! ```
//!
//! and the other options of benches/training.rs. Everyone has the same weights and pictures, and has read the features when a
//! step ends. They must agree before anything is measured. Our step also takes in the pictures as bytes and scales them. Where
//! ours runs on a GPU that has 16-bit floats, it takes part a second time with tensors of these.

mod common;
mod networks;

use std::path::Path;
use std::time::Instant;

use common::{Contender, Result, report};
use lookalike::Device;
use lookalike::check::{Rival, Step, take_turns};
use lookalike::graph::{Graph, Plan, Var};
use lookalike::models::vgg16_base;
use lookalike::ops::Normalize;
use lookalike::tensor::{Data, Precision, TensorType};
use networks::options::Options;
use networks::task::{SIDE, Task, network_pixels};
use networks::{answer_path, rivals, warm_up};

/// Steps that are not measured, beside each rival's first.
const WARM_UP: usize = 1;
/// Relative L2 error of a rival's features to ours, in 32-bit floats and in 16-bit ones.
const TOLERANCE: f64 = 1e-3;
const HALF_TOLERANCE: f64 = 0.03;

fn main() -> Result<()> {
    if std::env::args().len() == 1 {
        println!("this is a bench: `cargo bench --bench forward` runs it");
        return Ok(());
    }
    let options = Options::parse(4, 7)?;
    let task = Task::new(vgg16_base(SIDE)?)?;
    let device = options.device()?;
    let mut forward = Forward::new(&task, &device, options.batch, Precision::F32)?;
    if options.serve {
        return Rival::serve(|| Ok(forward.step()?.0));
    }

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("task.safetensors");
    task.write(&file, options.batch)?;
    let (_, features) = forward.step()?;
    let flops = forward.flops;
    let mut contenders =
        vec![Contender::new(format!("Lookalike on {device}"), move || Ok(forward.step()?.0))];
    let plain = Some(&device).filter(|device| device.keeps(Precision::F16) == Precision::F16);
    let tensor_cores = options.on_tensor_cores()?;
    for (name, device) in
        [("Lookalike, half", plain), ("Lookalike, half on tensor cores", tensor_cores.as_ref())]
    {
        let Some(device) = device else { continue };
        let mut half = Forward::new(&task, device, options.batch, Precision::F16)?;
        judge(name, &half.step()?.1, &features);
        contenders.push(Contender::new(name.into(), move || Ok(half.step()?.0)));
    }
    let ours = contenders.len();
    contenders.extend(rivals(&options, "forward", folder.path(), &file)?);
    for contender in &contenders[ours..] {
        compare(&contender.name, &answer_path(folder.path(), &contender.name), &features)?;
    }
    warm_up(&mut contenders, WARM_UP)?;
    let times = take_turns(&mut contenders, options.rounds, Contender::turn)?;
    let Options { batch, rounds, .. } = options;
    println!(
        "VGG16 without a head, forward, {batch} pictures {SIDE}×{SIDE}, {:.1} GFLOP; {rounds} rounds, wall time",
        flops as f64 / 1e9
    );
    report(batch, &contenders, &times);
    Ok(())
}

/// Says how far a rival's features, which it has left at `path`, are from ours. Who has others is named, and still measured: a
/// wrong answer may be quick, and the reader should know. An earlier build of ours leaves none.
fn compare(name: &str, path: &Path, ours: &[f32]) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let bytes = std::fs::read(path)?;
    let (words, rest) = bytes.as_chunks();
    if words.len() != ours.len() || !rest.is_empty() {
        println!("{name} DIFFERS: {} bytes for {} features", bytes.len(), ours.len());
        return Ok(());
    }
    let theirs: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
    judge(name, &theirs, ours);
    Ok(())
}

/// Says how far features are from ours.
fn judge(name: &str, theirs: &[f32], ours: &[f32]) {
    let pairs = theirs.iter().zip(ours);
    let apart: f64 = pairs.map(|(&theirs, &ours)| (f64::from(theirs) - f64::from(ours)).powi(2)).sum();
    let length: f64 = ours.iter().map(|&ours| f64::from(ours).powi(2)).sum();
    let error = (apart / length).sqrt();
    let tolerance = if name.contains("half") { HALF_TOLERANCE } else { TOLERANCE };
    // Not a number is not within any tolerance.
    let verdict = if error < tolerance { "agrees" } else { "DIFFERS" };
    println!("{name} {verdict}: features differ by {error:.1e}, relative L2");
}

/// Our forward pass.
struct Forward {
    plan: Plan,
    features: Var,
    flops: u64,
    pixels: Data,
    batch: usize,
}

impl Forward {
    fn new(task: &Task, device: &Device, batch: usize, precision: Precision) -> Result<Forward> {
        let params = task.params(device)?;
        let mut graph = Graph::new();
        let pixels = graph.input("pixels", TensorType::u8([batch, SIDE, SIDE, 3]));
        let x = graph.normalize(pixels, Normalize::unit())?;
        let features = task.model().predict(&mut graph, x, precision)?;
        let plan = Plan::new(&graph, &params, &[features])?;
        Ok(Forward { plan, features, flops: graph.flops(), pixels: Data::U8(network_pixels(batch)), batch })
    }

    /// A step, and its features in the rivals' order: `[batch, channels, height, width]`.
    fn step(&mut self) -> Result<(Step, Vec<f32>)> {
        let start = Instant::now();
        self.plan.write("pixels", &self.pixels)?;
        self.plan.run()?;
        let features = self.plan.read(self.features)?.to_f32();
        let seconds = start.elapsed().as_secs_f64();
        let value = features.iter().map(|&value| f64::from(value)).sum::<f64>() / features.len() as f64;
        let channels = 512;
        let places = features.len() / channels / self.batch;
        let at = |index: usize| {
            let (place, rest) = (index % places, index / places);
            features[(rest / channels * places + place) * channels + rest % channels]
        };
        Ok((Step { seconds, value }, (0..features.len()).map(at).collect()))
    }
}
