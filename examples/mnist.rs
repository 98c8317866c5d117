//! A LeNet-like network on MNIST: at least 99 % of the test pictures within five epochs.
//!
//! ```text
//! LOOKALIKE_DATA=path/to/data cargo run --release --example mnist
//! ```
//!
//! `LOOKALIKE_DATA` holds the four original files in `mnist/`. The network is LeNet-5 (LeCun et al., 1998) with
//! today's parts: ReLU, max-pooling, dropout and Adam. Ends with exit code 1 below 99 %.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use flate2::read::GzDecoder;
use lookalike::Device;
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::models::Model;
use lookalike::nn::layers::{Conv2d, Dense, Dropout, Flatten, MaxPooling2d};
use lookalike::nn::{CrossEntropy, LayerActivation, Mode, Optimizer};
use lookalike::ops::{Normalize, random};
use lookalike::tensor::{Data, HostTensor, Shape, TensorType};

const BATCH: usize = 64;
const EPOCHS: u32 = 5;
const SEED: u32 = 1;
const GOAL: f64 = 0.99;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let data =
        std::env::var("LOOKALIKE_DATA").map_err(|_| "set LOOKALIKE_DATA to the folder that holds mnist/")?;
    let folder = Path::new(&data).join("mnist");
    let train = Digits::read(&folder, "train")?;
    let test = Digits::read(&folder, "t10k")?;

    let device = Device::open()?;
    println!("device: {device}");
    let params = Params::new(&device);
    let model = lenet();
    model.initialize(&params, SEED)?;
    let mut step = training_step(&model, &params)?;
    let (mut evaluation, correct) = evaluation_step(&model, &params)?;

    let mut best = 0.0f64;
    for epoch in 1..=EPOCHS {
        // Kingma and Ba anneal as 1/√t; a halved rate per epoch is simpler and ends as low.
        params.set("rate", &HostTensor::new([1], vec![2e-3 * 0.5f32.powi(epoch as i32 - 1)]))?;
        let order = shuffled(train.labels.len(), epoch);
        for batch in order.chunks_exact(BATCH) {
            train.write(&mut step, batch)?;
            step.run()?;
        }
        let mut hits = 0.0;
        let all: Vec<usize> = (0..test.labels.len()).collect();
        for batch in all.chunks_exact(EVALUATED) {
            test.write(&mut evaluation, batch)?;
            evaluation.run()?;
            hits += evaluation.read(correct)?.to_f64()[0];
        }
        let accuracy = hits / all.len() as f64;
        println!("epoch {epoch}: {:.2} % of {} test pictures", 100.0 * accuracy, all.len());
        best = best.max(accuracy);
    }
    Ok(if best >= GOAL { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Two stages of convolution and pooling, then two dense layers.
fn lenet() -> Model {
    Model {
        name: "lenet".into(),
        input: Shape::from([28, 28, 1]),
        layers: vec![
            Arc::new(Conv2d::same_relu("conv1", 16, 5)),
            Arc::new(MaxPooling2d::square("pool1", 2)),
            Arc::new(Conv2d::same_relu("conv2", 32, 5)),
            Arc::new(MaxPooling2d::square("pool2", 2)),
            Arc::new(Flatten { name: "flatten".into() }),
            Arc::new(Dense::new("dense1", 128, LayerActivation::RELU)),
            Arc::new(Dropout { name: "dropout".into(), rate: 0.4 }),
            Arc::new(Dense::new("dense2", 10, LayerActivation::Softmax)),
        ],
        frozen: 0,
    }
}

/// Forward, loss, backward and Adam in one plan.
fn training_step(model: &Model, params: &Params) -> lookalike::Result<Plan> {
    let mut graph = Graph::new();
    let pixels = graph.input("pixels", TensorType::u8([BATCH, 28, 28, 1]));
    let targets = graph.input("targets", TensorType::f32([BATCH, 10]));
    let step = graph.state_filled("step", TensorType::u32([1]), 0.0)?;
    let rate = graph.state_filled("rate", TensorType::f32([1]), 0.0)?;
    let x = graph.normalize(pixels, Normalize::unit())?;
    let logits = model.build(&mut graph, x, Mode::Train, SEED, Some(step))?;
    let loss = CrossEntropy::default().build(&mut graph, logits, targets)?.loss;
    let parameters = model.parameters()?;
    let states: Vec<Var> = parameters
        .iter()
        .map(|p| graph.state(&p.name, TensorType::f32(&p.shape)))
        .collect::<Result<_, _>>()?;
    let gradients = graph.gradients(loss, &states)?;
    let names = parameters.iter().map(|parameter| parameter.name.as_str());
    Optimizer::default().build(&mut graph, &names.zip(gradients).collect::<Vec<_>>(), rate, step)?;
    graph.increment(step)?;
    Plan::new(&graph, params, &[])
}

const EVALUATED: usize = 500;

/// The number of pictures of a batch that are recognised.
fn evaluation_step(model: &Model, params: &Params) -> lookalike::Result<(Plan, Var)> {
    let mut graph = Graph::new();
    let pixels = graph.input("pixels", TensorType::u8([EVALUATED, 28, 28, 1]));
    let targets = graph.input("targets", TensorType::f32([EVALUATED, 10]));
    let x = graph.normalize(pixels, Normalize::unit())?;
    let logits = model.logits(&mut graph, x)?;
    let correct = graph.correct(logits, targets)?;
    Ok((Plan::new(&graph, params, &[correct])?, correct))
}

/// Pictures `[n, 28, 28]` and their labels.
struct Digits {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Digits {
    fn read(folder: &Path, part: &str) -> Result<Digits, Box<dyn Error>> {
        let pixels = idx(&folder.join(format!("{part}-images-idx3-ubyte.gz")), 16)?;
        let labels = idx(&folder.join(format!("{part}-labels-idx1-ubyte.gz")), 8)?;
        Ok(Digits { pixels, labels })
    }

    /// Sets the inputs of a plan to these pictures.
    fn write(&self, plan: &mut Plan, pictures: &[usize]) -> lookalike::Result<()> {
        let pixels = pictures.iter().flat_map(|&i| &self.pixels[i * 784..(i + 1) * 784]).copied().collect();
        let hot = |label: u8| (0..10).map(move |class| f32::from(u8::from(class == label)));
        let targets = pictures.iter().flat_map(|&i| hot(self.labels[i])).collect();
        plan.write("pixels", &Data::U8(pixels))?;
        plan.write("targets", &Data::F32(targets))
    }
}

/// The bytes of an IDX file behind its header.
fn idx(path: &Path, header: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let file = std::fs::File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes)?;
    Ok(bytes.split_off(header))
}

/// A seeded order (Fisher and Yates).
fn shuffled(len: usize, epoch: u32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for i in (1..len).rev() {
        let word = random::word(SEED, random::stream("shuffle"), epoch, i as u32);
        order.swap(i, ((u64::from(word) * (i as u64 + 1)) >> 32) as usize);
    }
    order
}
