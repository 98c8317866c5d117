//! Training: the loop, its callbacks, its history, what is measured.

mod average;
mod batches;
mod believe;
mod fit;
mod fit_linear;
mod fit_means;
mod history;
mod hold_out;
mod masked;
mod means;
mod mixup;
mod monitor;
mod ring;
mod rows;
mod schedule;
mod source;
mod step;

pub use crate::models::{Confusion, PersonScores, wilson};
pub use batches::Batches;
pub use believe::{Believed, believe};
pub use fit::{Event, FineTune, FitOptions, Outcome, Task, Trained, fit};
pub use fit_linear::fit_linear;
pub use fit_means::fit_means;
pub use history::{Epoch, History};
pub use hold_out::{Fit, features_of, hold_out};
pub use masked::{Examples, masked_people};
pub use monitor::Monitor;
pub use schedule::{Decay, Schedule};
pub use source::Caching;
