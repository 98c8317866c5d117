//! Operators at shapes that somebody asks about, with their gradients.

use super::document::Group;
use super::measure::{Effort, operators};
use super::networks::fill;
use super::variants::{Contest, contests};
use crate::graph::{Graph, Params, Plan, Var};
use crate::ops::{self, Activation, Padding};
use crate::tensor::TensorType;
use crate::{Device, Result};

/// An operator with its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// A convolution with ReLU, stride 1 and padding that keeps the picture's size.
    Conv2d {
        /// Pictures.
        batch: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels of a picture.
        inputs: usize,
        /// Channels of the result.
        outputs: usize,
        /// Side of the window.
        window: usize,
    },
    /// A dense layer with ReLU.
    Dense {
        /// Rows.
        batch: usize,
        /// Features of a row.
        inputs: usize,
        /// Features of the result.
        outputs: usize,
    },
}

/// The numbers of a list such as `8,56,56,64`.
fn numbers<const N: usize>(text: &str, names: &str) -> std::result::Result<[usize; N], String> {
    let numbers: Option<Vec<usize>> =
        text.split(',').map(|number| number.trim().parse().ok().filter(|&n| n > 0)).collect();
    let wanted = || format!("give {N} whole numbers from 1, {names}");
    numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(wanted)
}

impl Given {
    /// A convolution from `N,H,W,C,O,K`.
    ///
    /// # Errors
    /// What to give in its place.
    pub fn conv2d(text: &str) -> std::result::Result<Given, String> {
        let [batch, height, width, inputs, outputs, window] = numbers(text, "as 8,56,56,64,128,3")?;
        Ok(Given::Conv2d { batch, height, width, inputs, outputs, window })
    }

    /// A dense layer from `N,I,O`.
    ///
    /// # Errors
    /// What to give in its place.
    pub fn dense(text: &str) -> std::result::Result<Given, String> {
        let [batch, inputs, outputs] = numbers(text, "as 16,50176,128")?;
        Ok(Given::Dense { batch, inputs, outputs })
    }

    /// Its name and sizes: `conv2d 8,56,56,64,128,3`.
    pub fn title(&self) -> String {
        match *self {
            Given::Conv2d { batch, height, width, inputs, outputs, window } => {
                format!("conv2d {batch},{height},{width},{inputs},{outputs},{window}")
            }
            Given::Dense { batch, inputs, outputs } => format!("dense {batch},{inputs},{outputs}"),
        }
    }

    /// Times it and what its gradient takes.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge) if the device does not hold one of its tensors.
    pub fn measure(&self, device: &Device, effort: &Effort) -> Result<Group> {
        let (graph, outputs) = self.graph()?;
        let mut plan = Plan::new(&graph, &Params::new(device), &outputs)?;
        fill(&mut plan)?;
        Ok(Group { title: self.title(), rows: operators(&mut plan, effort)? })
    }

    /// Times all variants of it, or of what its gradient takes.
    ///
    /// # Errors
    /// As [`Given::measure`].
    pub fn contests(&self, operator: &str, device: &Device, effort: &Effort) -> Result<Vec<Contest>> {
        let (graph, outputs) = self.graph()?;
        contests(operator, &self.title(), &graph, &outputs, device, effort)
    }

    /// The operator and its gradients, and what is read of them.
    fn graph(&self) -> Result<(Graph, Vec<Var>)> {
        let [x, weight, outputs] = match *self {
            Given::Conv2d { batch, height, width, inputs, outputs, window } => {
                let weight = TensorType::f32([window, window, inputs, outputs]);
                [TensorType::f32([batch, height, width, inputs]), weight, TensorType::f32([outputs])]
            }
            Given::Dense { batch, inputs, outputs } => {
                let x = TensorType::f32([batch, inputs]);
                [x, TensorType::f32([inputs, outputs]), TensorType::f32([outputs])]
            }
        };
        // No states: what depends on states alone is computed once.
        let mut graph = Graph::new();
        let [x, weight, bias] =
            [("x", x), ("weight", weight), ("bias", outputs)].map(|(name, ty)| graph.input(name, ty));
        let y = self.append(&mut graph, [x, weight, bias])?;
        let dy = graph.input("dy", graph.ty(y).clone());
        let gradients = graph.gradients_of(&[(y, dy)], &[x, weight, bias])?;
        Ok((graph, gradients.into_iter().chain([y]).collect()))
    }

    fn append(&self, graph: &mut Graph, [x, weight, bias]: [Var; 3]) -> Result<Var> {
        let activation = Activation::Relu;
        match self {
            Given::Conv2d { .. } => {
                let conv = ops::Conv2d { padding: Padding::Same, activation, ..ops::Conv2d::default() };
                graph.conv2d(x, weight, Some(bias), conv)
            }
            Given::Dense { .. } => graph.dense(x, weight, Some(bias), activation),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let conv = Given::conv2d("8,56,50,64,128,3").unwrap();
        let expected = Given::Conv2d { batch: 8, height: 56, width: 50, inputs: 64, outputs: 128, window: 3 };
        assert_eq!((conv, conv.title().as_str()), (expected, "conv2d 8,56,50,64,128,3"));
        for wrong in ["", "8,56,56,64,128", "8,56,56,64,128,3,1", "8,56,56,64,128,0", "8,56,56,64,128,x"] {
            assert!(Given::conv2d(wrong).unwrap_err().contains("6 whole numbers"), "{wrong}");
        }
        assert_eq!(Given::dense("2, 3, 4"), Ok(Given::Dense { batch: 2, inputs: 3, outputs: 4 }));
    }

    #[test]
    fn an_operator_is_timed_with_its_gradients() {
        let effort = Effort { seconds: 0.0, runs: 1 };
        let group = Given::conv2d("2,6,6,3,4,3").unwrap().measure(&Device::cpu(), &effort).unwrap();
        let operators: Vec<&str> = group.rows.iter().map(|row| row.operator).collect();
        for operator in ["conv2d", "conv2d_input_gradient", "conv2d_weight_gradient", "column_sum"] {
            assert!(operators.contains(&operator), "{operator} among {operators:?}");
        }
        assert!(group.rows.iter().all(|row| row.seconds.len() == 1 && row.seconds[0] > 0.0 && row.bytes > 0));
        assert_eq!(group.rows[0].flops, 2 * (2 * 6 * 6) * 4 * 27);
    }
}
