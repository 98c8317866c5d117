//! What `lookalike bench` measures: the device's own ceilings, operators below them, whole networks.

pub mod ceilings;
mod compare;
mod document;
mod measure;
mod networks;
mod roofline;
mod shapes;
pub mod variants;

pub use ceilings::{Ceiling, Ceilings};
pub use compare::{Change, Comparison, compare};
pub use document::{Bench, Group, Whole};
pub use measure::{Effort, Measured, operators, whole};
pub use networks::{NETWORKS, Network};
pub use roofline::{Bound, Point, Roof};
pub use shapes::Given;
pub use variants::{Contest, Variant};
