//! `lookalike train`: faces to a model.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use lookalike::formats::atomic::check_writable;
use lookalike::models::Strangers;
use lookalike::train::{Believed, Checkpoints, Outcome};
use lookalike::{Error, Result};
use serde_json::{Map, Value, json};

use super::cut::{self, CropArguments, Faces};
use super::device::RunArguments;
use super::display::{self, note, percent, say};
use super::folds::cross_validate;
use super::learning::{Learned, Settings, Watch, learn};
use super::number::seconds;
use super::report::{ReportArguments, report_on, report_on_training, samples, write_report};
use super::scores::{Scores, groups_line};

/// Train a model on photos of two or more people
///
/// Every run on a folder searches its photos again. `lookalike crop` searches them once, goes on after an interruption,
/// and lets you choose where a photo shows several faces; train then takes its file.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  lookalike train photos -o model.safetensors",
    allow_negative_numbers = true
)]
pub struct Arguments {
    /// Folder with one sub-folder per person, or a file that `lookalike crop` wrote
    photos: PathBuf,
    /// Model file to write
    #[arg(short, long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// File for the learning curves [default: that of the model, ending in .csv]
    #[arg(long, value_name = "FILE.csv")]
    history: Option<PathBuf>,
    /// Go on with a run that was interrupted, from its last checkpoint beside the model file: it ends with the same model as if
    /// nothing had happened. Give the same photos and options as then
    #[arg(long)]
    resume: bool,
    /// Least seconds between two checkpoints; where writing one takes long it is longer, so that this takes at most 2 % of the
    /// time. 0 writes one after each step
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    checkpoint_every: f64,
    #[command(flatten)]
    report: ReportArguments,
    #[command(flatten)]
    crop: CropArguments,
    #[command(flatten)]
    run: RunArguments,
    /// Print lines instead of the live display; so it is where the output is no terminal, or CI is set
    #[arg(long)]
    plain: bool,
    /// Print one JSON object a line, and nothing else there: `event` is start, features, step, epoch, note or, with the result,
    /// end; a run that fails has no end
    #[arg(long, conflicts_with = "plain")]
    json_lines: bool,
    /// Last, because their headings would stand over all that follows.
    #[command(flatten)]
    settings: Settings,
}

/// Why training ended, for machines.
fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::EarlyStopped => "stopped early",
        Outcome::Interrupted => "interrupted",
        Outcome::NotFinite { .. } => "not finite",
    }
}

/// How far confidences and accuracy are apart, before and after they are tempered.
fn calibration_line(believed: &Believed) -> String {
    let before = format!("calibration: confidences are off by {} on average", percent(believed.before));
    match believed.temperature {
        1.0 => format!("{before}; a temperature would not help"),
        temperature => format!(
            "{before}, {} at temperature {temperature:.2} (each half judged by that of the other)",
            percent(believed.after)
        ),
    }
}

/// How far a face may be from everybody, and where that comes from.
fn strangers_line(strangers: &Strangers) -> String {
    let from = match strangers.held_out {
        0 => "a default: too few people were held out to tell from them".to_string(),
        groups => {
            let share = percent(strangers.rate);
            format!("{share} of {groups} groups of different photos pass for another person")
        }
    };
    format!(
        "strangers: a face at a distance of {:.4} or more from everybody is 'unknown' ({from})",
        strangers.threshold
    )
}

impl Arguments {
    /// Where the run is kept while it goes on; nowhere where there is no epoch to interrupt.
    fn checkpoints(&self) -> Option<Checkpoints> {
        let Arguments { output, resume, checkpoint_every, .. } = self;
        if !self.settings.network.model.has_epochs() {
            if *resume {
                note(
                    "this network is trained in one go: the run starts anew, with what it kept of the pictures",
                );
            }
            return None;
        }
        let checkpoints = Checkpoints {
            path: output.with_extension("checkpoint"),
            every: Duration::try_from_secs_f64(*checkpoint_every).unwrap_or(Duration::MAX),
            resume: *resume,
        };
        if !resume && checkpoints.exist() {
            let path = checkpoints.path.display();
            note(format_args!(
                "{path} is of a run that was interrupted: --resume goes on with it; this run starts anew and replaces it"
            ));
        }
        Some(checkpoints)
    }
}

