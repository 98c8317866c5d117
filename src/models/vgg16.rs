//! VGG16 and the recogniser on top of it: a pretrained, frozen base and a small head.

use std::sync::Arc;

use super::Model;
use crate::nn::layers::{BatchNormalization, Conv2d, Dense, Dropout, Flatten, MaxPooling2d};
use crate::nn::{Layer, LayerActivation};
use crate::tensor::Shape;
use crate::{Error, Result};

/// Channels of the five blocks, and convolutions in each.
const BLOCKS: [(usize, usize); 5] = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];

/// The smallest picture that five poolings leave anything of.
const LEAST_SIZE: usize = 32;

/// The convolutional base of VGG16 for pictures of `size × size × 3`: five blocks of 3×3 `same` convolutions with ReLU,
/// each with 2×2 max-pooling behind it. Layers have Keras's names, `block1_conv1` to `block5_pool`; 14,714,688
/// parameters, all frozen. (Simonyan and Zisserman, ICLR 2015, configuration D.)
///
/// # Errors
/// [`Error::Input`] for pictures below 32×32.
pub fn vgg16_base(size: usize) -> Result<Model> {
    if size < LEAST_SIZE {
        return Err(Error::Input(format!(
            "VGG16 needs pictures of {LEAST_SIZE}×{LEAST_SIZE} or larger, given {size}×{size}; cut larger crops (--size)"
        )));
    }
    let mut layers: Vec<Arc<dyn Layer>> = Vec::new();
    for (block, (channels, convolutions)) in (1..).zip(BLOCKS) {
        for number in 1..=convolutions {
            layers.push(Arc::new(Conv2d::same_relu(&format!("block{block}_conv{number}"), channels, 3)));
        }
        layers.push(Arc::new(MaxPooling2d::square(&format!("block{block}_pool"), 2)));
    }
    let frozen = layers.len();
    Ok(Model { name: "vgg16".into(), input: Shape::from([size, size, 3]), layers, frozen })
}

/// Sizes of [`vgg16`].
#[derive(Clone, Debug, PartialEq)]
pub struct Vgg16 {
    /// Height and width of a picture (224).
    pub size: usize,
    /// Units of the hidden dense layer (256).
    pub dense: usize,
    /// Share dropped behind it (0.5).
    pub dropout: f32,
    /// People to tell apart.
    pub classes: usize,
}

impl Vgg16 {
    /// The tutorial's sizes for this many people.
    pub fn new(classes: usize) -> Vgg16 {
        Vgg16 { size: 224, dense: 256, dropout: 0.5, classes }
    }
}

/// The [base](vgg16_base), frozen, then flatten, dense ReLU, dropout, batch normalisation and dense softmax. The base's
/// weights come from a file; the head starts Glorot-uniform.
///
/// # Errors
/// As [`vgg16_base`].
pub fn vgg16(sizes: &Vgg16) -> Result<Model> {
    let mut model = vgg16_base(sizes.size)?;
    model.layers.push(Arc::new(Flatten { name: "flatten".into() }));
    model.layers.push(Arc::new(Dense::new("dense1", sizes.dense, LayerActivation::RELU)));
    model.layers.push(Arc::new(Dropout { name: "dropout".into(), rate: sizes.dropout }));
    model.layers.push(Arc::new(BatchNormalization::new("batch_normalization")));
    model.layers.push(Arc::new(Dense::new("dense2", sizes.classes, LayerActivation::Softmax)));
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_kerass() {
        // keras.applications.VGG16(include_top=False).count_params()
        let base = vgg16_base(224).unwrap();
        let parameters = base.parameters().unwrap();
        assert_eq!(parameters.iter().map(|p| p.shape.len()).sum::<usize>(), 14_714_688);
        assert!(parameters.iter().all(|p| !p.trainable));
        assert_eq!(base.trace(2).unwrap().last().unwrap().output[..], [2, 7, 7, 512]);
        assert_eq!(parameters[0].name, "block1_conv1/kernel");
        assert_eq!(parameters[25].name, "block5_conv3/bias");
    }

    #[test]
    fn only_the_head_is_trained() {
        let model = vgg16(&Vgg16::new(5)).unwrap();
        let trained: Vec<String> =
            model.parameters().unwrap().into_iter().filter(|p| p.trainable).map(|p| p.name).collect();
        let head = ["dense1/kernel", "dense1/bias", "batch_normalization/gamma", "batch_normalization/beta"];
        assert_eq!(trained[..4], head);
        assert_eq!(trained[4..], ["dense2/kernel", "dense2/bias"]);
        assert_eq!(model.classes().unwrap(), 5);
    }

    #[test]
    fn a_picture_too_small_is_refused() {
        assert!(vgg16_base(31).unwrap_err().to_string().contains("given 31×31"));
        assert!(vgg16_base(32).unwrap().trace(1).is_ok());
    }
}
