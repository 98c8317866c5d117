//! Work that outlives the loss of its device: a driver that was reset, a laptop that slept.

use std::cell::Cell;

use crate::{Device, Error, Result};

/// Times that a piece of work opens its device again without getting on in between.
const MOST: usize = 5;

/// How often a piece of work has lost its device since it got on.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    since: Cell<usize>,
    #[cfg(feature = "train")]
    furthest: Cell<usize>,
}

impl Losses {
    /// Notes how far the work is, by any measure. If it was never so far, the losses before do not count any more: a long one may
    /// lose its device as often as its machine sleeps.
    #[cfg(feature = "train")]
    pub fn got_to(&self, place: usize) {
        if place > self.furthest.get() {
            self.furthest.set(place);
            self.since.set(0);
        }
    }

    /// Opens `device` again if it was lost, and returns what to say about that.
    ///
    /// # Errors
    /// The problem if it is another one, or has come too often; that of [`Device::reopen`].
    pub fn after(&self, problem: Error, device: &Device) -> Result<String> {
        match problem {
            Error::DeviceLost(_) if self.since.get() < MOST => {
                self.since.set(self.since.get() + 1);
                device.reopen()?;
                Ok(format!("{problem}: it was opened again, and the work goes on"))
            }
            problem => Err(problem),
        }
    }
}

impl Device {
    /// What `work` on this device gives. Where the device is lost meanwhile, it is [opened again](Device::reopen) and the work
    /// done once more, so it has to make its plans itself; `note` is told.
    ///
    /// # Errors
    /// Those of the work; [`Error::DeviceLost`] if the device does not come back, or is lost for the sixth time.
    pub fn retrying<T>(&self, note: &mut dyn FnMut(&str), work: &mut dyn FnMut() -> Result<T>) -> Result<T> {
        let losses = Losses::default();
        loop {
            match work() {
                Err(problem) => note(&losses.after(problem, self)?),
                done => return done,
            }
        }
    }
}
