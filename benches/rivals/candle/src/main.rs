//! candle's training step of the scratch CNN and forward pass of VGG16, for a driver that lets rivals take turns.
//!
//! Backend: `cpu`. (Its other ones are CUDA and Metal.)

use candle_core::{Device, Result, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rival::{EPSILON, RATE, Task};

/// Weights and biases: of blocks of convolutions, of the dense layers behind them.
struct Network {
    blocks: Vec<Vec<[Var; 2]>>,
    dense: Vec<[Var; 2]>,
}

impl Network {
    fn new(task: &Task) -> Result<Network> {
        let layer = |name: String| -> Result<[Var; 2]> {
            let var = |kind| Var::from_tensor(&tensor(task, &format!("{name}.{kind}"))?);
            Ok([var("weight")?, var("bias")?])
        };
        let mut number = 0..;
        let mut conv = || layer(format!("conv{}", number.next().expect("numbers do not end")));
        let blocks = task.blocks.iter().map(|&(_, count)| (0..count).map(|_| conv()).collect());
        let dense = if task.trains { 0..2 } else { 0..0 };
        Ok(Network {
            blocks: blocks.collect::<Result<_>>()?,
            dense: dense.map(|number| layer(format!("dense{number}"))).collect::<Result<_>>()?,
        })
    }

    /// Features `[batch, channels, height, width]` of `x` `[batch, 3, height, width]`.
    fn features(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            for [weight, bias] in block {
                let bias = bias.reshape((1, (), 1, 1))?;
                x = x.conv2d(weight, 1, 1, 1, 1)?.broadcast_add(&bias)?.relu()?;
            }
            x = x.max_pool2d(2)?;
        }
        Ok(x)
    }

    /// Logits `[batch, classes]`.
    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let dense = |x: &Tensor, [weight, bias]: &[Var; 2]| x.matmul(&weight.t()?)?.broadcast_add(bias);
        let hidden = dense(&self.features(x)?.flatten_from(1)?, &self.dense[0])?.relu()?;
        dense(&hidden, &self.dense[1])
    }
}

fn tensor(task: &Task, name: &str) -> Result<Tensor> {
    let array = task.array(name);
    Tensor::from_vec(array.values, array.shape, &Device::Cpu)
}

fn main() -> Result<()> {
    let task = Task::from_arguments();
    if task.backend != "cpu" {
        rival::unknown_backend("cpu");
    }
    let network = Network::new(&task)?;
    let x = tensor(&task, "x")?;
    if task.trains {
        let labels = Tensor::new(task.labels(), &Device::Cpu)?;
        let parameters = network.blocks.iter().flatten().chain(&network.dense).flatten().cloned().collect();
        let adam = ParamsAdamW { lr: RATE, beta1: 0.9, beta2: 0.999, eps: EPSILON, weight_decay: 0.0 };
        let mut adam = AdamW::new(parameters, adam)?;
        task.serve(|| {
            let loss = network.logits(&x).and_then(|logits| cross_entropy(&logits, &labels));
            let step = loss.and_then(|loss| adam.backward_step(&loss).and_then(|()| loss.to_scalar()));
            vec![step.expect("candle trains it")]
        });
    } else {
        // Not variables: nothing is kept for a gradient.
        let features = || network.features(&x)?.flatten_all()?.to_vec1();
        task.serve(|| features().expect("candle runs it"));
    }
    Ok(())
}
