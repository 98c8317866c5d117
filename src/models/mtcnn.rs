//! The three networks of MTCNN: which part of a photo shows a face, each with a closer look than the one before.
//!
//! Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks", IEEE
//! Signal Processing Letters 23 (2016). What is searched with them, and how, is the business of `detect`.
//!
//! Each network ends in heads for the face, its box and (the last) its landmarks. They stand side by side in one
//! product here: a softmax of two classes is the sigmoid of their difference, so the face's head is one column.

use std::collections::BTreeMap;

use crate::graph::{Graph, Params, Var};
use crate::ops::{Activation, Conv2d, Normalize, Padding, Pool2d};
use crate::tensor::{HostTensor, TensorType};
use crate::{Error, Result};

/// Pixels that a cell of the first network sees, in each direction.
pub const PROPOSAL_WINDOW: usize = 12;
/// Pixels from one cell of the first network to the next.
pub const PROPOSAL_STRIDE: usize = 2;
/// Side of the pictures that the second network is shown.
pub const REFINE_SIDE: usize = 24;
/// Side of the pictures that the third network is shown.
pub const OUTPUT_SIDE: usize = 48;

/// Pixels as the networks were trained on: (RGB − 127.5) / 128.
pub fn normalize() -> Normalize {
    Normalize { scale: [1.0 / 128.0; 4], offset: [-127.5 / 128.0; 4], reverse: false }
}

/// Cells of the first network along an axis of `pixels` pixels; none below its window.
pub fn proposal_cells(pixels: usize) -> usize {
    // A convolution takes 2, the pooling halves and rounds up, two more convolutions take 2 each.
    pixels.saturating_sub(2).div_ceil(2).saturating_sub(4)
}

/// Pixels along an axis that give so many cells, without a pooling window that is cut off.
pub const fn proposal_pixels(cells: usize) -> usize {
    cells * PROPOSAL_STRIDE + PROPOSAL_WINDOW - PROPOSAL_STRIDE
}

/// The first network, P-Net, fully convolutional: for each cell the face's logit and the box's four offsets.
///
/// `x` is `[batch, height, width, 3]` and holds pictures of different sizes; `extent`, u32 `[batch, 2]`, has the rows
/// and columns of each picture, less 2: the extent of its first convolution. The result is `[batch, cells down, cells
/// right, 5]`; cells behind those of a picture mean nothing.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit.
pub fn proposal(graph: &mut Graph, x: Var, extent: Var) -> Result<Var> {
    let mut net = Net { graph, name: "pnet" };
    let y = net.conv(x, 1, [3, 3, 10])?;
    let y = net.graph.max_pool2d_within(y, extent, pool(2))?;
    let y = net.conv(y, 2, [3, 10, 16])?;
    let y = net.conv(y, 3, [3, 16, 32])?;
    net.heads_of_pixels(y, 32, 1 + 4)
}

/// The second network, R-Net: of pictures `[batch, 24, 24, 3]` the face's logit and the box's four offsets,
/// `[batch, 5]`.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit.
pub fn refine(graph: &mut Graph, x: Var) -> Result<Var> {
    let mut net = Net { graph, name: "rnet" };
    let y = net.conv(x, 1, [3, 3, 28])?;
    let y = net.graph.max_pool2d(y, pool(3))?;
    let y = net.conv(y, 2, [3, 28, 48])?;
    let y = net.graph.max_pool2d(y, pool(3))?;
    let y = net.conv(y, 3, [2, 48, 64])?;
    let y = net.dense(y, 4, [576, 128])?;
    net.heads(y, 128, 1 + 4)
}

/// The third network, O-Net: of pictures `[batch, 48, 48, 3]` the face's logit, the box's four offsets and five
/// landmarks, all x before all y, `[batch, 15]`.
///
/// # Errors
/// [`Error::Shape`] if the shapes do not fit.
pub fn output(graph: &mut Graph, x: Var) -> Result<Var> {
    let mut net = Net { graph, name: "onet" };
    let y = net.conv(x, 1, [3, 3, 32])?;
    let y = net.graph.max_pool2d(y, pool(3))?;
    let y = net.conv(y, 2, [3, 32, 64])?;
    let y = net.graph.max_pool2d(y, pool(3))?;
    let y = net.conv(y, 3, [3, 64, 64])?;
    let y = net.graph.max_pool2d(y, pool(2))?;
    let y = net.conv(y, 4, [2, 64, 128])?;
    let y = net.dense(y, 5, [1152, 256])?;
    net.heads(y, 256, 1 + 4 + 10)
}

/// Max pooling of stride 2; a window that reaches over the end counts.
fn pool(window: usize) -> Pool2d {
    Pool2d { window: [window; 2], stride: [2; 2], padding: Padding::Valid, ceil: true }
}

/// A network while it is built: its states are called `name/…`.
struct Net<'a> {
    graph: &'a mut Graph,
    name: &'static str,
}

