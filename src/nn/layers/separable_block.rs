//! A depthwise convolution and one of single pixels.

use serde_json::{Map, Value, json};

use super::{Conv2d, Prelu, config};
use crate::graph::Var;
use crate::nn::{Build, Initializer, Layer, LayerActivation, Parameter, widened};
use crate::ops::{self, Padding};
use crate::tensor::Shape;
use crate::{Error, Result};

/// Height and width of the depthwise windows.
const WINDOW: usize = 3;

/// prelu(conv(prelu(depthwise_conv(x)))) on `[batch, height, width, channels]`: the block that MobileNet is made of (Howard et
/// al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", 2017), with a PReLU in place of
/// each ReLU. Keras has no such layer.
///
/// The depthwise windows are 3 × 3, padded by one pixel on every side whatever the stride is; where Keras's `same` padding
/// of an even picture with stride 2 would add none before the first pixel. The other convolution takes single pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct SeparableBlock {
    /// Name in the model; its two halves are called after it, with `_depthwise` and `_pointwise`.
    pub name: String,
    /// Output channels.
    pub filters: usize,
    /// Vertical and horizontal stride of the depthwise convolution.
    pub strides: [usize; 2],
}

impl SeparableBlock {
    /// Its class name, which is not one of Keras's.
    pub const CLASS: &str = "SeparableBlock";

    fn depthwise(&self) -> String {
        format!("{}_depthwise", self.name)
    }

    fn pointwise(&self) -> Conv2d {
        let name = format!("{}_pointwise", self.name);
        Conv2d { activation: LayerActivation::LINEAR, ..Conv2d::same_relu(&name, self.filters, 1) }
    }
}

/// The rectifier behind a half of this name.
fn slopes(half: &str) -> Prelu {
    Prelu { name: half.to_owned(), rank: 4 }
}

fn channels(input: &Shape) -> Result<usize> {
    let Some([_, _, _, channels]) = input.dims() else {
        let problem = format!("takes [batch, height, width, channels], given {input}");
        return Err(Error::shape(SeparableBlock::CLASS, problem));
    };
    Ok(channels)
}

impl Layer for SeparableBlock {
    fn name(&self) -> &str {
        &self.name
    }

    fn class_name(&self) -> &'static str {
        SeparableBlock::CLASS
    }

    fn config(&self) -> Map<String, Value> {
        config([("filters", json!(self.filters)), ("strides", json!(self.strides))])
    }

    fn parameters(&self, input: &Shape) -> Result<Vec<Parameter>> {
        let channels = channels(input)?;
        let (depthwise, pointwise) = (self.depthwise(), self.pointwise());
        let of_depthwise = |variable: &str, shape: Shape, initializer| Parameter {
            name: format!("{depthwise}/{variable}"),
            shape,
            initializer,
            trainable: true,
        };
        let kernel = Shape::from([WINDOW, WINDOW, channels, 1]);
        let mut parameters = vec![
            of_depthwise("kernel", kernel, Initializer::GlorotUniform),
            of_depthwise("bias", Shape::from([channels]), Initializer::Zeros),
        ];
        parameters.extend(slopes(&depthwise).parameters(input)?);
        parameters.extend(pointwise.parameters(input)?);
        // Only the channels matter to slopes.
        parameters.extend(slopes(&pointwise.name).parameters(&Shape::from([self.filters]))?);
        Ok(parameters)
    }

    fn build(&self, build: &mut Build<'_>, x: Var) -> Result<Var> {
        let channels = channels(build.graph.shape(x))?;
        let (depthwise, pointwise) = (self.depthwise(), self.pointwise());
        let kernel = build.parameter(&depthwise, "kernel", [WINDOW, WINDOW, channels, 1])?;
        let bias = build.parameter(&depthwise, "bias", [channels])?;
        let windows = ops::DepthwiseConv2d { stride: self.strides, padding: Padding::Explicit([[1; 2]; 2]) };
        let y = build.graph.depthwise_conv2d(x, kernel, Some(bias), windows)?;
        let y = slopes(&depthwise).build(build, y)?;
        let y = pointwise.build(build, y)?;
        let y = widened(build.graph, y)?;
        slopes(&pointwise.name).build(build, y)
    }
}
