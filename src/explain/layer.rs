//! The layer whose output Grad-CAM looks at.

use crate::models::{LayerShape, Model};
use crate::nn::layers::{ResidualBlock, SeparableBlock};
use crate::{Error, Result};

/// Fewest positions along a side that still tell one part of a face from another: 7 × 7 is what ResNet and VGG16 end in.
const LEAST: usize = 7;

/// Layers that are convolutions, or made of them.
const CONVOLUTIONS: [&str; 4] = ["Conv2D", "DepthwiseConv2D", ResidualBlock::CLASS, SeparableBlock::CLASS];

/// Layers that do one and the same to each position, so that what they give is in the place of what they take.
const POINTWISE: [&str; 6] = ["BatchNormalization", "Activation", "ReLU", "LeakyReLU", "PReLU", "Dropout"];

/// The last convolution that has at least 7 × 7 positions, else the one with the most; with the activation behind it.
///
/// It is not always the last one: dlib's network ends in 2 × 2 positions.
///
/// # Errors
/// [`Error::Input`] if none has more than one.
pub(super) fn usual(model: &Model) -> Result<usize> {
    let trace = model.trace(1)?;
    let is_convolution = |at: &usize| CONVOLUTIONS.contains(&model.layers[*at].class_name());
    let candidates = (0..trace.len()).filter(is_convolution).filter(|&at| is_map(&trace[at]));
    let with_sides = candidates.map(|at| (at, positions(&trace[at])));
    // Of equals the last.
    let most = with_sides.max_by_key(|(_, [height, width])| (height * width).min(LEAST * LEAST));
    let Some((at, _)) = most else {
        return Err(Error::Input(format!(
            "the model '{}' has no convolution with more than one position, so there is nothing to look at for Grad-CAM; \
             try --method occlusion",
            model.name
        )));
    };
    let behind = model.layers[at + 1..].iter();
    Ok(at + behind.take_while(|layer| POINTWISE.contains(&layer.class_name())).count())
}

/// The layer of this name.
///
/// # Errors
/// [`Error::Input`] if there is none, or what it gives has no more than one position.
pub(super) fn named(model: &Model, name: &str) -> Result<usize> {
    let trace = model.trace(1)?;
    let maps: Vec<usize> = (0..trace.len()).filter(|&at| is_map(&trace[at])).collect();
    let found = maps.iter().find(|&&at| model.layers[at].name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = maps.iter().map(|&at| model.layers[at].name()).collect();
        Error::Input(format!(
            "the model '{}' has no layer '{name}' with more than one position; choose one of {}",
            model.name,
            names.join(", ")
        ))
    })
}

/// Whether it gives a value for each of several places.
fn is_map(layer: &LayerShape) -> bool {
    layer.output.rank() == 4 && positions(layer).into_iter().product::<usize>() > 1
}

fn positions(layer: &LayerShape) -> [usize; 2] {
    [layer.output[1], layer.output[2]]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::models::{ScratchCnn, Vgg16, face, scratch_cnn, sface, vgg16, vgg16_gap};
    use crate::nn::layers::{Activation, BatchNormalization, Conv2d, Dense, Flatten};
    use crate::nn::{Layer, LayerActivation};
    use crate::tensor::Shape;

    fn name(model: &Model) -> String {
        model.layers[usual(model).unwrap()].name().to_owned()
    }

    #[test]
    fn every_network_has_one() {
        assert_eq!(name(&scratch_cnn(&ScratchCnn::new(3))), "conv3");
        assert_eq!(name(&vgg16(&Vgg16::new(3)).unwrap()), "block5_conv3");
        assert_eq!(name(&vgg16_gap(224, 3).unwrap()), "block4_conv3");
        assert_eq!(name(&face(3)), "block10", "the last with more than 4 × 4 positions");
        assert_eq!(name(&sface(3)), "block13");
    }

    #[test]
    fn normalisation_and_activation_belong_to_the_convolution() {
        let linear = LayerActivation::LINEAR;
        let layers: Vec<Arc<dyn Layer>> = vec![
            Arc::new(Conv2d { activation: linear, ..Conv2d::same_relu("c", 2, 3) }),
            Arc::new(BatchNormalization::new("n")),
            Arc::new(Activation { name: "a".into(), activation: LayerActivation::RELU }),
            Arc::new(Flatten { name: "f".into() }),
            Arc::new(Dense::new("d", 2, LayerActivation::Softmax)),
        ];
        let model = Model { name: "m".into(), input: Shape::from([3, 5, 3]), layers, frozen: 0 };
        assert_eq!(name(&model), "a");
        assert_eq!(named(&model, "c").unwrap(), 0);
        let message = named(&model, "d").unwrap_err().to_string();
        assert!(message.ends_with("choose one of c, n, a"), "{message}");
        let (_, dense) = model.split(4).unwrap();
        assert!(usual(&dense).unwrap_err().to_string().contains("no convolution"));
    }
}
