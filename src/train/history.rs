//! Learning curves: one row an epoch.

use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::data::Split;
use crate::formats::atomic::write_atomically;

/// What one epoch gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub number: usize,
    /// Mean loss over the training pictures, while they were trained on.
    pub loss: f64,
    /// Share of them recognised.
    pub accuracy: f64,
    /// Mean loss over the validation pictures, after the epoch.
    pub val_loss: f64,
    /// Share of them recognised.
    pub val_accuracy: f64,
    /// Learning rate.
    pub rate: f32,
    /// Duration. It goes to the CSV only: equal runs give equal model files.
    pub seconds: f64,
    /// Training pictures per second.
    pub pictures_per_second: f64,
}

/// The epochs of a run, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History(pub Vec<Epoch>);

impl History {
    /// The curves without clock times, as they go into a model file.
    pub fn to_json(&self) -> Value {
        let column = |value: fn(&Epoch) -> f64| self.0.iter().map(value).collect::<Vec<f64>>();
        json!({
            "loss": column(|epoch| epoch.loss),
            "accuracy": column(|epoch| epoch.accuracy),
            "val_loss": column(|epoch| epoch.val_loss),
            "val_accuracy": column(|epoch| epoch.val_accuracy),
        })
    }

    /// Writes the curves as CSV, whole or not at all. The columns of a leaky split's validation are called so.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if it cannot be written.
    pub fn write_csv(&self, path: &Path, split: &Split) -> Result<()> {
        let val = if split.leaky { "leaky_val" } else { "val" };
        write_atomically(path, |file| {
            writeln!(
                file,
                "epoch,loss,accuracy,{val}_loss,{val}_accuracy,learning_rate,seconds,pictures_per_second"
            )?;
            for e in &self.0 {
                writeln!(
                    file,
                    "{},{:.6},{:.6},{:.6},{:.6},{},{:.3},{:.1}",
                    e.number,
                    e.loss,
                    e.accuracy,
                    e.val_loss,
                    e.val_accuracy,
                    e.rate,
                    e.seconds,
                    e.pictures_per_second
                )?;
            }
            Ok(())
        })
    }
}
