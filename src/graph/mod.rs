//! A graph that is built once and run many times: shapes are checked while it is built, gradients are nodes,
//! and a [`Plan`] is the graph compiled for a device.

mod arena;
mod builtin;
mod constants;
mod engine;
mod fused;
mod gradients;
mod lower;
mod memory;
mod operator;
mod plan;
mod program;
mod schedule;
mod state;
mod traffic;
mod trials;
mod workspace;

pub use arena::{Graph, Var};
pub(crate) use builtin::KERNELS as BUILTIN_KERNELS;
pub use memory::Memory;
pub(crate) use memory::bytes;
pub(crate) use operator::{Gradients, Node, Operator, Place, Reader};
pub use plan::Plan;
pub use program::Choice;
pub(crate) use program::{Grid, Io, PlanBuilder, Tensor};
pub use state::{Params, PendingState};
pub use traffic::Traffic;
pub use trials::Trial;
pub use workspace::Workspace;
