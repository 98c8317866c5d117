//! The tutorial's network from scratch: convolutions and max-pooling, then dense layers.

use std::sync::Arc;

use super::Model;
use crate::nn::layers::{Conv2d, Dense, Dropout, Flatten, MaxPooling2d};
use crate::nn::{Layer, LayerActivation};
use crate::tensor::Shape;

/// Sizes of [`scratch_cnn`].
#[derive(Clone, Debug, PartialEq)]
pub struct ScratchCnn {
    /// Height and width of a picture (224).
    pub size: usize,
    /// Channels after each stage (16, 32, 64).
    pub widths: Vec<usize>,
    /// Units of the hidden dense layer (128).
    pub dense: usize,
    /// Share dropped before the last layer (0.2).
    pub dropout: f32,
    /// People to tell apart.
    pub classes: usize,
}

impl ScratchCnn {
    /// The tutorial's sizes for this many people: 224×224×3 pictures become 28×28×64 features.
    pub fn new(classes: usize) -> ScratchCnn {
        ScratchCnn { size: 224, widths: vec![16, 32, 64], dense: 128, dropout: 0.2, classes }
    }
}

/// Stages of a 3×3 `same` convolution with ReLU and 2×2 max-pooling, then flatten, dense ReLU, dropout and dense
/// softmax. Weights start Glorot-uniform.
pub fn scratch_cnn(sizes: &ScratchCnn) -> Model {
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for (index, &width) in sizes.widths.iter().enumerate() {
        let stage = index + 1;
        layers.push(Arc::new(Conv2d::same_relu(&format!("conv{stage}"), width, 3)));
        layers.push(Arc::new(MaxPooling2d::square(&format!("pool{stage}"), 2)));
    }
    layers.push(Arc::new(Flatten { name: "flatten".into() }));
    layers.push(Arc::new(Dense::new("dense1", sizes.dense, LayerActivation::RELU)));
    layers.push(Arc::new(Dropout { name: "dropout".into(), rate: sizes.dropout }));
    layers.push(Arc::new(Dense::new("dense2", sizes.classes, LayerActivation::Softmax)));
    Model { name: "scratch_cnn".into(), input: Shape::from([sizes.size, sizes.size, 3]), layers, frozen: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_are_the_tutorials() {
        let model = scratch_cnn(&ScratchCnn::new(10));
        let trace = model.trace(1).unwrap();
        assert_eq!(trace[5].output[..], [1, 28, 28, 64]);
        assert_eq!(model.classes().unwrap(), 10);
        let parameters: usize = model.parameters().unwrap().iter().map(|p| p.shape.len()).sum();
        // 3·3·3·16+16 + 3·3·16·32+32 + 3·3·32·64+64 + 50176·128+128 + 128·10+10
        assert_eq!(parameters, 448 + 4_640 + 18_496 + 6_422_656 + 1_290);
    }
}
