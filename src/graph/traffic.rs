//! How many bytes a plan moves, beside the least that any plan for the same result must.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::Var;
use super::lower::Program;
use super::memory::bytes;
use super::program::{Origin, Tensor};

/// Bytes between a device's memory and what computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The sum over the dispatches of a run, each of which reads and writes every tensor it binds once; what it updates
    /// in place it reads and writes. What is done only once, as it depends on states alone, does not count.
    pub moved: u64,
    /// What must cross memory even if every intermediate tensor stayed on the chip: inputs and states are read once,
    /// states that change are written once, and so are the outputs.
    pub least: u64,
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ratio = self.moved as f64 / self.least.max(1) as f64;
        write!(f, "{}, {ratio:.1} times the least possible, {}", bytes(self.moved), bytes(self.least))
    }
}

impl Program {
    pub(super) fn traffic(&self, outputs: &HashMap<Var, Tensor>) -> Traffic {
        let ids = |of: fn(&super::program::Dispatch) -> &[(usize, usize)]| -> BTreeSet<usize> {
            self.dispatches.iter().flat_map(of).map(|&(id, _)| id).collect()
        };
        let (read, written) = (ids(|dispatch| &dispatch.reads), ids(|dispatch| &dispatch.writes));
        let kept: BTreeSet<usize> = outputs.values().map(|tensor| tensor.id).collect();
        let ways = |id: usize, origin: &Origin| match origin {
            Origin::Input(_) => u64::from(read.contains(&id)),
            // What is updated in place stands among the writes only, and is read too.
            Origin::State { .. } if written.contains(&id) => 2,
            Origin::State { .. } => u64::from(read.contains(&id)),
            Origin::Intermediate => u64::from(kept.contains(&id)),
        };
        let tensors = self.tensors.iter().enumerate();
        Traffic {
            moved: self.dispatches[self.constants..].iter().map(|dispatch| dispatch.work.bytes).sum(),
            least: tensors.map(|(id, (ty, origin))| ways(id, origin) * ty.bytes()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::graph::Graph;
    use crate::tensor::TensorType;
    use crate::{Device, Result};

    #[test]
    fn intermediates_cost_nothing_at_least() -> Result<()> {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f32([10]));
        let sum = graph.state("sum", TensorType::f32([10]))?;
        let double = graph.add(x, x)?;
        let y = graph.add(double, sum)?;
        graph.accumulate(sum, double)?;
        let traffic = graph.traffic(&Device::cpu(), &[y])?;
        // x once and double; double, sum and y; double, and sum both ways.
        assert_eq!(traffic.moved, 40 * (2 + 3 + 3));
        // x, sum both ways, y.
        assert_eq!(traffic.least, 40 * 4);
        Ok(())
    }
}
