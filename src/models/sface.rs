//! SFace: a picture of a face to 128 numbers of length 1, near each other for pictures of one person, also in a mask.
//!
//! A MobileNet whose ReLUs have slopes, trained with a sigmoid-constrained hypersphere loss (Zhong, Deng, Hu, Zhao, Li, Wen,
//! "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition", IEEE Transactions on Image Processing 30, 2021).
//! Batch normalisation is folded into its convolutions and its last layer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{FacePlacement, Model};
use crate::formats::safetensors;
use crate::nn::layers::{Conv2d, Dense, Flatten, Prelu, SeparableBlock, UnitNormalization};
use crate::nn::{Layer, LayerActivation};
use crate::ops::Normalize;
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// Numbers that it makes of a picture.
pub const SFACE_FEATURES: usize = 128;

/// Distance from which a face is a [stranger](super::Strangers)'s where no held-out photos tell: one in a hundred photos of the sets
/// `orl`, `celeb5`, `gates-bezos`, `lfw10`, `people-small` and `bbt` together lies nearer to another person.
pub const SFACE_STRANGERS: f32 = 0.46;
/// As [`FACE_SCALE`](super::FACE_SCALE): the median of 8, 5 and 64, the most probable ones of `gates-bezos`, `people-small` and `orl`.
pub const SFACE_SCALE: f64 = 8.0;

/// Output channels and stride of the blocks.
const BLOCKS: [(usize, usize); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// Pixels as the network was trained on: (RGB − 127.5) / 128, as the original file has it.
pub fn sface_normalize() -> Normalize {
    Normalize { scale: [1.0 / 128.0; 4], offset: [-127.5 / 128.0; 4], reverse: false }
}

/// The network up to its 128 numbers, for RGB pictures of 112 × 112 as `detect::place_face` makes them with
/// [`FacePlacement::ArcFace`]; 9,629,632 parameters, all frozen.
pub fn sface_base() -> Model {
    let first = Conv2d { activation: LayerActivation::LINEAR, ..Conv2d::same_relu("conv1", 32, 3) };
    let slopes = Prelu { name: "conv1_slopes".into(), rank: 4 };
    let mut layers: Vec<Arc<dyn Layer>> = vec![Arc::new(first), Arc::new(slopes)];
    for (number, (filters, stride)) in (1..).zip(BLOCKS) {
        layers.push(Arc::new(SeparableBlock {
            name: format!("block{number}"),
            filters,
            strides: [stride; 2],
        }));
    }
    layers.push(Arc::new(Flatten { name: "flatten".into() }));
    layers.push(Arc::new(Dense::new("embedding", SFACE_FEATURES, LayerActivation::LINEAR)));
    layers.push(Arc::new(UnitNormalization { name: "unit".into() }));
    let (size, frozen) = (FacePlacement::ArcFace.size(), layers.len());
    Model { name: "sface".into(), input: Shape::from([size, size, 3]), layers, frozen }
}

/// The [network](sface_base), frozen, and a dense softmax layer on its numbers with an output for each of `classes` people.
pub fn sface(classes: usize) -> Model {
    let mut model = sface_base();
    model.layers.push(Arc::new(Dense::new("people", classes, LayerActivation::Softmax)));
    model
}

/// The network's weights, which ship with the crate as 16-bit floats, for [`sface_base`].
///
/// # Errors
/// [`Error::Input`] if the crate was built without the feature `sface-weights`.
pub fn sface_weights() -> Result<BTreeMap<String, HostTensor>> {
    #[cfg(feature = "sface-weights")]
    const WEIGHTS: Option<&[u8]> = Some(include_bytes!("../../assets/sface/sface.safetensors"));
    #[cfg(not(feature = "sface-weights"))]
    const WEIGHTS: Option<&[u8]> = None;
    let bytes = WEIGHTS.ok_or_else(|| {
        Error::Input(
            "SFace's weights were left out when this program was built; build it with the feature sface-weights".into(),
        )
    })?;
    Ok(safetensors::read_bytes(Path::new("assets/sface/sface.safetensors"), bytes)?.tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::models::Summary;

    #[test]
    fn its_sizes_are_those_of_the_paper() -> Result<()> {
        let base = sface_base();
        let trace = base.trace(2)?;
        let sides: Vec<usize> = trace[..15].iter().map(|layer| layer.output[1]).collect();
        assert_eq!(sides, [112, 112, 112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7]);
        assert_eq!(trace.last().unwrap().output[..], [2, SFACE_FEATURES]);
        let parameters = base.parameters()?;
        assert_eq!(parameters.iter().map(|p| p.shape.len()).sum::<usize>(), 9_629_632);
        assert!(parameters.iter().all(|p| !p.trainable));
        Ok(())
    }

    #[test]
    fn only_the_last_layer_is_trained() -> Result<()> {
        let model = sface(7);
        let trained: Vec<String> =
            model.parameters()?.into_iter().filter(|p| p.trainable).map(|p| p.name).collect();
        assert_eq!(trained, ["people/kernel", "people/bias"]);
        assert_eq!(model.classes()?, 7);
        Ok(())
    }

    #[test]
    fn it_survives_the_round_trip_and_is_summed_up() {
        let model = sface(3);
        let again = Model::from_keras(&model.to_keras()).unwrap();
        assert_eq!(again.to_keras(), model.to_keras());
        assert_eq!(again.parameters().unwrap(), model.parameters().unwrap());
        let text = Summary::new(&model, 2, &Device::cpu()).unwrap().to_string();
        assert!(text.contains("block13 (SeparableBlock)") && text.contains("unit"), "{text}");
    }

    #[cfg(feature = "sface-weights")]
    #[test]
    fn the_weights_that_ship_fit() {
        let weights = sface_weights().unwrap();
        sface_base().check(&weights).unwrap();
        assert_eq!(weights.len(), sface_base().parameters().unwrap().len());
    }
}
