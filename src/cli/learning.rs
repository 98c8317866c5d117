//! From faces to a trained model, with a line per epoch: what `train` and `demo` share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use lookalike::data::{CutStyle, Dataset, Split, split_by_group};
use lookalike::models::{Model, ModelFile, Preprocessing, ScratchCnn, Summary, scratch_cnn};
use lookalike::ops::{Augment, Normalize};
use lookalike::train::{Batches, Epoch, FitOptions, Monitor, Task, Trained, fit};
use lookalike::{Device, Error, Result};
use serde_json::{Value, json};

use super::display::{note, percent, say};

/// Settings of a run.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Most epochs
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one)]
    pub epochs: usize,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub batch: usize,
    /// Seed of everything that is drawn: split, weights, order, dropout, augmentation
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u32,
    /// Learning rate
    #[arg(long, value_name = "RATE", default_value_t = 1e-3, value_parser = positive)]
    pub rate: f64,
    /// Epochs without a lower validation loss before training stops
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub patience: usize,
    /// Share of each person's photos that is kept to validate
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    pub validation: f64,
    /// Channels after each stage of convolutions
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_value = "16,32,64", value_parser = at_least_one)]
    pub widths: Vec<usize>,
    /// Units of the hidden dense layer
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = at_least_one)]
    pub dense: usize,
    /// Share dropped before the last layer
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = dropout)]
    pub dropout: f64,
    /// Show each training picture as it is, without random flips, shifts and brightness
    #[arg(long)]
    pub no_augment: bool,
}

impl Default for Settings {
    /// Those of a command line without options.
    fn default() -> Settings {
        #[derive(clap::Parser)]
        struct Nothing {
            #[command(flatten)]
            settings: Settings,
        }
        <Nothing as clap::Parser>::parse_from([""]).settings
    }
}

fn number<T: std::str::FromStr + PartialOrd>(
    text: &str,
    fits: impl Fn(&T) -> bool,
    wanted: &str,
) -> std::result::Result<T, String> {
    text.parse().ok().filter(fits).ok_or_else(|| wanted.into())
}

fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    number(text, |&n| n >= 1, "give a whole number from 1")
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    number(text, |&x: &f64| x.is_finite() && x > 0.0, "give a number above 0, such as 0.001")
}

fn share(text: &str) -> std::result::Result<f64, String> {
    number(text, |&x| x > 0.0 && x < 1.0, "give a share between 0 and 1, such as 0.2")
}

fn dropout(text: &str) -> std::result::Result<f64, String> {
    number(text, |&x| (0.0..1.0).contains(&x), "give a share from 0 to below 1, such as 0.2")
}

/// What training gave.
pub struct Learned {
    /// The best model, ready to be saved.
    pub file: ModelFile,
    /// Its epochs.
    pub trained: Trained,
    /// Which pictures it was trained on and which not.
    pub split: Split,
}

/// Splits, builds the network, says what it takes, trains.
pub fn learn(dataset: &Dataset, settings: &Settings, device: &Device) -> Result<Learned> {
    let split = split_by_group(dataset, settings.validation, settings.seed.into())?;
    say(format_args!("split: {}", split.note));
    let model = scratch_cnn(&ScratchCnn {
        size: dataset.size,
        widths: settings.widths.clone(),
        dense: settings.dense,
        dropout: settings.dropout as f32,
        classes: dataset.classes(),
    });
    let CutStyle { detector, margin, align, whole } = dataset.cut.clone();
    let preprocessing =
        Preprocessing { size: dataset.size, detector, margin, align, whole, normalize: Normalize::unit() };
    let options = settings.options();
    announce(&model, &options, split.train.len(), device)?;
    let stop = stop_on_interrupt()?;
    let mut table = EpochTable::new(settings);
    let task = Task { model: &model, dataset, split: &split, normalize: preprocessing.normalize, device };
    let trained = fit(&task, &options, &stop, &mut |epoch| table.row(epoch))?;
    let file = ModelFile {
        model,
        labels: dataset.names.clone(),
        preprocessing,
        training: settings.record(&trained, &split),
        weights: trained.weights.clone(),
    };
    Ok(Learned { file, trained, split })
}

impl Settings {
    fn options(&self) -> FitOptions {
        FitOptions {
            epochs: self.epochs,
            batch: self.batch,
            seed: self.seed,
            rate: self.rate as f32,
            patience: self.patience,
            augment: (!self.no_augment).then(|| Augment { seed: self.seed, ..Augment::default() }),
            ..FitOptions::default()
        }
    }

    /// What the model file tells about its training: no clock times and no paths, so that equal runs give equal
    /// files.
    fn record(&self, trained: &Trained, split: &Split) -> Value {
        json!({
            "settings": {
                "model": "scratch",
                "epochs": self.epochs,
                "batch": self.batch,
                "seed": self.seed,
                "rate": self.rate,
                "patience": self.patience,
                "validation": self.validation,
                "augment": !self.no_augment,
            },
            "history": trained.history.to_json(),
            "best_epoch": trained.best_epoch,
            "split": split.note,
        })
    }
}

/// Says how large the network is, what a step takes, and what became of a batch too large for the device.
fn announce(model: &Model, options: &FitOptions, pictures: usize, device: &Device) -> Result<()> {
    let batches = Batches::new(model, device, options)?;
    let limit = format!("the device takes tensors of at most {} bytes", device.max_tensor());
    if batches.batch < options.batch {
        note(format_args!("--batch {} is reduced to {}: {limit}", options.batch, batches.batch));
    } else if batches.most < batches.batch.min(pictures) {
        note(format_args!("--batch {} is computed in parts of {}: {limit}", options.batch, batches.most));
    }
    let at_once = batches.batch.min(batches.most).min(pictures);
    let summary = Summary::new(model, at_once)?;
    say(format_args!("network: {}, {} parameters", summary.name, summary.parameters()));
    say(format_args!("memory: {} for {at_once} pictures at a time", summary.training));
    Ok(())
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note("stopping after this step, to keep the best model; press Ctrl-C again to end at once");
    };
    ctrlc::set_handler(handler).map_err(|e| Error::Training(format!("Ctrl-C cannot be caught: {e}")))?;
    Ok(stop)
}

/// One line per epoch.
struct EpochTable {
    monitor: Monitor,
}

impl EpochTable {
    fn new(settings: &Settings) -> EpochTable {
        say("\nepoch    loss  accuracy  val loss  val accuracy  pictures/s");
        EpochTable { monitor: Monitor::new(settings.patience) }
    }

    fn row(&mut self, epoch: &Epoch) {
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
