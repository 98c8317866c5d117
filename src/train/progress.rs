//! How far a run is.

use std::collections::BTreeMap;

use super::History;
use crate::tensor::HostTensor;

/// With the states on the device, all that decides how a run goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// Where it is in the epoch that goes on.
    pub position: Position,
    /// The epochs that have ended.
    pub history: History,
    /// The best of them.
    pub best: Option<Best>,
}

/// A place within an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    /// Counted from 1.
    pub epoch: usize,
    /// Pictures of it that were trained on.
    pub done: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// What the epoch's steps gave.
    pub sums: Sums,
    /// Seconds that the epoch has taken.
    pub seconds: f64,
}

impl Default for Position {
    /// Before the first step.
    fn default() -> Position {
        Position { epoch: 1, done: 0, steps: 0, sums: Sums::default(), seconds: 0.0 }
    }
}

impl Position {
    /// The start of the next epoch.
    pub fn next_epoch(self) -> Position {
        Position { epoch: self.epoch + 1, steps: self.steps, ..Position::default() }
    }
}

/// Metrics of steps, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    /// Losses of the pictures.
    pub loss: f64,
    /// Pictures that were recognised.
    pub correct: f64,
    /// Pictures.
    pub rows: usize,
}

impl Sums {
    /// Mean loss and accuracy; `None` of no picture.
    pub fn means(self) -> Option<(f64, f64)> {
        let rows = self.rows as f64;
        (self.rows > 0).then(|| (self.loss / rows, self.correct / rows))
    }
}

/// The best epoch by validation accuracy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best {
    /// Counted from 1.
    pub epoch: usize,
    /// The trained layers' parameters after it, by name.
    pub weights: BTreeMap<String, HostTensor>,
}