impl Net<'_> {
    fn state(&mut self, name: &str, shape: &[usize]) -> Result<Var> {
        self.graph.state(&format!("{}/{name}", self.name), TensorType::f32(shape))
    }

    /// Builds the layer of this name.
    fn layer<T>(&mut self, layer: &str, build: impl FnOnce(&mut Net<'_>) -> T) -> T {
        let name = self.name;
        self.graph.labelled(&format!("{name}/{layer}"), |graph| build(&mut Net { graph, name }))
    }

    /// Convolution `number`, with its window's side, inputs and outputs, and its PReLU.
    fn conv(&mut self, x: Var, number: usize, [window, inputs, outputs]: [usize; 3]) -> Result<Var> {
        self.layer(&format!("conv{number}"), |net| {
            let kernel = net.state(&format!("conv{number}/kernel"), &[window, window, inputs, outputs])?;
            let bias = net.state(&format!("conv{number}/bias"), &[outputs])?;
            let y = net.graph.conv2d(x, kernel, Some(bias), Conv2d::default())?;
            net.prelu(y, number, outputs)
        })
    }

    /// Dense layer `number` of the flattened pictures, with its inputs and outputs, and its PReLU.
    fn dense(&mut self, x: Var, number: usize, [inputs, outputs]: [usize; 2]) -> Result<Var> {
        self.layer(&format!("dense{number}"), |net| {
            let flat = net.graph.flatten(x)?;
            let kernel = net.state(&format!("dense{number}/kernel"), &[inputs, outputs])?;
            let bias = net.state(&format!("dense{number}/bias"), &[outputs])?;
            let y = net.graph.dense(flat, kernel, Some(bias), Activation::Linear)?;
            net.prelu(y, number, outputs)
        })
    }

    fn prelu(&mut self, x: Var, number: usize, channels: usize) -> Result<Var> {
        let alpha = self.state(&format!("prelu{number}/alpha"), &[channels])?;
        self.graph.prelu(x, alpha)
    }

    fn heads(&mut self, x: Var, inputs: usize, outputs: usize) -> Result<Var> {
        let (kernel, bias) = (self.state(HEADS[0], &[inputs, outputs])?, self.state(HEADS[1], &[outputs])?);
        self.layer("heads", |net| net.graph.dense(x, kernel, Some(bias), Activation::Linear))
    }

    fn heads_of_pixels(&mut self, x: Var, inputs: usize, outputs: usize) -> Result<Var> {
        let (kernel, bias) =
            (self.state(HEADS[0], &[1, 1, inputs, outputs])?, self.state(HEADS[1], &[outputs])?);
        self.layer("heads", |net| net.graph.conv2d(x, kernel, Some(bias), Conv2d::default()))
    }
}

/// States that hold the heads side by side.
const HEADS: [&str; 2] = ["heads/kernel", "heads/bias"];

/// For each network the layers of its heads: the face's two classes first.
const LAYERS_OF_HEADS: [(&str, &[&str]); 3] = [
    ("pnet", &["conv4_1", "conv4_2"]),
    ("rnet", &["dense5_1", "dense5_2"]),
    ("onet", &["dense6_1", "dense6_2", "dense6_3"]),
];

/// Sets the weights of the three networks in a store, from `weights` with the names of `assets/mtcnn.safetensors`.
///
/// # Errors
/// [`Error::State`] if one is missing; whether their shapes fit is checked when a plan is made.
pub fn load(params: &Params, weights: &BTreeMap<String, HostTensor>) -> Result<()> {
    let find = |name: String| {
        let problem = "is missing; take the weights that ship with the crate".to_owned();
        weights.get(&name).ok_or(Error::State { name, problem })
    };
    for (net, layers) in LAYERS_OF_HEADS {
        for (state, part) in HEADS.into_iter().zip(["kernel", "bias"]) {
            let heads = layers.iter().map(|layer| find(format!("{net}/{layer}/{part}")));
            params.set(&format!("{net}/{state}"), &side_by_side(&heads.collect::<Result<Vec<_>>>()?))?;
        }
        let of_head = |name: &str| layers.iter().any(|layer| name.starts_with(&format!("{net}/{layer}/")));
        let of_net = |name: &&String| name.starts_with(&format!("{net}/")) && !of_head(name);
        for name in weights.keys().filter(of_net) {
            params.set(name, &weights[name])?;
        }
    }
    Ok(())
}

/// The columns (last axis) of the heads in one tensor; of the first head's two, their difference.
fn side_by_side(heads: &[&HostTensor]) -> HostTensor {
    let widths: Vec<usize> = heads.iter().map(|head| head.shape().last().copied().unwrap_or(1)).collect();
    let values: Vec<Vec<f32>> = heads.iter().map(|head| head.to_f32()).collect();
    let rows = values[0].len() / widths[0];
    let mut joined = Vec::new();
    for row in 0..rows {
        for (head, (values, &width)) in values.iter().zip(&widths).enumerate() {
            match (head, &values[row * width..][..width]) {
                (0, [other, face]) => joined.push(face - other),
                (_, columns) => joined.extend(columns),
            }
        }
    }
    let mut shape = heads[0].shape().to_vec();
    *shape.last_mut().expect("a head has outputs") = joined.len() / rows;
    HostTensor::new(shape, joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_of_the_graph() {
        for pixels in 12..60 {
            let mut graph = Graph::new();
            let x = graph.input("x", TensorType::f32([1, pixels, 12, 3]));
            let extent = graph.input("extent", TensorType::u32([1, 2]));
            let y = proposal(&mut graph, x, extent).unwrap();
            assert_eq!(graph.shape(y)[1], proposal_cells(pixels), "{pixels} pixels");
        }
        assert_eq!((proposal_cells(0), proposal_cells(11)), (0, 1), "11 pixels would be a window cut off");
        for cells in 1..40 {
            assert_eq!(proposal_cells(proposal_pixels(cells)), cells);
        }
    }

    #[test]
    fn heads_stand_side_by_side() {
        let face = HostTensor::new([2, 2], vec![1.0f32, 5.0, 2.0, 1.0]);
        let boxes = HostTensor::new([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let joined = side_by_side(&[&face, &boxes]);
        assert_eq!(joined, HostTensor::new([2, 4], vec![4.0f32, 1.0, 2.0, 3.0, -1.0, 4.0, 5.0, 6.0]));
        let bias =
            side_by_side(&[&HostTensor::new([2], vec![0.5f32, 0.25]), &HostTensor::new([1], vec![7.0f32])]);
        assert_eq!(bias, HostTensor::new([2], vec![-0.25f32, 7.0]));
    }
}
