//! burn's training step of the scratch CNN and forward pass of VGG16, for a driver that lets rivals take turns.
//!
//! Backends: `flex` and `ndarray`, on the CPU; `wgpu`, which takes the adapter it likes best, and `wgpu-software`.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, DeviceKind, Int, Tensor, TensorData};
use rival::{EPSILON, RATE, Task};

/// Blocks of convolutions, and the dense layers behind them.
#[derive(Module, Debug)]
struct Network {
    blocks: Vec<Vec<Conv2d>>,
    dense: Vec<Linear>,
    relu: Relu,
    pool: MaxPool2d,
}

impl Network {
    fn new(task: &Task, device: &Device) -> Self {
        let mut number = 0;
        let mut conv = || {
            let name = format!("conv{number}");
            number += 1;
            let [out, channels] = [0, 1].map(|axis| task.array(&format!("{name}.weight")).shape[axis]);
            let config = Conv2dConfig::new([channels, out], [3, 3]).with_padding(PaddingConfig2d::Same);
            let mut conv = config.init(device);
            conv.weight = Param::from_tensor(tensor(task, &format!("{name}.weight"), device));
            conv.bias = Some(Param::from_tensor(tensor(task, &format!("{name}.bias"), device)));
            conv
        };
        let blocks = task.blocks.iter().map(|&(_, count)| (0..count).map(|_| conv()).collect()).collect();
        let dense = |number: usize| {
            let name = format!("dense{number}");
            let weight: Tensor<2> = tensor(task, &format!("{name}.weight"), device);
            let [out, width] = weight.dims();
            let mut dense = LinearConfig::new(width, out).init(device);
            // As a tensor of its own, not a view of what was loaded.
            let turned = Tensor::from_data(weight.transpose().into_data(), device);
            dense.weight = Param::from_tensor(turned);
            dense.bias = Some(Param::from_tensor(tensor(task, &format!("{name}.bias"), device)));
            dense
        };
        Self {
            blocks,
            dense: if task.trains { vec![dense(0), dense(1)] } else { vec![] },
            relu: Relu::new(),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    /// Features `[batch, channels, height, width]` of `x` `[batch, 3, height, width]`.
    fn features(&self, mut x: Tensor<4>) -> Tensor<4> {
        for block in &self.blocks {
            for conv in block {
                x = self.relu.forward(conv.forward(x));
            }
            x = self.pool.forward(x);
        }
        x
    }

    /// Logits `[batch, classes]`.
    fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.features(x).flatten::<2>(1, 3);
        self.dense[1].forward(self.relu.forward(self.dense[0].forward(x)))
    }
}

fn tensor<const D: usize>(task: &Task, name: &str, device: &Device) -> Tensor<D> {
    let array = task.array(name);
    Tensor::from_data(TensorData::new(array.values, array.shape), device)
}

struct Training {
    model: Network,
    adam: ModuleOptimizer,
    cross_entropy: CrossEntropyLoss,
    x: Tensor<4>,
    labels: Tensor<1, Int>,
}

impl Training {
    /// Runs one step; returns its loss.
    fn step(&mut self) -> f32 {
        let loss = self.cross_entropy.forward(self.model.logits(self.x.clone()), self.labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        self.model = self.adam.step(RATE, self.model.clone(), gradients);
        let loss = loss.into_scalar();
        // A step has ended when its weights are there, not only its loss.
        self.x.device().sync().expect("the device works");
        loss
    }
}

fn main() {
    let task = Task::from_arguments();
    let device = device(&task.backend);
    if task.trains {
        let device = device.autodiff();
        let labels: Vec<i32> = task.labels().into_iter().map(|label| label as i32).collect();
        let mut training = Training {
            model: Network::new(&task, &device),
            adam: AdamConfig::new().with_epsilon(EPSILON as f32).init(),
            cross_entropy: CrossEntropyLossConfig::new().init(&device),
            x: tensor(&task, "x", &device),
            labels: Tensor::from_data(labels.as_slice(), &device),
        };
        task.serve(|| vec![training.step()]);
    } else {
        let model = Network::new(&task, &device);
        let x: Tensor<4> = tensor(&task, "x", &device);
        task.serve(|| {
            model.features(x.clone()).into_data().try_to_vec::<f32>().expect("features are floats")
        });
    }
}

#[allow(deprecated)] // burn's older CPU backend, still the better known one
fn device(name: &str) -> Device {
    match name {
        "flex" => Device::flex(),
        "ndarray" => Device::ndarray(),
        "wgpu" => Device::wgpu(DeviceKind::DefaultDevice),
        "wgpu-software" => Device::wgpu(DeviceKind::Cpu),
        _ => rival::unknown_backend("flex, ndarray, wgpu, wgpu-software"),
    }
}
