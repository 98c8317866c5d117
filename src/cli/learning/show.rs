//! What is shown while a network trains: the live display, lines, or JSON.

use lookalike::train::{Batches, Event, Task};

use super::json_lines::JsonLines;
use super::lines::Lines;
use super::settings::{Settings, SplitKind};
use super::watch::Watch;
use crate::cli::display::are_only_json_lines;
use crate::cli::display::live::{self, About, Live};
use crate::cli::display::quantity;

/// Shows a run. What the live display has shown is printed as lines when it ends, so that nothing is lost.
pub struct Show<'a> {
    watch: &'a Watch<'a>,
    live: Option<Live>,
    lines: Lines,
    json: Option<JsonLines>,
}

impl<'a> Show<'a> {
    /// The live display for a network with epochs, which come in `batches`, where somebody sits before the terminal and has not
    /// asked for plain lines.
    pub fn new(
        settings: &Settings,
        task: &Task<'_>,
        batches: Option<Batches>,
        watch: &'a Watch<'a>,
    ) -> Show<'a> {
        let Watch { stop, plain, .. } = watch;
        let plain = *plain;
        let mut lines = Lines::new(settings, plain);
        if are_only_json_lines() {
            return Show { watch, live: None, lines, json: Some(JsonLines::start(settings, task)) };
        }
        let about = |batches: Batches| About {
            network: task.model.name.clone(),
            device: task.device.to_string(),
            memory: quantity::bytes(batches.memory.total() as f64),
            epochs: settings.epochs,
            patience: settings.patience,
            leaky: settings.split == SplitKind::Tutorial,
        };
        let wanted = batches.filter(|_| !plain && live::is_possible());
        // A terminal that cannot be drawn on gets lines.
        let live = wanted.and_then(|batches| Live::start(about(batches), stop.clone()).ok());
        if live.is_some() {
            lines.keep();
        }
        Show { watch, live, lines, json: None }
    }

    /// Shows what happened.
    pub fn event(&mut self, event: Event<'_>) {
        if let Some(witness) = self.watch.witness {
            witness(&event);
        }
        if let Some(live) = &self.live {
            live.event(&event);
        }
        match &mut self.json {
            Some(json) => json.event(&event),
            None => self.lines.event(&event),
        }
    }
}

impl Drop for Show<'_> {
    fn drop(&mut self) {
        // The terminal is given back first.
        self.live = None;
        self.lines.print_kept();
    }
}
