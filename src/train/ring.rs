//! The metrics of steps, read while training goes on.

use super::step::{self, SLOTS};
use crate::Result;
use crate::graph::{Params, PendingState};

/// Reads the metrics ring while training goes on: half a ring at a time, one read in flight.
pub(super) struct Ring<'a> {
    params: &'a Params,
    /// Step of the whole run at which the epoch began.
    first: usize,
    /// Rows of each step of this epoch.
    rows: Vec<usize>,
    /// Steps of this epoch whose figures have arrived.
    read: usize,
    in_flight: Option<(usize, PendingState)>,
    loss: f64,
    correct: f64,
}

impl<'a> Ring<'a> {
    pub fn new(params: &'a Params, first: usize) -> Ring<'a> {
        Ring { params, first, rows: vec![], read: 0, in_flight: None, loss: 0.0, correct: 0.0 }
    }

    pub fn stepped(&mut self, rows: usize) -> Result<()> {
        self.rows.push(rows);
        if self.rows.len().is_multiple_of(SLOTS / 2) {
            self.collect()?;
            self.in_flight = Some((self.rows.len(), self.params.start_get(step::RING)?));
        }
        Ok(())
    }

    /// Adds up what the read in flight brings.
    fn collect(&mut self) -> Result<()> {
        let Some((until, arriving)) = self.in_flight.take() else { return Ok(()) };
        let ring = arriving.wait()?.to_f64();
        for at in self.read..until {
            let slot = (self.first + at) % SLOTS;
            self.loss += ring[2 * slot] * self.rows[at] as f64;
            self.correct += ring[2 * slot + 1];
        }
        self.read = until;
        Ok(())
    }

    /// Mean loss and accuracy of the epoch.
    pub fn finish(mut self) -> Result<(f64, f64)> {
        self.collect()?;
        self.in_flight = Some((self.rows.len(), self.params.start_get(step::RING)?));
        self.collect()?;
        let rows = self.rows.iter().sum::<usize>() as f64;
        Ok((self.loss / rows, self.correct / rows))
    }
}
