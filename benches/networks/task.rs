//! The weights and pictures that everybody starts from, in a file that rivals read.
//!
//! Ours lie in Keras's layouts: pictures `[batch, height, width, channels]`, convolutions `[height, width, in, out]`, dense
//! weights `[in, out]`. Rivals' are PyTorch's: `[batch, channels, height, width]`, `[out, in, height, width]`, `[out, in]`.
//! What lies behind a flattened picture is turned with it.

use std::collections::BTreeMap;
use std::path::Path;

use lookalike::Device;
use lookalike::formats::safetensors::{TensorFile, write};
use lookalike::graph::Params;
use lookalike::models::Model;
use lookalike::ops::random;
use lookalike::tensor::{Data, HostTensor, Shape};

use crate::common::Result;

pub const CLASSES: usize = 10;
pub const SIDE: usize = 224;
const SEED: u32 = 1;

/// Pictures of noise, as bytes `[batch, SIDE, SIDE, 3]`.
pub fn network_pixels(batch: usize) -> Vec<u8> {
    let byte = |element| random::word(SEED, random::stream("pixels"), 0, element) as u8;
    (0..(batch * SIDE * SIDE * 3) as u32).map(byte).collect()
}

/// Whom a picture shows.
pub fn label(picture: usize) -> usize {
    picture % CLASSES
}

/// A network's first weights.
pub struct Task {
    model: Model,
    weights: BTreeMap<String, HostTensor>,
}

impl Task {
    /// Random weights, the same ones in every run.
    pub fn new(model: Model) -> Result<Task> {
        let params = Params::new(&Device::cpu());
        model.initialize(&params, SEED)?;
        let names = model.parameters()?.into_iter().map(|parameter| parameter.name);
        let weights =
            names.map(|name| Ok((name.clone(), params.get(&name)?))).collect::<lookalike::Result<_>>()?;
        Ok(Task { model, weights })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A store on `device` with the weights.
    pub fn params(&self, device: &Device) -> Result<Params> {
        let params = Params::new(device);
        self.model.load(&params, &self.weights)?;
        Ok(params)
    }

    /// Writes the file for rivals.
    pub fn write(&self, path: &Path, batch: usize) -> Result<()> {
        let pixels = network_pixels(batch).iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let pictures = HostTensor::new([batch, SIDE, SIDE, 3], Data::F32(pixels));
        let labels: Vec<f32> = (0..batch).map(|picture| label(picture) as f32).collect();
        let mut tensors = BTreeMap::from([
            ("x".to_owned(), turned(&pictures, &[0, 3, 1, 2])),
            ("labels".to_owned(), HostTensor::new([batch], labels)),
        ]);
        let (mut convolutions, mut dense) = (0, 0);
        let parameters = self.model.parameters()?;
        for pair in parameters.chunks_exact(2) {
            let [kernel, bias] = [&pair[0], &pair[1]].map(|parameter| &self.weights[&parameter.name]);
            let (name, weight) = match kernel.shape().rank() {
                4 => {
                    convolutions += 1;
                    (format!("conv{}", convolutions - 1), turned(kernel, &[3, 2, 0, 1]))
                }
                _ => {
                    dense += 1;
                    (format!("dense{}", dense - 1), self.dense(kernel)?)
                }
            };
            tensors.insert(format!("{name}.weight"), weight);
            tensors.insert(format!("{name}.bias"), bias.clone());
        }
        write(path, &TensorFile { tensors, metadata: serde_json::Value::Null })?;
        Ok(())
    }

    /// A dense layer's `[in, out]` as `[out, in]`; its inputs in the order of channels first, if they are a flattened
    /// picture.
    fn dense(&self, kernel: &HostTensor) -> Result<HostTensor> {
        let [inputs, outputs] = kernel.shape()[..] else { return Err("a dense kernel is a matrix".into()) };
        let trace = self.model.trace(1)?;
        let picture = trace.iter().map(|layer| &layer.input[..]).find_map(|shape| match shape {
            &[_, height, width, channels] if height * width * channels == inputs => {
                Some([height, width, channels])
            }
            _ => None,
        });
        let Some([height, width, channels]) = picture else { return Ok(turned(kernel, &[1, 0])) };
        let shaped = HostTensor::new([height, width, channels, outputs], kernel.data().clone());
        let turned = turned(&shaped, &[3, 2, 0, 1]);
        Ok(HostTensor::new([outputs, inputs], turned.into_data()))
    }
}

/// The array with its axes in another order.
fn turned(tensor: &HostTensor, order: &[usize]) -> HostTensor {
    let shape: Vec<usize> = order.iter().map(|&axis| tensor.shape()[axis]).collect();
    let stride = |axis: usize| tensor.shape()[axis + 1..].iter().product::<usize>();
    let strides: Vec<usize> = order.iter().map(|&axis| stride(axis)).collect();
    let values = tensor.to_f32();
    let at = |mut index: usize| {
        let mut from = 0;
        for (size, stride) in shape.iter().zip(&strides).rev() {
            from += index % size * stride;
            index /= size;
        }
        values[from]
    };
    let data: Vec<f32> = (0..values.len()).map(at).collect();
    HostTensor::new(Shape::from(shape), data)
}
