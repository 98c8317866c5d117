//! Convolution and max pooling in one, for GPUs: what lies between them never meets memory. A plan takes it by itself
//! where nobody else reads the convolution's output, as in prediction and in a frozen base.

use std::any::Any;
use std::sync::Arc;

use super::conv2d::{Conv2d, Geometry};
use super::max_pool2d::{self, MaxPool2d};
use super::{Padding, Pool2d};
use crate::graph::{Io, Operator, PlanBuilder, Reader};
use crate::tensor::TensorType;
use crate::{Device, Result};

/// A convolution, and the maximum over windows of 2 × 2 of its output.
#[derive(Debug)]
struct Conv2dMaxPool2d(Conv2d);

/// `conv` and `reader` in one, if that one pools its output so.
pub(super) fn fused(conv: Conv2d, reader: &Reader<'_>, device: &Device) -> Option<Arc<dyn Operator>> {
    let MaxPool2d(Pool2d { window, stride, padding, ceil }) = (reader.operator as &dyn Any).downcast_ref()?;
    let unpadded = matches!(padding, Padding::Valid | Padding::Explicit([[0, 0], [0, 0]]));
    let fits = *window == [2, 2] && *stride == [2, 2] && unpadded && !ceil && device.gpu().is_some();
    fits.then(|| Arc::new(Conv2dMaxPool2d(conv)) as Arc<dyn Operator>)
}

impl Conv2dMaxPool2d {
    fn geometry(&self, inputs: &[TensorType]) -> Result<Geometry> {
        Geometry::new(&inputs[0].shape, &inputs[1].shape, &self.0)
    }
}

impl Operator for Conv2dMaxPool2d {
    fn name(&self) -> &'static str {
        "conv2d + max_pool2d"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let [batch, height, width, channels] = self.geometry(inputs)?.y_shape();
        let shape = [batch, height / 2, width / 2, channels].into();
        Ok(vec![TensorType { shape, dtype: inputs[0].dtype }])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let geometry = self.geometry(&io.input_types())?;
        let y = io.output(0);
        if self.0.dispatch_to(io, plan, y, true)? {
            return Ok(());
        }
        let between = plan.scratch(TensorType { shape: geometry.y_shape().into(), dtype: y.ty().dtype });
        self.0.dispatch_to(io, plan, &between, false)?;
        max_pool2d::forward_pass(plan, &between, y, &Pool2d::square(2))
    }

    fn flops(&self, inputs: &[TensorType], outputs: &[TensorType]) -> u64 {
        self.0.flops(inputs, outputs) + 4 * outputs[0].len() as u64
    }
}
