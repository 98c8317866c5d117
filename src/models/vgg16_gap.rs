//! VGG16's first four blocks, averaged over the picture, under a linear layer: for few photos of each person.

use std::sync::Arc;

use super::{Model, vgg16_base};
use crate::Result;
use crate::nn::LayerActivation;
use crate::nn::layers::{BatchNormalization, Dense, GlobalAveragePooling2d};

/// Blocks of VGG16 that are taken: the fifth knows objects rather than faces, and pooled it tells people apart less well.
const BLOCKS: usize = 4;

/// Distance from which a face is a [stranger](super::Strangers)'s where no held-out photos tell: at 0.63 to 0.68 one in a hundred
/// photos of strangers passes on `lfw10`, `celeb5`, `people-small` and `bbt`.
pub const VGG16_GAP_STRANGERS: f32 = 0.65;

/// The part of [`vgg16_base`] that [`vgg16_gap`] takes: 7,635,264 parameters, all frozen.
///
/// # Errors
/// As [`vgg16_base`].
pub fn vgg16_gap_base(size: usize) -> Result<Model> {
    let base = vgg16_base(size)?;
    let last = format!("block{BLOCKS}_pool");
    let end = base.layers.iter().position(|layer| layer.name() == last).expect("the block ends in a pooling");
    Ok(base.first(end + 1))
}

/// The [base](vgg16_gap_base), the average of each of its 512 channels and batch normalisation, all frozen, then dense softmax:
/// 513 numbers are learned for each of `classes` people, where the tutorial's head on all of VGG16 learns 6.4 million for
/// everybody. The base's weights come from a file; `train::fit_linear` finds the others.
///
/// # Errors
/// As [`vgg16_base`].
pub fn vgg16_gap(size: usize, classes: usize) -> Result<Model> {
    let mut model = vgg16_gap_base(size)?;
    model.name = "vgg16_gap".into();
    model.layers.push(Arc::new(GlobalAveragePooling2d { name: "average".into() }));
    model.layers.push(Arc::new(BatchNormalization::new("batch_normalization")));
    model.frozen = model.layers.len();
    model.layers.push(Arc::new(Dense::new("people", classes, LayerActivation::Softmax)));
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_layer_is_trained() {
        let model = vgg16_gap(224, 5).unwrap();
        let parameters = model.parameters().unwrap();
        let numbers = |trainable: bool| {
            parameters.iter().filter(|p| p.trainable == trainable).map(|p| p.shape.len()).sum::<usize>()
        };
        assert_eq!([numbers(false), numbers(true)], [7_635_264 + 4 * 512, 5 * 513]);
        assert_eq!(model.layers[model.frozen - 3].name(), "block4_pool");
        assert_eq!(model.classes().unwrap(), 5);
    }

    #[test]
    fn it_survives_the_round_trip() {
        let model = vgg16_gap(64, 3).unwrap();
        let again = Model::from_keras(&model.to_keras()).unwrap();
        assert_eq!(again.to_keras(), model.to_keras());
        assert_eq!((again.frozen, again.parameters().unwrap()), (16, model.parameters().unwrap()));
        assert!(vgg16_gap(31, 3).is_err());
    }
}
