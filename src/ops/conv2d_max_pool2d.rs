//! Convolution and max pooling in one: what lies between them never meets a GPU's memory. A plan takes it by itself where
//! nobody else reads the convolution's output, as in prediction and in a frozen base; autograd takes it with the winners of
//! the windows, from which the gradients follow.

use std::any::Any;
use std::sync::Arc;

use super::conv2d::{Conv2d, Geometry};
use super::max_pool2d::{self, MaxPool2d};
use super::max_pool2d_winners::{self, MaxUnpool2d};
use super::{Activation, Padding, Pool2d};
use crate::graph::{Gradients, Graph, Io, Node, Operator, PlanBuilder, Reader, Tensor, Var};
use crate::tensor::{DType, TensorType};
use crate::{Device, Result};

/// A convolution, and the maximum over windows of 2 × 2 of its output.
#[derive(Debug)]
struct Conv2dMaxPool2d {
    conv: Conv2d,
    /// Whether the winners are its second output.
    winners: bool,
}

/// Whether the output of a convolution is pooled.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pooling<'a> {
    None,
    /// By the maximum over windows of 2 × 2.
    Max,
    /// The same, and the winners go there.
    Winners(&'a Tensor),
}

impl<'a> Pooling<'a> {
    pub fn is_pooled(self) -> bool {
        !matches!(self, Pooling::None)
    }

    /// Where the winners go.
    pub fn winners(self) -> Option<&'a Tensor> {
        match self {
            Pooling::Winners(winners) => Some(winners),
            Pooling::None | Pooling::Max => None,
        }
    }
}

/// Whether a reader pools windows of 2 × 2 side by side.
fn pools(reader: &Reader<'_>) -> bool {
    let Some(MaxPool2d(Pool2d { window, stride, padding, ceil })) =
        (reader.operator as &dyn Any).downcast_ref()
    else {
        return false;
    };
    let unpadded = matches!(padding, Padding::Valid | Padding::Explicit([[0, 0], [0, 0]]));
    *window == [2, 2] && *stride == [2, 2] && unpadded && !ceil
}

/// `conv` and `reader` in one, if that one pools its output so.
pub(super) fn fused(conv: Conv2d, reader: &Reader<'_>, device: &Device) -> Option<Arc<dyn Operator>> {
    let fits = pools(reader) && device.gpu().is_some();
    fits.then(|| Arc::new(Conv2dMaxPool2d { conv, winners: false }) as Arc<dyn Operator>)
}

/// The same with the winners, of inputs of these types. A ReLU is told by the winners; four channels share a word of them.
pub(super) fn fused_for_gradients(
    conv: Conv2d,
    reader: &Reader<'_>,
    inputs: &[TensorType],
) -> Option<Arc<dyn Operator>> {
    let fits = pools(reader)
        && matches!(conv.activation, Activation::Linear | Activation::Relu)
        && inputs[0].dtype == DType::F32
        && inputs[1].shape.last().is_some_and(|channels| channels.is_multiple_of(4));
    fits.then(|| Arc::new(Conv2dMaxPool2d { conv, winners: true }) as Arc<dyn Operator>)
}

impl Conv2dMaxPool2d {
    fn geometry(&self, inputs: &[TensorType]) -> Result<Geometry> {
        Geometry::new(&inputs[0].shape, &inputs[1].shape, &self.conv)
    }
}

impl Operator for Conv2dMaxPool2d {
    fn name(&self) -> &'static str {
        "conv2d + max_pool2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let y = self.geometry(inputs)?.y_shape();
        if self.winners {
            return Ok(max_pool2d_winners::outputs(y));
        }
        let [batch, height, width, channels] = y;
        let shape = [batch, height / 2, width / 2, channels].into();
        Ok(vec![TensorType { shape, dtype: inputs[0].dtype }])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let y = io.output(0);
        let pooling = if self.winners { Pooling::Winners(io.output(1)) } else { Pooling::Max };
        if plan.device().gpu().is_some() && self.conv.dispatch_to(io, plan, y, pooling)? {
            return Ok(());
        }
        let shape = self.geometry(&io.input_types())?.y_shape().into();
        let between = plan.scratch(TensorType { shape, dtype: y.ty().dtype });
        self.conv.dispatch_to(io, plan, &between, Pooling::None)?;
        match pooling {
            Pooling::Winners(winners) => {
                max_pool2d_winners::pool_pass(plan, &between, [y, winners], self.conv.activation)
            }
            _ => max_pool2d::forward_pass(plan, &between, y, &Pool2d::square(2)),
        }
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let types: Vec<TensorType> = node.inputs.iter().map(|&input| graph.ty(input).clone()).collect();
        let size = self.geometry(&types)?.axes.map(|axis| axis.out);
        let dy = dy[0].expect("nobody differentiates winners");
        let dy = graph.apply(MaxUnpool2d { size }, &[dy, node.output(1)])?;
        self.conv.gradients(graph, &node.inputs, dy)
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        self.conv.flops(inputs, outputs) + 4 * outputs[0].len() as u64
    }
}
