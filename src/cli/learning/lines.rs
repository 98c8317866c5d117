//! Lines while a network trains: progress through the frozen layers, then one line per epoch.

use std::fmt::Display;
use std::time::Instant;

use lookalike::train::{Epoch, Event, Monitor};

use super::settings::{Settings, SplitKind};
use crate::cli::display::{Progress, clock, note, percent, say};

/// Says the lines as they come, or in the end.
pub struct Lines {
    leaky: bool,
    monitor: Monitor,
    plain: bool,
    /// What is to be said in the end, if nothing may be printed before.
    kept: Option<Vec<Line>>,
    features: Option<(Option<Progress>, Instant)>,
    estimated: bool,
    headed: bool,
}

enum Line {
    Said(String),
    Noted(String),
}

impl Lines {
    /// Lines that come at once. `plain` asks for lines in place of a progress bar too.
    pub fn new(settings: &Settings, plain: bool) -> Lines {
        Lines {
            leaky: settings.split == SplitKind::Tutorial,
            monitor: Monitor::new(settings.patience),
            plain,
            kept: None,
            features: None,
            estimated: false,
            headed: false,
        }
    }

    /// Keeps what follows until [`Lines::print_kept`].
    pub fn keep(&mut self) {
        self.kept.get_or_insert_default();
    }

    /// Prints what was kept.
    pub fn print_kept(&mut self) {
        for line in self.kept.take().into_iter().flatten() {
            match line {
                Line::Said(line) => say(line),
                Line::Noted(line) => note(line),
            }
        }
    }

    /// Takes in what happened.
    pub fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Note(text) => match &mut self.kept {
                Some(kept) => kept.push(Line::Noted(text.to_owned())),
                None => note(text),
            },
            Event::Features { done, total } => self.features(done, total),
            Event::Step(_) => {}
            Event::Epoch(epoch) => self.row(epoch),
        }
    }

    fn say(&mut self, line: impl Display) {
        match &mut self.kept {
            Some(kept) => kept.push(Line::Said(line.to_string())),
            None => say(line),
        }
    }

    fn features(&mut self, done: usize, total: usize) {
        if done == 0 {
            if total == 0 {
                self.say("frozen layers: they need not run, everything was kept by an earlier run");
            }
            let progress = || Progress::new("frozen layers", "pictures", self.plain);
            self.features = Some((self.kept.is_none().then(progress), Instant::now()));
            return;
        }
        let Some((progress, start)) = &self.features else { return };
        let seconds = start.elapsed().as_secs_f64();
        if let Some(progress) = progress {
            progress.report(done, total);
        }
        if !self.estimated {
            let all = (seconds * total as f64 / done as f64).round() as u64;
            self.say(format_args!(
                "frozen layers: {total} pictures to go through them, about {}",
                clock(all)
            ));
            self.estimated = true;
        }
        if done == total {
            self.features = None;
            self.say(format_args!("frozen layers: {total} pictures in {seconds:.1} s"));
        }
    }

    fn row(&mut self, epoch: &Epoch) {
        if !self.headed {
            let leaky = if self.leaky { "  (validation is LEAKY)" } else { "" };
            self.say(format_args!("\nepoch    loss  accuracy  val loss  val accuracy  pictures/s{leaky}"));
            self.headed = true;
        }
        let best = if self.monitor.observe(epoch) { "  best" } else { "" };
        self.say(format_args!(
            "{:>5}  {:>6.4}  {:>8}  {:>8.4}  {:>12}  {:>10.1}{best}",
            epoch.number,
            epoch.loss,
            percent(epoch.accuracy),
            epoch.val_loss,
            percent(epoch.val_accuracy),
            epoch.pictures_per_second,
        ));
    }
}
