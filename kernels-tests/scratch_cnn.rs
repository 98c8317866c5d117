//! The scratch CNN's first 20 Adam steps against PyTorch's (`golden/scratch_cnn.py`).

use lookalike::check;
use lookalike::graph::{Graph, Params, Plan, Var};
use lookalike::models::{ScratchCnn, scratch_cnn};
use lookalike::nn::{CrossEntropy, Mode, Optimizer};
use lookalike::ops::{Adam, AdamForm, Normalize, random};
use lookalike::tensor::{Data, HostTensor, TensorType};
use lookalike::{Device, Result};

const SEED: u32 = 7;
const CLASSES: usize = 10;
const PICTURE: usize = 224 * 224 * 3;

/// Relative difference allowed between a loss and PyTorch's.
const TOLERANCE: f64 = 1e-3;

#[test]
fn as_pytorch_on_the_cpu_path() {
    compare(&Device::cpu(), 16);
}

#[test]
fn as_pytorch_on_the_gpu() {
    compare(check::gpu(), 4);
}

fn compare(device: &Device, batch: usize) {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/scratch_cnn.json")).expect("the golden losses");
    let expected = golden[format!("batch_{batch}")].as_array().expect("losses of this batch");
    let found = losses(device, batch, expected.len()).expect("training runs");
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        let expected = expected.as_f64().expect("a number");
        let error = (found - expected).abs() / expected;
        assert!(error < TOLERANCE, "step {step}: loss {found}, PyTorch's {expected} (relative {error:.2e})");
    }
}

/// The losses of the first `steps` steps.
fn losses(device: &Device, batch: usize, steps: usize) -> Result<Vec<f64>> {
    let model = scratch_cnn(&ScratchCnn { dropout: 0.0, ..ScratchCnn::new(CLASSES) });
    let params = Params::new(device);
    model.initialize(&params, 0)?;
    for (stream, name) in ["conv1", "conv2", "conv3", "dense1", "dense2"].iter().enumerate() {
        let name = format!("{name}/kernel");
        let shape = params.ty(&name).expect("a kernel").shape;
        let [ref window @ .., fan_in, fan_out] = shape[..] else { panic!("a kernel has at least two axes") };
        let limit = (6.0 / (window.iter().product::<usize>() * (fan_in + fan_out)) as f64).sqrt();
        let weight = |element| {
            let unit = f64::from(random::word(SEED, stream as u32, 0, element) >> 8) / f64::from(1u32 << 24);
            ((2.0 * unit - 1.0) * limit) as f32
        };
        let values: Vec<f32> = (0..shape.iter().product::<usize>() as u32).map(weight).collect();
        params.set(&name, &HostTensor::new(shape.clone(), values))?;
    }

    let mut graph = Graph::new();
    let pixels = graph.input("pixels", TensorType::u8([batch, 224, 224, 3]));
    let targets = graph.input("targets", TensorType::f32([batch, CLASSES]));
    let step = graph.state_filled("step", TensorType::u32([1]), 0.0)?;
    let rate = graph.state_filled("rate", TensorType::f32([1]), 1e-3)?;
    let x = graph.normalize(pixels, Normalize::unit())?;
    let logits = model.build(&mut graph, x, Mode::Train, 0, Some(step))?;
    let loss = CrossEntropy::default().build(&mut graph, logits, targets)?.loss;
    let parameters = model.parameters()?;
    let states: Vec<Var> =
        parameters.iter().map(|p| graph.state(&p.name, TensorType::f32(&p.shape))).collect::<Result<_>>()?;
    let adam = Optimizer::Adam(Adam { form: AdamForm::PyTorch, ..Adam::default() });
    let gradients = graph.gradients(loss, &states)?;
    let names = parameters.iter().map(|parameter| parameter.name.as_str());
    adam.build(&mut graph, &names.zip(gradients).collect::<Vec<_>>(), rate, step)?;
    graph.increment(step)?;
    let mut plan = Plan::new(&graph, &params, &[loss])?;

    let mut losses = Vec::new();
    for step in 0..steps as u32 {
        let (pixels, targets) = pictures(step, batch);
        plan.write("pixels", &Data::U8(pixels))?;
        plan.write("targets", &Data::F32(targets))?;
        plan.run()?;
        losses.push(plan.read(loss)?.to_f64()[0]);
    }
    Ok(losses)
}

/// The pictures and one-hot labels of a step, as `golden/scratch_cnn.py` makes them.
fn pictures(step: u32, batch: usize) -> (Vec<u8>, Vec<f32>) {
    let labels: Vec<u32> =
        (0..batch as u32).map(|n| random::word(SEED, 200 + step, 0, n) % CLASSES as u32).collect();
    let pixel = |element: usize| {
        let (picture, row) = (element / PICTURE, element % PICTURE / (224 * 3));
        let lit = row as u32 / 23 == labels[picture] && picture % 4 != 3;
        if lit { 64 + (random::word(SEED, 100 + step, 0, element as u32) & 63) as u8 } else { 0 }
    };
    let targets =
        labels.iter().flat_map(|&label| (0..CLASSES as u32).map(move |c| f32::from(u8::from(c == label))));
    ((0..batch * PICTURE).map(pixel).collect(), targets.collect())
}
