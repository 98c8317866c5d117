//! From faces to a trained model, with a line per epoch: what `train` and `demo` share.

mod announce;
mod enrol;
mod interrupt;
mod json_lines;
mod lines;
mod settings;
mod show;
mod strangers;
mod watch;

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use lookalike::data::{CutStyle, Dataset, Split, expand, split_by_group, split_leaky};
use lookalike::models::{Judgement, Model, ModelFile, Preprocessing, Strangers};
use lookalike::train::{
    Believed, Checkpoints, Examples, Fit, FitOptions, Task, Trained, believe, fit, fit_linear, fit_means,
    masked_people,
};
use lookalike::{Device, Result};

use announce::announce;
use enrol::{anybody_has_two, enrol, trained_on_all, with_all};
use show::Show;
use strangers::strangers;

use super::changes::note_unknown_faces;
use super::display::{Progress, note, say};
use super::network::{Kind, Start};

use settings::EXPANDED;

pub use settings::{Settings, SplitKind};
pub use watch::Watch;

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
    /// The pictures that were split, where these are not the ones given but changed copies of them too.
    pub expanded: Option<Dataset>,
    /// Whether the user wanted no more of it, so that something is missing.
    pub interrupted: bool,
}

/// Splits, builds the network, says what it takes, trains; keeps the run at `checkpoints` meanwhile.
pub fn learn(
    dataset: &Dataset,
    settings: &Settings,
    start: &Start,
    device: &Device,
    checkpoints: Option<Checkpoints>,
    watch: &Watch<'_>,
) -> Result<Learned> {
    if let Some(augment) = settings.augmentation() {
        note_unknown_faces(dataset, augment);
    }
    let mut expanded = None;
    let (dataset, split) = match settings.split {
        SplitKind::Honest if !settings.network.model.has_epochs() && !anybody_has_two(dataset) => {
            (dataset, trained_on_all(dataset))
        }
        SplitKind::Honest => (dataset, split_by_group(dataset, settings.validation, settings.seed.into())?),
        SplitKind::Tutorial => {
            // Photos are augmented once, whatever the seed of the run.
            let changes = settings.changes.augment(EXPANDED);
            let pictures = expanded.insert(expand(dataset, settings.copies(), changes, device)?);
            (&*pictures, split_leaky(pictures, settings.validation, settings.seed.into())?)
        }
    };
    let split = match settings.photos_each {
        Some(most) => split.with_fewer(dataset, most, settings.seed.into()),
        None => split,
    };
    let learned = learn_split(dataset, split, settings, start, device, checkpoints, watch)?;
    Ok(Learned { expanded, ..learned })
}

