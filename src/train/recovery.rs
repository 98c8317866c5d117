//! What a run does about a device that is lost, or that has no room.

use super::Batches;
use super::fit::Task;
use super::options::FitOptions;
use crate::{Error, Result};

/// Times that a run opens its device again.
const MOST_LOSSES: usize = 5;

/// What has happened to a run.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    losses: usize,
}

impl Recovery {
    /// The options with which to go on after `problem`; `note` is told what was done.
    ///
    /// # Errors
    /// The problem, if nothing can be done about it.
    pub fn after(
        &mut self,
        problem: Error,
        task: &Task<'_>,
        options: FitOptions,
        note: &mut dyn FnMut(&str),
    ) -> Result<FitOptions> {
        match problem {
            Error::DeviceLost(_) if self.losses < MOST_LOSSES => {
                self.losses += 1;
                task.device.reopen()?;
                note(&format!("{problem}: it was opened again, and the run goes on"));
                Ok(options)
            }
            Error::OutOfMemory { .. } => {
                let Batches { most, frozen, whole, .. } = Batches::new(task, &options)?;
                let now = if frozen > 0 { frozen } else { most };
                let half = now / 2;
                if half == 0 || (whole && frozen == 0 && half < 2) {
                    return Err(problem);
                }
                let what = if whole && frozen == 0 { "a batch has" } else { "the device sees" };
                note(&format!(
                    "{problem}: {what} {half} pictures at a time from now on instead of {now}; the model will not be the same bit \
                     by bit"
                ));
                Ok(FitOptions { micro_batch: Some(half), ..options })
            }
            problem => Err(problem),
        }
    }
}
