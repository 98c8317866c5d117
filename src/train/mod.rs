//! Training: the loop, its callbacks, its history, what is measured.

mod accuracy;
mod batches;
mod fit;
mod fit_means;
mod history;
mod means;
mod monitor;
mod ring;
mod source;
mod step;

pub use accuracy::{Confusion, PersonScores, wilson};
pub use batches::Batches;
pub use fit::{Event, FineTune, FitOptions, Outcome, Task, Trained, fit};
pub use fit_means::fit_means;
pub use history::{Epoch, History};
pub use monitor::Monitor;
pub use source::Caching;
