//! Pictures of results, from numbers only: the confusion matrix, the learning curves.

mod canvas;
mod confusion;
mod curves;

pub use confusion::confusion;
pub use curves::{Curve, Panel, curves};
