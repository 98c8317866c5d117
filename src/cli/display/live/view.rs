//! What the display shows: a run's events as plain data.

use lookalike::train::{Epoch, Event, Monitor, StepReport};

use super::pace::Pace;

/// What is known of a run before it starts.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the network.
    pub network: String,
    /// What it runs on.
    pub device: String,
    /// Memory that it takes there.
    pub memory: String,
    /// Most epochs.
    pub epochs: usize,
    /// Epochs without a lower validation loss before it stops.
    pub patience: usize,
    /// Whether the validation pictures have copies among those that are learned.
    pub leaky: bool,
}

/// A run, as far as it is known.
#[derive(Clone, Debug)]
pub struct View {
    /// What it is.
    pub about: About,
    /// What is being done.
    pub stage: Stage,
    /// The epochs that have ended.
    pub epochs: Vec<Epoch>,
    /// The best of them.
    pub best: Option<Epoch>,
    /// The last thing that the user should know.
    pub note: Option<String>,
    /// How fast it is.
    pub pace: Pace,
    monitor: Monitor,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// Plans are made.
    Starting,
    /// Pictures go through the frozen layers.
    Frozen {
        /// So many have.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// An epoch.
    Epoch(StepReport),
}

impl View {
    /// A run that has not started.
    pub fn new(about: About) -> View {
        let monitor = Monitor::new(about.patience);
        View {
            about,
            stage: Stage::Starting,
            epochs: vec![],
            best: None,
            note: None,
            pace: Pace::default(),
            monitor,
        }
    }

    /// Takes in what happened, so many seconds after the display began.
    pub fn event(&mut self, event: &Event<'_>, now: f64) {
        match *event {
            Event::Note(text) => self.note = Some(text.to_owned()),
            Event::Features { done, total } => {
                if done == 0 {
                    self.pace.begin(now);
                }
                self.pace.done(now, done);
                self.stage = match done == total {
                    true => Stage::Starting,
                    false => Stage::Frozen { done, total },
                };
                if done == total {
                    self.pace.begin(now);
                }
            }
            Event::Step(step) => {
                self.pace.done(now, step.done);
                self.stage = Stage::Epoch(step);
            }
            Event::Epoch(epoch) => {
                if self.monitor.observe(epoch) {
                    self.best = Some(epoch.clone());
                }
                self.epochs.push(epoch.clone());
                self.pace.epoch(now);
            }
        }
    }

    /// The epoch that goes on, with its latest step; `None` between two epochs.
    pub fn step(&self) -> Option<StepReport> {
        match self.stage {
            Stage::Epoch(step) if self.epochs.last().is_none_or(|last| last.number < step.epoch) => {
                Some(step)
            }
            _ => None,
        }
    }

    /// Number of the epoch that goes on, or of the last one.
    pub fn epoch(&self) -> usize {
        self.step().map_or_else(|| self.epochs.last().map_or(0, |epoch| epoch.number), |step| step.epoch)
    }

    /// The learning rate, once there is one.
    pub fn rate(&self) -> Option<f32> {
        match self.stage {
            Stage::Epoch(step) => Some(step.rate),
            _ => self.epochs.last().map(|epoch| epoch.rate),
        }
    }

    /// Seconds that the run still takes at most.
    pub fn left(&self, now: f64) -> Option<f64> {
        match self.stage {
            Stage::Frozen { total, .. } => self.pace.left(now, total),
            Stage::Epoch(step) => {
                let ended = self.step().is_none();
                let more = self.about.epochs.saturating_sub(step.epoch + usize::from(ended));
                match ended && step.epoch >= self.about.epochs {
                    true => None,
                    false => self.pace.left_of_run(now, step.all, more),
                }
            }
            Stage::Starting => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn about() -> About {
        About {
            network: "scratch_cnn".into(),
            device: "NVIDIA H100 80GB HBM3 (Vulkan)".into(),
            memory: "1.2 GB".into(),
            epochs: 40,
            patience: 10,
            leaky: false,
        }
    }

    pub fn epoch(number: usize) -> Epoch {
        let good = number as f64 / (number as f64 + 3.0);
        Epoch {
            number,
            loss: 2.0 * (1.0 - good),
            accuracy: good,
            val_loss: 2.2 * (1.0 - good),
            val_accuracy: 0.97 * good,
            rate: 1e-3,
            seconds: 8.0,
            pictures_per_second: 40.0,
        }
    }

    pub fn step(epoch: usize, done: usize) -> StepReport {
        StepReport { epoch, done, all: 320, loss: Some(0.4), accuracy: Some(0.8), rate: 1e-3 }
    }

    /// A run in its epoch number `epochs + 1`.
    pub fn view(epochs: usize) -> View {
        let mut view = View::new(about());
        view.event(&Event::Features { done: 0, total: 0 }, 0.0);
        for number in 1..=epochs {
            view.event(&Event::Step(step(number, 320)), 10.0 * number as f64 - 1.0);
            view.event(&Event::Epoch(&epoch(number)), 10.0 * number as f64);
        }
        view.event(&Event::Step(step(epochs + 1, 16)), 10.0 * epochs as f64 + 0.5);
        view.event(&Event::Step(step(epochs + 1, 160)), 10.0 * epochs as f64 + 5.0);
        view
    }

    #[test]
    fn a_run_is_followed_from_step_to_step() {
        let view = view(3);
        assert_eq!((view.epoch(), view.step().map(|step| step.done)), (4, Some(160)));
        assert_eq!(view.best.as_ref().map(|best| best.number), Some(3));
        assert_eq!(view.pace.speed(), Some(32.0));
        assert_eq!(view.left(35.0), Some(5.0 + 36.0 * 10.0));
        assert_eq!(view.rate(), Some(1e-3));
    }

    #[test]
    fn between_epochs_nothing_goes_on() {
        let mut view = view(3);
        view.event(&Event::Epoch(&epoch(4)), 40.0);
        assert_eq!((view.epoch(), view.step()), (4, None));
        assert_eq!(view.left(40.0), Some(36.0 * 10.0));
        view.about.epochs = 4;
        assert_eq!(view.left(40.0), None, "it was the last");
    }

    #[test]
    fn frozen_layers_come_first() {
        let mut view = View::new(about());
        for (done, now) in [(0, 1.0), (40, 3.0)] {
            view.event(&Event::Features { done, total: 100 }, now);
        }
        assert_eq!(view.stage, Stage::Frozen { done: 40, total: 100 });
        assert_eq!((view.pace.speed(), view.left(3.0)), (Some(20.0), Some(3.0)));
        view.event(&Event::Features { done: 100, total: 100 }, 6.0);
        assert_eq!((view.stage, view.left(6.0)), (Stage::Starting, None));
        view.event(&Event::Note("a note"), 7.0);
        assert_eq!(view.note.as_deref(), Some("a note"));
    }
}
