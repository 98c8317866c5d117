//! The training loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::checkpoint::{Checkpoint, Keeper};
use super::identity::Identity;
use super::options::FitOptions;
use super::progress::{Best, Position, Progress};
use super::recovery::recovering;
use super::run::Run;
use super::schedule::Pace;
use super::{Batches, Epoch, History, Monitor};
use crate::data::{Dataset, Split};
use crate::losses::Losses;
use crate::models::Model;
use crate::ops::Normalize;
use crate::tensor::HostTensor;
use crate::{Device, Error, Result};

/// Why training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// All epochs are done.
    Finished,
    /// The validation loss no longer fell.
    EarlyStopped,
    /// The caller asked for it.
    Interrupted,
    /// The loss of training or validation was NaN or infinite in this epoch.
    NotFinite {
        /// Counted from 1.
        epoch: usize,
    },
}

/// The best weights of a run, and how they came about.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Parameters of the best epoch by validation accuracy, by name.
    pub weights: BTreeMap<String, HostTensor>,
    /// All epochs.
    pub history: History,
    /// The best epoch, counted from 1.
    pub best_epoch: usize,
    /// Why it ended.
    pub outcome: Outcome,
    /// For each validation picture, in the order of the split, the probability of each class with these weights.
    pub answers: Vec<Vec<f32>>,
    /// What frozen layers make of each training picture, in the order of the split, where the head is
    /// [computed from it](super::fit_means()); else empty.
    pub features: Vec<Vec<f32>>,
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The frozen layers have seen `done` of the `total` pictures and copies whose features were not kept before: first
    /// 0 of them, even if there are none.
    Features {
        /// Seen until now.
        done: usize,
        /// All of them.
        total: usize,
    },
    /// Something the user should know: the run goes on.
    Note(&'a str),
    /// A step was handed to the device.
    Step(StepReport),
    /// An epoch has ended, now or before the run was interrupted. Each is told once.
    Epoch(&'a Epoch),
}

/// Where training is within an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Pictures of it that were trained on.
    pub done: usize,
    /// All of its pictures.
    pub all: usize,
    /// Mean loss of the epoch's steps whose figures have arrived: those until about half a second ago.
    pub loss: Option<f64>,
    /// Share of their pictures that were recognised.
    pub accuracy: Option<f64>,
    /// Learning rate.
    pub rate: f32,
}

/// What is trained, on what, where.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The network.
    pub model: &'a Model,
    /// The pictures.
    pub dataset: &'a Dataset,
    /// Which of them are trained on, and which validate.
    pub split: &'a Split,
    /// From bytes to numbers.
    pub normalize: Normalize,
    /// Values of parameters before training, by name: all of the frozen ones, and any others. Those that are not given
    /// start at random.
    pub weights: &'a BTreeMap<String, HostTensor>,
    /// Where it runs.
    pub device: &'a Device,
}

