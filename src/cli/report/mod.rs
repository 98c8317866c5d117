//! Reports of `train`, `evaluate` and `demo`: what is put into them, and where they go.

mod command;
mod looks;
mod record;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use lookalike::data::crops::Skipped;
use lookalike::data::{Dataset, Split};
use lookalike::formats::atomic::check_writable;
use lookalike::models::calibration::at_temperature;
use lookalike::models::{ModelFile, Summary};
use lookalike::report::{PAGE, Report, Thumbnail, Tried, surest_mistakes};
use lookalike::vision::RgbImage;
use lookalike::vision::sheet::Row;
use lookalike::{Device, Result};

use super::augment::{changed, spread};
use super::display::clock;
use super::learning::{Learned, Settings};
use super::output::{make_folder, write};

use command::command;
use looks::looks;

/// Wrong answers that are shown.
const MOST_MISTAKES: usize = 24;
/// Pictures whose changes are shown, and changes of each.
const SAMPLES: (usize, u32) = (4, 6);

/// Where the report of a training run goes.
#[derive(Args, Clone, Debug)]
pub struct ReportArguments {
    /// Folder for the report: report.html, one page that any browser opens, and its pictures [default: beside the model, for
    /// model.safetensors the folder model-report]
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_report")]
    report: Option<PathBuf>,
    /// Write no report
    #[arg(long)]
    no_report: bool,
}

impl ReportArguments {
    /// The folder for the report of this model; none where none is wanted.
    ///
    /// # Errors
    /// As [`check_folder`].
    pub fn folder(&self, model: &Path) -> Result<Option<PathBuf>> {
        if self.no_report {
            return Ok(None);
        }
        let beside = || {
            let name = model.file_stem().unwrap_or_default().to_string_lossy();
            model.with_file_name(format!("{name}-report"))
        };
        let folder = self.report.clone().unwrap_or_else(beside);
        check_folder(&folder)?;
        Ok(Some(folder))
    }
}

/// Whether a report could be written into the folder, or the folder be made. Leaves nothing behind.
///
/// # Errors
/// [`Error::Io`](lookalike::Error::Io) if not.
pub fn check_folder(folder: &Path) -> Result<()> {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new(""));
    check_writable(&there.join(PAGE))
}

/// Writes page and pictures into the folder, each whole or not at all, and returns where the page is.
pub fn write_report(report: &Report, folder: &Path) -> Result<PathBuf> {
    make_folder(folder)?;
    for (name, bytes) in report.files()? {
        write(&folder.join(name), &bytes)?;
    }
    Ok(folder.join(PAGE))
}

/// What the model itself and this run tell. Answers, and what is special to the command, are for the caller to add.
pub fn report_on(file: &ModelFile, model: &Path, device: &Device, start: Instant) -> Result<Report> {
    let record = &file.training;
    let settings = record::settings(file);
    // A batch decides about memory only, which the page does not show.
    let network = Summary::new(&file.model, 1, device)?;
    let mut run = vec![
        ("Lookalike".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("device".into(), device.to_string()),
        ("system".into(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ("took".into(), clock(start.elapsed().as_secs())),
    ];
    let mut facts = vec![("people".to_string(), file.labels.len().to_string())];
    facts.extend(record::cross_validation(record));
    let seed = record["settings"]["seed"].as_u64();
    run.extend(seed.map(|seed| ("seed of the training".into(), seed.to_string())));
    Ok(Report {
        title: model.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        subtitle: String::new(),
        facts,
        tried: None,
        learning: record::learning(record),
        samples: vec![],
        split: record["split"].as_str().map(String::from),
        network,
        settings,
        run,
        command: command(std::env::args_os(), seed),
    })
}

/// The report on what was learned from the faces of a dataset, some of which were kept back to try the model on.
pub fn report_on_training(
    about: Report,
    device: &Device,
    dataset: &Dataset,
    learned: &Learned,
    skipped: &[Skipped],
    notes: Vec<String>,
) -> Result<Report> {
    let Learned { file, trained, split, labels, expanded, .. } = learned;
    let pictures = expanded.as_ref().unwrap_or(dataset);
    let mut report = about;
    let learned_from = split.train.iter().filter(|&&picture| picture < pictures.len()).count();
    report.facts.extend([
        ("faces learned from".to_string(), learned_from.to_string()),
        ("faces kept to validate".into(), split.validation.len().to_string()),
    ]);
    if labels.is_empty() {
        return Ok(report);
    }
    let temperature = file.judgement.temperature;
    let rows: Vec<Vec<f32>> = trained.answers.iter().map(|row| at_temperature(row, temperature)).collect();
    let mut tried = tried(file, device, labels.clone(), rows, &|at| (pictures, split.validation[at]))?;
    tried.accuracy = "Validation accuracy".into();
    tried.warning = leaky(split);
    tried.notes = notes;
    if report.learning.is_some() {
        tried
            .notes
            .push("the best epoch was chosen on these photos: new ones may fare a little worse".into());
    }
    if file.training["settings"]["refit"] == true {
        tried.notes.push("once they had judged it, the network learned these photos too".into());
    }
    tried.skipped = listed(skipped);
    report.tried = Some(tried);
    Ok(report)
}

/// Answers to faces, with the surest mistakes and some heat maps. `picture` tells where the face of an answer is.
pub fn tried<'a>(
    file: &ModelFile,
    device: &Device,
    truths: Vec<usize>,
    rows: Vec<Vec<f32>>,
    picture: &dyn Fn(usize) -> (&'a Dataset, usize),
) -> Result<Tried> {
    let thumbnail = |answer: usize| {
        let (dataset, at) = picture(answer);
        Ok(Thumbnail {
            answer,
            picture: RgbImage::new(dataset.size, dataset.size, dataset.image(at).to_vec())?,
            source: dataset.sources[at].clone(),
        })
    };
    let mistakes = surest_mistakes(&rows, &truths, MOST_MISTAKES);
    let mistakes = mistakes.into_iter().map(thumbnail).collect::<Result<_>>()?;
    let looks = looks(file, device, &rows, picture)?;
    Ok(Tried {
        accuracy: "Accuracy".into(),
        warning: None,
        names: file.labels.clone(),
        truths,
        rows,
        unknown: vec![],
        notes: vec![],
        mistakes,
        looks,
        strangers: None,
        skipped: vec![],
    })
}

/// Some of the pictures that were learned from, each with the first changes that training made of it; empty where it made none.
pub fn samples(dataset: &Dataset, split: &Split, settings: &Settings, device: &Device) -> Result<Vec<Row>> {
    let Some(augment) = settings.augmentation() else { return Ok(vec![]) };
    let (most, changes) = SAMPLES;
    let learned: Vec<usize> = split.train.iter().copied().filter(|&at| at < dataset.len()).collect();
    let shown: Vec<usize> = spread(learned.len(), most).into_iter().map(|at| learned[at]).collect();
    changed(dataset, &shown, changes, augment, device)
}

/// Photos that were not used, with the reasons.
pub fn listed(skipped: &[Skipped]) -> Vec<(String, String)> {
    skipped.iter().map(|skipped| (skipped.photo.display().to_string(), skipped.reason.clone())).collect()
}

fn leaky(split: &Split) -> Option<String> {
    split.leaky.then(|| {
        "LEAKY (--split tutorial): the model has learned from changed copies of these very photos, so this accuracy says little \
         about new ones."
            .into()
    })
}
