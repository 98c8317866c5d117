//! The metrics of steps, read while training goes on.

use std::time::{Duration, Instant};

use super::progress::Sums;
use super::step::{self, SLOTS};
use crate::Result;
use crate::graph::{Params, PendingState};

/// Time between two reads, where steps are slow: what has arrived is shown to people.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the metrics ring while training goes on: at the latest when half of it is new, one read in flight.
pub(super) struct Ring<'a> {
    params: &'a Params,
    /// Steps of the whole run whose figures have arrived.
    read: usize,
    /// Rows of each step since then.
    rows: Vec<usize>,
    in_flight: Option<(usize, PendingState)>,
    asked: Instant,
    sums: Sums,
}

impl<'a> Ring<'a> {
    /// After `steps` steps of the whole run; those of this epoch gave `sums`.
    pub fn new(params: &'a Params, steps: usize, sums: Sums) -> Ring<'a> {
        Ring { params, read: steps, rows: vec![], in_flight: None, asked: Instant::now(), sums }
    }

    /// A step on `rows` pictures was submitted.
    pub fn stepped(&mut self, rows: usize) -> Result<()> {
        self.rows.push(rows);
        let new = self.rows.len() - self.in_flight.as_ref().map_or(0, |&(count, _)| count);
        if new >= SLOTS / 2 || self.asked.elapsed() >= PAUSE {
            self.collect()?;
            self.ask()?;
        }
        Ok(())
    }

    /// Mean loss and accuracy of the epoch's steps whose figures have arrived.
    pub fn latest(&self) -> Option<(f64, f64)> {
        self.sums.means()
    }

    /// What all steps of the epoch gave; waits for them.
    pub fn sums(&mut self) -> Result<Sums> {
        self.collect()?;
        if !self.rows.is_empty() {
            self.ask()?;
            self.collect()?;
        }
        Ok(self.sums)
    }

    fn ask(&mut self) -> Result<()> {
        self.in_flight = Some((self.rows.len(), self.params.start_get(step::RING)?));
        self.asked = Instant::now();
        Ok(())
    }

    /// Adds up what the read in flight brings.
    fn collect(&mut self) -> Result<()> {
        let Some((count, arriving)) = self.in_flight.take() else { return Ok(()) };
        let ring = arriving.wait()?.to_f64();
        for rows in self.rows.drain(..count) {
            let slot = self.read % SLOTS;
            self.sums.loss += ring[2 * slot] * rows as f64;
            self.sums.correct += ring[2 * slot + 1];
            self.sums.rows += rows;
            self.read += 1;
        }
        Ok(())
    }
}
