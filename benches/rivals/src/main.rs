//! burn's training step of the scratch CNN, for a driver that lets rivals take turns.
//!
//! `rival-burn flex|ndarray BATCH`: for each line that arrives on standard input it runs one step and answers with
//! the seconds it took and the loss. The loss is read back inside the measured time, so the step has ended.

use std::io::{BufRead, Write};
use std::time::Instant;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Int, Tensor};

const SIDE: usize = 224;
const CLASSES: usize = 10;

/// Three stages of convolution 3×3, ReLU and pooling 2×2; then two dense layers.
#[derive(Module, Debug)]
struct ScratchCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
    dense1: Linear,
    dense2: Linear,
    relu: Relu,
    pool: MaxPool2d,
}

impl ScratchCnn {
    fn new(device: &Device) -> Self {
        let conv = |channels: [usize; 2]| {
            Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Same).init(device)
        };
        Self {
            conv1: conv([3, 16]),
            conv2: conv([16, 32]),
            conv3: conv([32, 64]),
            dense1: LinearConfig::new(28 * 28 * 64, 128).init(device),
            dense2: LinearConfig::new(128, CLASSES).init(device),
            relu: Relu::new(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    /// Logits `[batch, classes]` of `x` `[batch, 3, height, width]`.
    fn forward(&self, mut x: Tensor<4>) -> Tensor<2> {
        for conv in [&self.conv1, &self.conv2, &self.conv3] {
            x = self.pool.forward(self.relu.forward(conv.forward(x)));
        }
        let x = x.flatten::<2>(1, 3);
        self.dense2.forward(self.relu.forward(self.dense1.forward(x)))
    }
}

/// What a step needs; the pictures and labels stay the same, as only time is measured.
struct Training {
    model: ScratchCnn,
    adam: ModuleOptimizer,
    cross_entropy: CrossEntropyLoss,
    x: Tensor<4>,
    labels: Tensor<1, Int>,
}

impl Training {
    fn new(device: &Device, batch: usize) -> Self {
        let labels: Vec<i32> = (0..batch).map(|picture| (picture % CLASSES) as i32).collect();
        Self {
            model: ScratchCnn::new(device),
            adam: AdamConfig::new().with_epsilon(1e-7).init(),
            cross_entropy: CrossEntropyLossConfig::new().init(device),
            x: Tensor::random([batch, 3, SIDE, SIDE], Distribution::Uniform(0.0, 1.0), device),
            labels: Tensor::from_data(labels.as_slice(), device),
        }
    }

    /// Runs one step; returns its loss.
    fn step(&mut self) -> f32 {
        let loss = self.cross_entropy.forward(self.model.forward(self.x.clone()), self.labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        self.model = self.adam.step(1e-3, self.model.clone(), gradients);
        loss.into_scalar()
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (device, batch) = match arguments.as_slice() {
        [backend, batch] => (device(backend), batch.parse().unwrap_or_else(|_| usage())),
        _ => usage(),
    };
    let mut training = Training::new(&device.autodiff(), batch);
    for line in std::io::stdin().lock().lines() {
        line.expect("standard input is text");
        let start = Instant::now();
        let loss = training.step();
        println!("{:.6} {loss:.6}", start.elapsed().as_secs_f64());
        std::io::stdout().flush().expect("standard output is open");
    }
}

#[allow(deprecated)] // burn's older CPU backend, still the better known one
fn device(name: &str) -> Device {
    match name {
        "flex" => Device::flex(),
        "ndarray" => Device::ndarray(),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: rival-burn flex|ndarray BATCH");
    std::process::exit(2)
}
