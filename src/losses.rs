//! Work that outlives the loss of its device: a driver that was reset, a laptop that slept.

use crate::{Device, Error, Result};

/// Times that a piece of work opens its device again.
const MOST: usize = 5;

/// How often a piece of work has lost its device.
#[derive(Debug, Default)]
pub(crate) struct Losses(usize);

impl Losses {
    /// Opens `device` again if it was lost, and returns what to say about that.
    ///
    /// # Errors
    /// The problem if it is another one, or has come too often; that of [`Device::reopen`].
    pub fn after(&mut self, problem: Error, device: &Device) -> Result<String> {
        match problem {
            Error::DeviceLost(_) if self.0 < MOST => {
                self.0 += 1;
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
        let mut losses = Losses::default();
        loop {
            match work() {
                Err(problem) => note(&losses.after(problem, self)?),
                done => return done,
            }
        }
    }
}
