//! A dense layer: a matrix product with bias and activation.

use super::Activation;
use super::column_sum::Ending;
use super::floats;
use super::matmul::{self, Transpose};
use super::ways::Size;
use crate::error::expect_rank;
use crate::graph::{Gradients, Graph, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::TensorType;
use crate::{Error, Result};

impl Graph {
    /// y = activation(x · weight + bias), as in Keras.
    ///
    /// `x` has shape `[batch, in]`, `weight` `[in, out]`, `bias` `[out]`; the result `[batch, out]`.
    /// `x` and `weight` may both hold 16-bit floats; the bias and the result do not, and there is no gradient then.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shapes do not fit or a leaky ReLU's slope is not positive, [`Error::Type`] if an
    /// input does not hold floats.
    pub fn dense(&mut self, x: Var, weight: Var, bias: Option<Var>, activation: Activation) -> Result<Var> {
        let inputs: Vec<Var> = [x, weight].into_iter().chain(bias).collect();
        self.apply(Dense(activation), &inputs)
    }
}

#[derive(Debug)]
struct Dense(Activation);

impl Dense {
    fn size(inputs: &[TensorType]) -> Result<Size> {
        const OP: &str = "dense";
        let (x, weight) = (&inputs[0].shape, &inputs[1].shape);
        expect_rank(OP, "x", x, 2)?;
        expect_rank(OP, "weight", weight, 2)?;
        if x[1] != weight[0] {
            let problem = format!(
                "x has {} features but weight expects {} (x: {x}, weight: {weight})",
                x[1], weight[0]
            );
            return Err(Error::shape(OP, problem));
        }
        if let Some(bias) = inputs.get(2).map(|bias| &bias.shape) {
            super::expect_bias(OP, bias, weight[1])?;
        }
        Ok(Size { rows: x[0], columns: weight[1], depth: x[1] })
    }
}

impl Operator for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        floats::expect(self.name(), inputs, 2)?;
        self.0.check(self.name())?;
        let Size { rows, columns, .. } = Dense::size(inputs)?;
        Ok(vec![TensorType::f32([rows, columns])])
    }

    fn dispatch(&self, io: &Io, plan: &mut PlanBuilder<'_>) -> Result<()> {
        let size = Dense::size(&io.input_types())?;
        let bias = (io.input_count() == 3).then(|| io.input(2));
        let ending = Ending { bias, activation: self.0 };
        matmul::layer(plan, size, [io.input(0), io.input(1)], io.output(0), ending)
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let (x, weight) = (node.input(0), node.input(1));
        let dy = graph.activation_gradient(node.output(0), dy[0].expect("one output"), self.0)?;
        let dx = graph.matmul(dy, weight, Transpose { a: false, b: true })?;
        let dweight = graph.matmul(x, dy, Transpose { a: true, b: false })?;
        let mut gradients = vec![Some(dx), Some(dweight)];
        if node.inputs.len() == 3 {
            gradients.push(Some(graph.column_sum(dy)?));
        }
        Ok(gradients)
    }

    fn flops(&self, inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        Dense::size(inputs).map_or(0, Size::flops)
    }
}
