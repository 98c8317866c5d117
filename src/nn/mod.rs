//! Layers, initialisers, the loss and optimizers: what turns operators into networks. Knows no file format.

mod activation;
mod init;
mod layer;
pub mod layers;
mod loss;
mod optimizer;

pub use activation::LayerActivation;
pub use init::Initializer;
pub(crate) use layer::widened;
pub use layer::{Build, Layer, Mode, Parameter};
pub use loss::{CrossEntropy, Metrics};
pub use optimizer::Optimizer;
