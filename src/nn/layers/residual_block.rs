//! Two convolutions with a shortcut around them.

use serde_json::{Map, Value, json};

use super::{Conv2d, config};
use crate::Result;
use crate::graph::Var;
use crate::nn::{Build, Layer, LayerActivation, Parameter, widened};
use crate::ops::{Activation, Padding, Pool2d};
use crate::tensor::Shape;

/// relu(conv_b(relu(conv_a(x))) + shortcut(x)) on `[batch, height, width, channels]`, as dlib builds it (He, Zhang, Ren,
/// Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, without parameters in the shortcut). Keras has no such
/// layer.
///
/// Both convolutions are 3 × 3 and padded, and the shortcut is x itself. With `halve`, conv_a has stride 2 and no padding,
/// and the shortcut is the mean over 2 × 2 pixels. Where the two sides differ in size or channels, the
/// smaller is [extended with zeros](crate::graph::Graph::residual_add).
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualBlock {
    /// Name in the model; the convolutions are called after it, with `_a` and `_b`.
    pub name: String,
    /// Output channels of both convolutions.
    pub filters: usize,
    /// Whether height and width are halved.
    pub halve: bool,
}

impl ResidualBlock {
    /// Its class name, which is not one of Keras's.
    pub const CLASS: &str = "ResidualBlock";

    fn convolutions(&self) -> [Conv2d; 2] {
        let conv = |letter: &str| Conv2d::same_relu(&format!("{}_{letter}", self.name), self.filters, 3);
        let a = match self.halve {
            true => Conv2d { strides: [2; 2], padding: Padding::Valid, ..conv("a") },
            false => conv("a"),
        };
        [a, Conv2d { activation: LayerActivation::LINEAR, ..conv("b") }]
    }
}

impl Layer for ResidualBlock {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        ResidualBlock::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        config([("filters", json!(self.filters)), ("halve", json!(self.halve))])
    }

    fn parameters(&self, input: &Shape) -> Result<Vec<Parameter>> {
        let [a, b] = self.convolutions();
        let mut parameters = a.parameters(input)?;
        // Only the channels matter to a kernel.
        let [batch, height, width, _] = input.dims().expect("the first convolution takes images");
        parameters.extend(b.parameters(&Shape::from([batch, height, width, self.filters]))?);
        Ok(parameters)
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let [a, b] = self.convolutions();
        let y = a.build(build, x)?;
        let y = b.build(build, y)?;
        let y = widened(build.graph, y)?;
        let shortcut = match self.halve {
            true => build.graph.avg_pool2d(x, Pool2d::square(2))?,
            false => x,
        };
        build.graph.residual_add(y, shortcut, Activation::Relu)
    }
}
