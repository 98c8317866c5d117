//! A run for machines: an object a line on standard output.

use std::time::{Duration, Instant};

use lookalike::train::{Event, Task};
use serde_json::json;

use super::settings::Settings;
use crate::cli::display::json_line;

/// Least time between two lines about steps, or about pictures in the frozen layers.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes what happens. Steps are told now and then, everything else always.
pub struct JsonLines {
    last: Option<Instant>,
}

impl JsonLines {
    /// Writes what is to be trained.
    pub fn start(settings: &Settings, task: &Task<'_>) -> JsonLines {
        json_line(
            "start",
            json!({
                "network": task.model.name,
                "device": task.device.to_string(),
                "people": task.dataset.names,
                "training": task.split.train.len(),
                "validation": task.split.validation.len(),
                "leaky": task.split.leaky,
                "epochs": settings.epochs,
                "batch": settings.batch,
            }),
        );
        JsonLines { last: None }
    }

    /// Writes what happened.
    pub fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Note(text) => json_line("note", json!({"text": text})),
            Event::Features { done, total } => {
                if done == 0 || done == total || self.is_due() {
                    json_line("features", json!({"done": done, "total": total}));
                }
            }
            Event::Step(step) => {
                if self.is_due() {
                    json_line(
                        "step",
                        json!({
                            "epoch": step.epoch,
                            "done": step.done,
                            "all": step.all,
                            "loss": step.loss,
                            "accuracy": step.accuracy,
                            "rate": step.rate,
                        }),
                    );
                }
            }
            Event::Epoch(epoch) => json_line(
                "epoch",
                json!({
                    "epoch": epoch.number,
                    "loss": epoch.loss,
                    "accuracy": epoch.accuracy,
                    "val_loss": epoch.val_loss,
                    "val_accuracy": epoch.val_accuracy,
                    "rate": epoch.rate,
                    "seconds": epoch.seconds,
                    "pictures_per_second": epoch.pictures_per_second,
                }),
            ),
        }
    }

    fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= PAUSE);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}