/// Trains, saves the best model, scores it on the pictures kept back.
pub fn run(arguments: &Arguments) -> Result<()> {
    let began = Instant::now();
    let Arguments { output, crop, plain, .. } = arguments;
    if arguments.json_lines {
        display::only_json_lines();
    }
    let start = arguments.settings.start()?;
    if let Some(advice) = arguments.settings.without_effect() {
        note(advice);
    }
    let device = arguments.run.open(false)?;
    let history = arguments.history.clone().unwrap_or_else(|| output.with_extension("csv"));
    check_writable(output)?;
    check_writable(&history)?;
    let report = arguments.report.folder(output)?;
    let checkpoints = arguments.checkpoints();
    let Faces { dataset, skipped } = cut::to_learn_from(&arguments.photos, crop, &device, *plain)?;
    say(format_args!("{} faces of {} people", dataset.len(), dataset.classes()));
    let cross_validation = match arguments.settings.folds {
        Some(folds) => {
            let kept = checkpoints.as_ref();
            cross_validate(&dataset, folds as usize, &arguments.settings, &start, &device, kept, *plain)?
        }
        None => Value::Null,
    };
    let mut learned = learn(
        &dataset,
        &arguments.settings,
        &start,
        &device,
        checkpoints.clone(),
        &Watch::terminal(*plain)?,
    )?;
    learned.file.training["cross_validation"] = cross_validation;
    let Learned { file, trained, split, labels, believed, interrupted, .. } = &learned;
    // Before anything else that could fail.
    file.save(output)?;
    trained.history.write_csv(&history, split)?;
    if trained.outcome == Outcome::EarlyStopped {
        say(format_args!(
            "\nstopped: the validation loss has not fallen for {} epochs",
            arguments.settings.patience
        ));
    }
    match &checkpoints {
        Some(_) if *interrupted => note("stopped early; the same command with --resume goes on"),
        Some(checkpoints) => checkpoints.remove()?,
        None => {}
    }

    say("");
    let mut notes = Vec::new();
    let what =
        if split.leaky { "LEAKY validation accuracy (--split tutorial)" } else { "validation accuracy" };
    let mut result = Map::new();
    if labels.is_empty() {
        note(
            "how well this works cannot be said: there is no second photo of anybody to try it on; `lookalike evaluate` \
             tells with other photos of these people",
        );
    } else {
        let scores = Scores::of_rows(&file.labels, labels, &trained.answers);
        scores.print(what);
        result = scores.json();
        let pictures = learned.expanded.as_ref().unwrap_or(&dataset);
        notes.push(groups_line(pictures, split.validation.iter().copied()));
        notes.push(calibration_line(believed));
    }
    notes.extend(file.judgement.strangers.as_ref().map(strangers_line));
    notes.iter().for_each(|line| say(format_args!("\n{line}")));
    match arguments.settings.network.model.has_epochs() {
        true => say(format_args!("\nmodel: {} (of epoch {})", output.display(), trained.best_epoch)),
        false => say(format_args!("\nmodel: {}", output.display())),
    }
    say(format_args!("learning curves: {}", history.display()));
    if let Some(folder) = report {
        let written = device.retrying(&mut |text| note(text), &mut || {
            let mut report = report_on(file, output, &device, began)?;
            report.subtitle = format!("Trained on the faces of {}.", arguments.photos.display());
            report.samples = samples(&dataset, split, &arguments.settings, &device)?;
            let report = report_on_training(report, &device, &dataset, &learned, &skipped, notes.clone())?;
            write_report(&report, &folder)
        });
        match written {
            Ok(page) => say(format_args!("report: {}", page.display())),
            // The model is what was asked for, and it is there.
            Err(problem @ (Error::DeviceLost(_) | Error::OutOfMemory { .. } | Error::Gpu(_))) => {
                note(format_args!("no report: {problem}; the model is whole"));
            }
            Err(problem) => return Err(problem),
        }
    }
    if arguments.json_lines {
        result.extend([
            ("model".to_string(), json!(output.display().to_string())),
            ("history".to_string(), json!(history.display().to_string())),
            ("outcome".to_string(), json!(outcome_name(&trained.outcome))),
            ("best_epoch".to_string(), json!(trained.best_epoch)),
        ]);
        display::json_line("end", Value::Object(result));
    }
    match trained.outcome {
        Outcome::NotFinite { epoch } => Err(Error::Training(format!(
            "the loss was not finite in epoch {epoch}; {} holds the best model before that, of epoch {}; use a lower \
             learning rate (--rate)",
            output.display(),
            trained.best_epoch
        ))),
        Outcome::Finished | Outcome::EarlyStopped | Outcome::Interrupted => Ok(()),
    }
}