/// The same with a split of its own.
pub fn learn_split(
    dataset: &Dataset,
    split: Split,
    settings: &Settings,
    start: &Start,
    device: &Device,
    checkpoints: Option<Checkpoints>,
    watch: &Watch<'_>,
) -> Result<Learned> {
    say(format_args!("split: {}", split.note));
    let learner = Learner { settings, start, device, watch };
    let (judged, trained) = learner.fit(dataset, split, checkpoints.clone())?;
    let Lesson { pictures, split, .. } = &judged;
    let labels: Vec<usize> = split.validation.iter().map(|&picture| pictures.labels[picture]).collect();
    let groups: Vec<i64> = split.validation.iter().map(|&picture| pictures.groups[picture]).collect();
    let believed = believe(&trained.answers, &labels, &groups);
    let again = match settings.learns_again() && !labels.is_empty() {
        true => {
            let all = with_all(dataset, split);
            say(format_args!("judged by {} photos; now all {} are learned", labels.len(), all.train.len()));
            watch.unless_stopped("the photos that judged it were learned", || {
                learner.fit(dataset, all, None)
            })?
        }
        false => None,
    };
    let (lesson, kept) = match &again {
        Some((lesson, trained)) => (lesson, trained),
        None => (&judged, &trained),
    };
    let strangers = match settings.strangers() {
        // There is nothing to wait for.
        Some(rate) if settings.network.model.is_for_faces() => {
            learner.strangers(lesson, kept, rate, checkpoints)?
        }
        Some(rate) => {
            let find = || learner.strangers(lesson, kept, rate, checkpoints);
            watch.unless_stopped("it was known how far strangers are", find)?.flatten()
        }
        None => None,
    };
    let CutStyle { detector, margin, align, whole } = dataset.cut.clone();
    let placed = settings.network.model.placement();
    let size = dataset.size;
    let mut file = ModelFile {
        model: lesson.model.clone(),
        judgement: Judgement { temperature: believed.temperature, strangers, masked: None },
        labels: dataset.names.clone(),
        preprocessing: Preprocessing {
            size,
            detector,
            margin,
            align,
            placed,
            whole,
            normalize: start.normalize,
        },
        training: settings.record(&trained, split),
        weights: kept.weights.clone(),
    };
    if let (Kind::Face, Some(rate)) = (settings.network.model, settings.strangers()) {
        // Without the drawn masks, which stand behind the photos: with the lower half painted over they are the photos
        // once more, and whole they are nearer to everybody in a mask, strangers too.
        let photos = lesson.photos;
        let examples = Examples {
            dataset: &lesson.pictures,
            pictures: &lesson.split.train[..photos],
            features: &kept.features[..photos],
        };
        let progress = Progress::new("upper halves", "faces", watch.plain);
        let report = &mut |done| progress.report(done, photos);
        let on_note = &mut |text: &str| note(text);
        file.judgement.masked = Some(masked_people(device, &file, &examples, rate, report, on_note)?);
    }
    let interrupted = watch.stop.load(Ordering::Relaxed);
    Ok(Learned { file, trained, split: judged.split, labels, believed, expanded: None, interrupted })
}

/// What learns: the network and its settings on a device.
struct Learner<'a> {
    settings: &'a Settings,
    start: &'a Start,
    device: &'a Device,
    watch: &'a Watch<'a>,
}

/// What is learned.
struct Lesson<'a> {
    /// The photos, and behind them copies in drawn masks.
    pictures: Cow<'a, Dataset>,
    split: Split,
    /// How many of those to train on are photos.
    photos: usize,
    model: Model,
}

impl Learner<'_> {
    fn fit<'a>(
        &self,
        dataset: &'a Dataset,
        split: Split,
        checkpoints: Option<Checkpoints>,
    ) -> Result<(Lesson<'a>, Trained)> {
        let Learner { settings, start, device, watch } = *self;
        let photos = split.train.len();
        let (pictures, split) = match settings.network.model.placement() {
            Some(placement) => {
                let (all, split) = enrol(dataset, split, settings.masks(), device)?;
                (Cow::Owned(all.placed(placement)), split)
            }
            None => (Cow::Borrowed(dataset), split),
        };
        let model = settings.network.build(start, pictures.size, pictures.classes())?;
        let options = FitOptions { checkpoints, ..settings.options(start)? };
        let lesson = Lesson { pictures, split, photos, model };
        let task = self.task(&lesson);
        let batches = match settings.network.model.has_epochs() {
            true => Some(announce(&task, &options)?),
            false => None,
        };
        let mut show = Show::new(settings, &task, batches, watch);
        let trained = self.way()(&task, &options, &watch.stop, &mut |event| show.event(event))?;
        drop(show);
        Ok((lesson, trained))
    }

    fn task<'a>(&'a self, lesson: &'a Lesson<'_>) -> Task<'a> {
        let Lesson { pictures, split, model, .. } = lesson;
        let Start { weights, normalize, .. } = self.start;
        Task { model, dataset: pictures, split, normalize: *normalize, weights, device: self.device }
    }

    fn way(&self) -> Fit {
        match self.settings.network.model {
            model if model.is_for_faces() => fit_means,
            model if model.has_epochs() => fit,
            _ => fit_linear,
        }
    }

    fn strangers(
        &self,
        lesson: &Lesson<'_>,
        trained: &Trained,
        rate: f64,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Option<Strangers>> {
        let options = FitOptions { checkpoints, ..self.settings.options(self.start)? };
        let Learner { settings, watch, .. } = *self;
        strangers(&self.task(lesson), &options, settings, rate, self.way(), trained, &watch.stop)
    }
}
