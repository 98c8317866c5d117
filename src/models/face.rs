//! dlib's network for faces: a picture of a face to 128 numbers, near each other for pictures of one person.
//!
//! It is `dlib_face_recognition_resnet_model_v1`, by Davis King: a ResNet of 29 convolutions, trained on about three
//! million faces of 7,485 people so that two pictures of one person lie closer than 0.6 to each other. Batch
//! normalisation is folded into its convolutions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{FacePlacement, Model};
use crate::formats::safetensors;
use crate::nn::layers::{Conv2d, Dense, GlobalAveragePooling2d, MaxPooling2d, ResidualBlock};
use crate::nn::{Layer, LayerActivation};
use crate::ops::{Normalize, Padding};
use crate::tensor::{HostTensor, Shape};
use crate::{Error, Result};

/// Numbers that it makes of a picture.
pub const FACE_FEATURES: usize = 128;

/// Distance from which a face is a [stranger](super::Strangers)'s where no held-out photos tell: at 0.0535 to 0.0556 one in a
/// hundred photos of the sets `orl`, `celeb5` and `gates-bezos` passes for the nearest other person.
pub const FACE_STRANGERS: f32 = 0.054;
/// The same for a face in a mask, whose distance is another one: at 0.048 five of 351 faces with drawn masks, of the sets
/// `orl`, `lfw10`, `celeb5`, `bbt` and `people-small`, and none of 61 in real ones pass for the nearest other person.
pub const FACE_MASKED_STRANGERS: f32 = 0.048;

/// How fast the probability of a person falls with the squared distance of a face, as [`FitOptions`](crate::train::FitOptions) is told
/// before any picture is seen: the geometric mean of 14, 9 and 33, which were the most probable ones of the photos in
/// `gates-bezos`, `people-small` and `orl` with two of each person.
pub const FACE_SCALE: f64 = 16.0;

/// Channels of the residual blocks, and whether a block halves the picture.
const BLOCKS: [(usize, bool); 14] = [
    (32, false),
    (32, false),
    (32, false),
    (64, true),
    (64, false),
    (64, false),
    (64, false),
    (128, true),
    (128, false),
    (128, false),
    (256, true),
    (256, false),
    (256, false),
    (256, true),
];

/// Pixels as the network was trained on: RGB less the mean of its pictures, divided by 256.
pub fn face_normalize() -> Normalize {
    let mean = [122.782, 117.001, 104.298, 0.0];
    Normalize { scale: [1.0 / 256.0; 4], offset: mean.map(|mean: f32| -mean / 256.0), reverse: false }
}

/// The network up to its 128 numbers, for RGB pictures of 150 × 150 as `detect::place_face` makes them with
/// [`FacePlacement::Dlib`]; 5,607,488
/// parameters, all frozen.
pub fn face_base() -> Model {
    let first =
        Conv2d { strides: [2; 2], padding: Padding::Valid, ..Conv2d::same_relu("conv1", BLOCKS[0].0, 7) };
    let pool = MaxPooling2d { pool_size: [3; 2], ..MaxPooling2d::square("pool1", 2) };
    let mut layers: Vec<Arc<dyn Layer>> = vec![Arc::new(first), Arc::new(pool)];
    for (number, (filters, halve)) in (1..).zip(BLOCKS) {
        layers.push(Arc::new(ResidualBlock { name: format!("block{number}"), filters, halve }));
    }
    layers.push(Arc::new(GlobalAveragePooling2d { name: "pool2".into() }));
    let embedding = Dense::new("embedding", FACE_FEATURES, LayerActivation::LINEAR);
    layers.push(Arc::new(Dense { use_bias: false, ..embedding }));
    let (size, frozen) = (FacePlacement::Dlib.size(), layers.len());
    Model { name: "face".into(), input: Shape::from([size, size, 3]), layers, frozen }
}

/// The [network](face_base), frozen, and a dense softmax layer on its numbers with an output for each of `classes` people.
pub fn face(classes: usize) -> Model {
    let mut model = face_base();
    model.layers.push(Arc::new(Dense::new("people", classes, LayerActivation::Softmax)));
    model
}

/// The network's weights, which ship with the crate as 16-bit floats, for [`face_base`].
///
/// # Errors
/// [`Error::Input`] if the crate was built without the feature `face-weights`.
pub fn face_weights() -> Result<BTreeMap<String, HostTensor>> {
    #[cfg(feature = "face-weights")]
    const WEIGHTS: Option<&[u8]> = Some(include_bytes!("../../assets/face/face.safetensors"));
    #[cfg(not(feature = "face-weights"))]
    const WEIGHTS: Option<&[u8]> = None;
    let bytes = WEIGHTS.ok_or_else(|| {
        Error::Input(
            "the weights of dlib's network were left out when this program was built; build it with the feature face-weights"
                .into(),
        )
    })?;
    Ok(safetensors::read_bytes(Path::new("assets/face/face.safetensors"), bytes)?.tensors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::models::Summary;

    #[test]
    fn its_sizes_are_dlibs() -> Result<()> {
        let base = face_base();
        let trace = base.trace(2)?;
        let sides: Vec<usize> = trace.iter().map(|layer| layer.output.get(1).copied().unwrap_or(0)).collect();
        assert_eq!(sides[..16], [72, 35, 35, 35, 35, 17, 17, 17, 17, 8, 8, 8, 4, 4, 4, 2]);
        assert_eq!(trace.last().unwrap().output[..], [2, FACE_FEATURES]);
        let parameters = base.parameters()?;
        assert_eq!(parameters.iter().map(|p| p.shape.len()).sum::<usize>(), 5_607_488);
        assert!(parameters.iter().all(|p| !p.trainable));
        Ok(())
    }

    #[test]
    fn only_the_last_layer_is_trained() -> Result<()> {
        let model = face(7);
        let trained: Vec<String> =
            model.parameters()?.into_iter().filter(|p| p.trainable).map(|p| p.name).collect();
        assert_eq!(trained, ["people/kernel", "people/bias"]);
        assert_eq!(model.classes()?, 7);
        Ok(())
    }

    #[test]
    fn it_survives_the_round_trip_and_is_summed_up() {
        let model = face(3);
        let again = Model::from_keras(&model.to_keras()).unwrap();
        assert_eq!(again.to_keras(), model.to_keras());
        assert_eq!(again.parameters().unwrap(), model.parameters().unwrap());
        let text = Summary::new(&model, 2, &Device::cpu()).unwrap().to_string();
        assert!(text.contains("block14 (ResidualBlock)") && text.contains("5,607,875"), "{text}");
    }

    #[cfg(feature = "face-weights")]
    #[test]
    fn the_weights_that_ship_fit() {
        let weights = face_weights().unwrap();
        face_base().check(&weights).unwrap();
        assert_eq!(weights.len(), face_base().parameters().unwrap().len());
    }
}
