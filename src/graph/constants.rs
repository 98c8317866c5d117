//! Work that depends on states alone, such as the transform of a frozen weight: a plan does it again only after such a
//! state has changed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lower::Program;
use super::program::{Dispatch, Origin};
use super::state::Params;
use crate::Result;
use crate::tensor::TensorType;

/// For each dispatch, whether it gives the same on every run until a state changes: it reads only states that the plan
/// itself never writes, or what such dispatches wrote, and nobody else writes what it writes.
pub(super) fn constant(tensors: &[(TensorType, Origin)], dispatches: &[Dispatch]) -> Vec<bool> {
    let written: HashSet<usize> =
        dispatches.iter().flat_map(|dispatch| dispatch.writes.iter().map(|&(id, _)| id)).collect();
    let is_constant_state =
        |id: usize| matches!(tensors[id].1, Origin::State { .. }) && !written.contains(&id);
    let mut shared = HashSet::new();
    loop {
        let mut known = HashSet::new();
        let constant: Vec<bool> = dispatches
            .iter()
            .map(|dispatch| {
                let reads =
                    dispatch.reads.iter().all(|&(id, _)| known.contains(&id) || is_constant_state(id));
                let writes = dispatch
                    .writes
                    .iter()
                    .all(|&(id, _)| tensors[id].1 == Origin::Intermediate && !shared.contains(&id));
                let constant = reads && writes;
                if constant {
                    known.extend(dispatch.writes.iter().map(|&(id, _)| id));
                }
                constant
            })
            .collect();
        let before = shared.len();
        for (dispatch, _) in dispatches.iter().zip(&constant).filter(|(_, constant)| !**constant) {
            shared.extend(dispatch.writes.iter().map(|&(id, _)| id).filter(|id| known.contains(id)));
        }
        if shared.len() == before {
            return constant;
        }
    }
}

/// Tells a plan whether states have changed since it last ran, and tells others that it changed some.
#[derive(Debug)]
pub(super) struct Changes {
    /// States that the constant dispatches read.
    read: Vec<Arc<AtomicU64>>,
    /// States that the plan updates.
    updated: Vec<Arc<AtomicU64>>,
    /// Versions of `read` that the last run began with which came to its end.
    seen: Option<Vec<u64>>,
}

impl Changes {
    pub fn new(program: &Program, params: &Params) -> Result<Changes> {
        let versions = |ids: HashSet<usize>| -> Result<Vec<Arc<AtomicU64>>> {
            let names = ids.into_iter().filter_map(|id| match &program.tensors[id].1 {
                Origin::State { name, .. } => Some(name),
                Origin::Input(_) | Origin::Intermediate => None,
            });
            names.map(|name| params.version(name)).collect()
        };
        let constants = &program.dispatches[..program.constants];
        let read = constants.iter().flat_map(|dispatch| dispatch.reads.iter().map(|&(id, _)| id)).collect();
        let updated = program
            .dispatches
            .iter()
            .flat_map(|dispatch| dispatch.writes.iter().map(|&(id, _)| id))
            .collect();
        Ok(Changes { read: versions(read)?, updated: versions(updated)?, seen: None })
    }

    /// A run begins, with states of the versions that it returns. What the plan updates counts as changed from here on: the run
    /// may end early.
    pub fn begin(&self) -> Vec<u64> {
        self.updated_some();
        self.read.iter().map(|version| version.load(Ordering::Relaxed)).collect()
    }

    /// Whether what the constant dispatches wrote holds for states of these versions.
    pub fn hold(&self, versions: &[u64]) -> bool {
        self.seen.as_deref() == Some(versions)
    }

    /// The run that began with these versions has come to its end.
    pub fn ran(&mut self, versions: Vec<u64>) {
        self.seen = Some(versions);
        self.updated_some();
    }

    fn updated_some(&self) {
        self.updated.iter().for_each(|version| {
            version.fetch_add(1, Ordering::Relaxed);
        });
    }
}
