//! Training: the loop, its callbacks, its history, what is measured.

mod accuracy;
mod fit;
mod history;
mod monitor;
mod step;

pub use accuracy::{Confusion, PersonScores, wilson};
pub use fit::{Batches, FitOptions, Outcome, Task, Trained, fit};
pub use history::{Epoch, History};
pub use monitor::Monitor;
