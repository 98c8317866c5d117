//! From faces to a trained model, with a line per epoch: what `train` and `demo` share.

mod announce;
mod enrol;
mod interrupt;
mod json_lines;
mod lines;
mod settings;
mod show;
mod strangers;

use lookalike::data::{CutStyle, Dataset, Split, expand, split_by_group, split_leaky};
use lookalike::models::{Judgement, ModelFile, Preprocessing};
use lookalike::train::{
    Believed, Checkpoints, Examples, Fit, FitOptions, Task, Trained, believe, fit, fit_linear, fit_means,
    masked_people,
};
use lookalike::{Device, Result};

use announce::announce;
use enrol::{anybody_has_two, enrol, trained_on_all};
use interrupt::stop_on_interrupt;
use show::Show;
use strangers::strangers;

use super::display::{Progress, say};
use super::network::{Kind, Start};

pub use settings::{Settings, SplitKind};

/// What training gave.
pub struct Learned {
    /// The best model, ready to be saved.
    pub file: ModelFile,
    /// Its epochs.
    pub trained: Trained,
    /// Which pictures it was trained on and which not.
    pub split: Split,
    /// Who is on each validation picture.
    pub labels: Vec<usize>,
    /// How far its confidences can be believed.
    pub believed: Believed,
}

/// Splits, builds the network, says what it takes, trains; keeps the run at `checkpoints` meanwhile.
pub fn learn(
    dataset: &Dataset,
    settings: &Settings,
    start: &Start,
    device: &Device,
    checkpoints: Option<Checkpoints>,
    plain: bool,
) -> Result<Learned> {
    let expanded;
    let (dataset, split) = match settings.split {
        SplitKind::Honest if !settings.network.model.has_epochs() && !anybody_has_two(dataset) => {
            (dataset, trained_on_all(dataset))
        }
        SplitKind::Honest => (dataset, split_by_group(dataset, settings.validation, settings.seed.into())?),
        SplitKind::Tutorial => {
            // Photos are augmented once, whatever the seed of the run.
            expanded = expand(dataset, settings.copies, settings.changes.augment(0), device)?;
            (&expanded, split_leaky(&expanded, settings.validation, settings.seed.into())?)
        }
    };
    let split = match settings.photos_each {
        Some(most) => split.with_fewer(dataset, most, settings.seed.into()),
        None => split,
    };
    learn_split(dataset, split, settings, start, device, checkpoints, plain)
}

/// The same with a split of its own.
pub fn learn_split(
    dataset: &Dataset,
    split: Split,
    settings: &Settings,
    start: &Start,
    device: &Device,
    checkpoints: Option<Checkpoints>,
    plain: bool,
) -> Result<Learned> {
    say(format_args!("split: {}", split.note));
    let placed = settings.network.model == Kind::Face;
    let crop_size = dataset.size;
    let photos = split.train.len();
    let enrolled;
    let (dataset, split) = match placed {
        true => {
            let (all, split) = enrol(dataset, split, settings.masks(), device)?;
            enrolled = all.placed();
            (&enrolled, split)
        }
        false => (dataset, split),
    };
    let model = settings.network.build(start, dataset.size, dataset.classes())?;
    let Start { weights, normalize, .. } = start;
    let normalize = *normalize;
    let CutStyle { detector, margin, align, whole } = dataset.cut.clone();
    let preprocessing = Preprocessing { size: crop_size, detector, margin, align, placed, whole, normalize };
    let options = FitOptions { checkpoints, ..settings.options(start)? };
    let task = Task { model: &model, dataset, split: &split, normalize, weights, device };
    let batches = match settings.network.model.has_epochs() {
        true => Some(announce(&task, &options)?),
        false => None,
    };
    let stop = stop_on_interrupt()?;
    let mut show = Show::new(settings, &task, batches, &stop, plain);
    let fit: Fit = match settings.network.model {
        Kind::Scratch | Kind::Vgg16 => fit,
        Kind::Vgg16Gap => fit_linear,
        Kind::Face => fit_means,
    };
    let trained = fit(&task, &options, &stop, &mut |event| show.event(event))?;
    drop(show);
    let labels: Vec<usize> = split.validation.iter().map(|&picture| dataset.labels[picture]).collect();
    let groups: Vec<i64> = split.validation.iter().map(|&picture| dataset.groups[picture]).collect();
    let believed = believe(&trained.answers, &labels, &groups);
    let strangers = match settings.strangers() {
        Some(rate) => strangers(&task, &options, settings, rate, fit, &trained, &stop)?,
        None => None,
    };
    let mut file = ModelFile {
        model,
        judgement: Judgement { temperature: believed.temperature, strangers, masked: None },
        labels: dataset.names.clone(),
        preprocessing,
        training: settings.record(&trained, &split),
        weights: trained.weights.clone(),
    };
    if let (Kind::Face, Some(rate)) = (settings.network.model, settings.strangers()) {
        // Without the drawn masks, which stand behind the photos: with the lower half painted over they are the photos
        // once more, and whole they are nearer to everybody in a mask, strangers too.
        let examples =
            Examples { dataset, pictures: &split.train[..photos], features: &trained.features[..photos] };
        let progress = Progress::new("upper halves", "faces", plain);
        let report = &mut |done| progress.report(done, photos);
        file.judgement.masked = Some(masked_people(device, &file, &examples, rate, report)?);
    }
    Ok(Learned { file, trained, split, labels, believed })
}
