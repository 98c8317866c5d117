//! The network on burn, written by hand; its weights are those of Lookalike's model file.

use std::error::Error;

use burn::module::Param;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

const SIDE: usize = 224;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let device = Device::flex();
    let file = std::fs::read(&arguments[1])?;
    let network = Network::new(&SafeTensors::deserialize(&file)?, &device)?;
    let picture = floats(&std::fs::read(&arguments[2])?);
    let x = Tensor::from_data(TensorData::new(picture, [1, SIDE, SIDE, 3]), &device);
    let probabilities =
        network.forward(x).into_data().try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    println!("{probabilities:?}");
    Ok(())
}

struct Network {
    convs: Vec<Conv2d>,
    dense: [Linear; 2],
    pool: MaxPool2d,
}

impl Network {
    fn new(file: &SafeTensors<'_>, device: &Device) -> Result<Network, Box<dyn Error>> {
        let mut convs = Vec::new();
        for name in ["conv1", "conv2", "conv3"] {
            // Height, width, channels in, channels out: burn's order is out, in, height, width.
            let kernel: Tensor<4> = tensor(file, &format!("{name}/kernel"), device)?;
            let [_, _, channels, filters] = kernel.dims();
            let config = Conv2dConfig::new([channels, filters], [3, 3]).with_padding(PaddingConfig2d::Same);
            let mut conv = config.init(device);
            conv.weight = Param::from_tensor(kernel.permute([3, 2, 0, 1]));
            conv.bias = Some(Param::from_tensor(tensor(file, &format!("{name}/bias"), device)?));
            convs.push(conv);
        }
        let dense = |name: &str| -> Result<Linear, Box<dyn Error>> {
            let kernel: Tensor<2> = tensor(file, &format!("{name}/kernel"), device)?;
            let [width, units] = kernel.dims();
            let mut dense = LinearConfig::new(width, units).init(device);
            dense.weight = Param::from_tensor(kernel);
            dense.bias = Some(Param::from_tensor(tensor(file, &format!("{name}/bias"), device)?));
            Ok(dense)
        };
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        Ok(Network { convs, dense: [dense("dense1")?, dense("dense2")?], pool })
    }

    /// Probabilities `[1, people]` of a picture `[1, 224, 224, 3]`.
    fn forward(&self, picture: Tensor<4>) -> Tensor<2> {
        let mut x = (picture / 255.0).permute([0, 3, 1, 2]);
        for conv in &self.convs {
            x = self.pool.forward(relu(conv.forward(x)));
        }
        // The dense layers' weights are in the order of channels last.
        let features = x.permute([0, 2, 3, 1]).flatten::<2>(1, 3);
        softmax(self.dense[1].forward(relu(self.dense[0].forward(features))), 1)
    }
}

fn tensor<const D: usize>(
    file: &SafeTensors<'_>,
    name: &str,
    device: &Device,
) -> Result<Tensor<D>, Box<dyn Error>> {
    let view = file.tensor(name)?;
    Ok(Tensor::from_data(TensorData::new(floats(view.data()), view.shape().to_vec()), device))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