/// Trains a model on the training part of the split, and keeps the weights that do best on the validation part.
///
/// With [`FitOptions::checkpoints`] an interrupted run can go on later, and then ends with the same bits as if it had not
/// been interrupted.
///
/// What the model's frozen layers make of each picture and each of its copies is computed once, before the first epoch, and
/// kept as [`FitOptions::cache`] says; the epochs then train the layers behind them. `on_event` sees how far it is; setting
/// `stop` ends the run after the current step.
///
/// # Errors
/// [`Error::Training`] if it ended before any epoch was validated, [`Error::TooLarge`] if not even one picture
/// fits on the device or into [`FitOptions::memory`], [`Error::State`] if the values of a frozen parameter are missing.
pub fn fit(
    task: &Task<'_>,
    options: &FitOptions,
    stop: &AtomicBool,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained> {
    let (mut past, losses) = (Past::default(), Losses::default());
    let at_a_time = |options: &FitOptions| Ok(Batches::new(task, options)?.at_a_time());
    recovering(task.device, options, &losses, &at_a_time, on_event, &mut |options, on_event| {
        attempt(task, options, stop, &losses, &mut past, on_event)
    })
}

/// What has come of a run's attempts.
#[derive(Default)]
struct Past {
    /// Whether a checkpoint of the run lies in its file.
    has_checkpoint: bool,
    /// The last epoch that was told.
    told: usize,
}

/// Tells of an epoch if it comes after the last one that was `told`.
fn tell(epoch: &Epoch, told: &mut usize, on_event: &mut dyn FnMut(Event<'_>)) {
    if epoch.number > *told {
        *told = epoch.number;
        on_event(Event::Epoch(epoch));
    }
}

/// A run that ends at the first error.
fn attempt(
    task: &Task<'_>,
    options: &FitOptions,
    stop: &AtomicBool,
    losses: &Losses,
    past: &mut Past,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Trained> {
    let Past { has_checkpoint, told } = past;
    let batches = Batches::new(task, options)?;
    let mut run = Run::new(task, options, batches)?;
    let identity = Identity::new(task, options, batches, &run.choices());
    let settings = options.checkpoints.as_ref();
    let mut progress = match settings.filter(|settings| settings.resume || *has_checkpoint) {
        Some(settings) => {
            let progress = go_on(&run, &settings.path, &identity, on_event)?;
            *has_checkpoint = progress != Progress::default();
            progress
        }
        None => Progress::default(),
    };
    let begun = progress.position;
    let mut keeper = Keeper::new(settings, identity, losses, has_checkpoint);
    if !run.prepare(stop, on_event)? {
        return Err(Error::Training(
            "it was interrupted before the first epoch; with a cache folder the next run goes on where it was".into(),
        ));
    }
    let mut monitor = Monitor::new(options.patience);
    let mut pace = Pace::new(options.schedule, options.epochs);
    for epoch in &progress.history.0 {
        monitor.observe(epoch);
        pace.observe(epoch.val_loss);
        tell(epoch, told, on_event);
    }
    let outcome = loop {
        let number = progress.position.epoch;
        if monitor.is_done() {
            break Outcome::EarlyStopped;
        }
        if number > options.epochs {
            break Outcome::Finished;
        }
        if !run.train_epoch(&mut progress, &pace, &mut keeper, stop, on_event)? {
            break Outcome::Interrupted;
        }
        let Position { sums, seconds: training, .. } = progress.position;
        let (loss, accuracy) = sums.means().expect("an epoch has a step");
        if !loss.is_finite() {
            break Outcome::NotFinite { epoch: number };
        }
        let start = Instant::now();
        run.swap_averages()?;
        let (val_loss, val_accuracy) = run.validate()?;
        if !val_loss.is_finite() {
            break Outcome::NotFinite { epoch: number };
        }
        let epoch = Epoch {
            number,
            loss,
            accuracy,
            val_loss,
            val_accuracy,
            rate: run.rate(pace.factor(number as f64)),
            seconds: training + start.elapsed().as_secs_f64(),
            pictures_per_second: run.training(number).len() as f64 / training,
        };
        if monitor.observe(&epoch) {
            progress.best = Some(Best { epoch: number, weights: run.weights()? });
        }
        run.swap_averages()?;
        pace.observe(val_loss);
        tell(&epoch, told, on_event);
        losses.got_to(progress.position.steps);
        progress.history.0.push(epoch);
        progress.position = progress.position.next_epoch();
        if keeper.is_due() {
            run.keep(&progress, &mut keeper, on_event)?;
        }
    };
    let is_over = matches!(outcome, Outcome::Finished | Outcome::EarlyStopped);
    if is_over && progress.position != begun {
        // What comes behind the epochs may take as long as they, and needs the best weights alone.
        keeper.save(&progress, || Ok(BTreeMap::new()), &mut |note| on_event(Event::Note(note)))?;
    }
    match progress.best {
        Some(Best { epoch: best_epoch, mut weights }) => {
            let answers = run.answers(&weights)?;
            for parameter in run.frozen()? {
                let value = task.weights[&parameter.name].clone();
                weights.insert(parameter.name, value);
            }
            let history = progress.history;
            Ok(Trained { weights, history, best_epoch, outcome, answers, features: vec![] })
        }
        None => Err(Error::Training(match outcome {
            Outcome::NotFinite { .. } => {
                "the loss is not finite in the first epoch; use a lower learning rate (--rate)".into()
            }
            _ => "it was interrupted before the first epoch ended, so there is no model to keep".into(),
        })),
    }
}

/// Puts the run where the checkpoint at `path` says; at its start if there is none.
fn go_on(
    run: &Run<'_>,
    path: &Path,
    identity: &Identity,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Progress> {
    let note = &mut |text: &str| on_event(Event::Note(text));
    let Some((path, Checkpoint { identity: saved, progress, states })) = Checkpoint::latest(path, note)?
    else {
        note("there is no checkpoint: the run starts at its first epoch");
        return Ok(Progress::default());
    };
    if let Some(warning) = identity.check(&saved, &path)? {
        note(&warning);
    }
    run.restore(&states)?;
    let Position { epoch, done, .. } = progress.position;
    note(&match states.is_empty() {
        true => format!("the run's epochs are done ({})", path.display()),
        false => {
            format!("the run goes on in epoch {epoch}, after {done} of its pictures ({})", path.display())
        }
    });
    Ok(progress)
}
