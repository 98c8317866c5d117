//! Lines while a network trains.

use std::time::Instant;

use lookalike::train::{Epoch, Event, Monitor};

use super::settings::{Settings, SplitKind};
use crate::cli::display::{Progress, clock, note, percent, say};

/// Progress through the frozen layers, then one line per epoch.
pub struct Show {
    leaky: bool,
    monitor: Monitor,
    plain: bool,
    features: Option<(Progress, Instant)>,
    estimated: bool,
    headed: bool,
}

impl Show {
    pub fn new(settings: &Settings, plain: bool) -> Show {
        Show {
            leaky: settings.split == SplitKind::Tutorial,
            monitor: Monitor::new(settings.patience),
            plain,
            features: None,
            estimated: false,
            headed: false,
        }
    }

    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Note(text) => note(text),
            Event::Features { done, total } => self.features(done, total),
            Event::Step(_) => {}
            Event::Epoch(epoch) => self.row(epoch),
        }
    }

    fn features(&mut self, done: usize, total: usize) {
        if done == 0 {
            if total == 0 {
                say("frozen layers: they need not run, everything was kept by an earlier run");
            }
            self.features = Some((Progress::new("frozen layers", "pictures", self.plain), Instant::now()));
            return;
        }
        let Some((progress, start)) = &self.features else { return };
        let seconds = start.elapsed().as_secs_f64();
        if !self.estimated {
            let all = (seconds * total as f64 / done as f64).round() as u64;
            say(format_args!("frozen layers: {total} pictures to go through them, about {}", clock(all)));
            self.estimated = true;
        }
        progress.report(done, total);
        if done == total {
            self.features = None;
            say(format_args!("frozen layers: {total} pictures in {seconds:.1} s"));
        }
    }

    fn row(&mut self, epoch: &Epoch) {
        if !self.headed {
            let leaky = if self.leaky { "  (validation is LEAKY)" } else { "" };
            say(format_args!("\nepoch    loss  accuracy  val loss  val accuracy  pictures/s{leaky}"));
            self.headed = true;
        }
        let best = if self.monitor.observe(epoch) { "  best" } else { "" };
        say(format_args!(
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
