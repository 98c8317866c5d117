//! The same elements in another shape: a view, which costs nothing.

use crate::graph::{Gradients, Graph, Io, Node, Operator, PlanBuilder, Var};
use crate::tensor::{Shape, TensorType};
use crate::{Error, Result};

impl Graph {
    /// The elements of `x` in row-major order, in another shape of as many elements.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of elements differs.
    pub fn reshape(&mut self, x: Var, shape: impl Into<Shape>) -> Result<Var> {
        self.apply(Reshape(shape.into()), &[x])
    }

    /// `[batch, …]` as `[batch, rest]`: each example as one row.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` has no axis.
    pub fn flatten(&mut self, x: Var) -> Result<Var> {
        let shape = self.shape(x);
        let Some((&batch, rest)) = shape.split_first() else {
            return Err(Error::shape("flatten", format!("x needs a batch axis (x: {shape})")));
        };
        let row = rest.iter().product();
        self.reshape(x, [batch, row])
    }
}

#[derive(Debug)]
struct Reshape(Shape);

impl Operator for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn outputs(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>> {
        let x = &inputs[0];
        if x.len() != self.0.len() {
            let problem = format!(
                "{} elements do not fill the {} of the new shape (x: {}, new: {})",
                x.len(),
                self.0.len(),
                x.shape,
                self.0
            );
            return Err(Error::shape(self.name(), problem));
        }
        Ok(vec![TensorType { shape: self.0.clone(), dtype: x.dtype }])
    }

    fn dispatch(&self, _io: &Io, _plan: &mut PlanBuilder<'_>) -> Result<()> {
        Ok(())
    }

    fn gradient(&self, graph: &mut Graph, node: &Node, dy: &[Option<Var>]) -> Result<Gradients> {
        let shape = graph.shape(node.input(0)).clone();
        Ok(vec![Some(graph.reshape(dy[0].expect("one output"), shape)?)])
    }

    fn is_view(&self) -> bool {
        true
    }

    fn flops(&self, _inputs: &[TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}
