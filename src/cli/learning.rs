//! From faces to a trained model, with a line per epoch: what `train` and `demo` share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use clap::{Args, ValueEnum};
use lookalike::data::{CutStyle, Dataset, Split, expand, split_by_group, split_leaky, with_masks};
use lookalike::folders::cache_folder;
use lookalike::models::{Judgement, ModelFile, Preprocessing, Strangers};
use lookalike::ops::Augment;
use lookalike::train::{
    Batches, Believed, Caching, Epoch, Event, Examples, Fit, FitOptions, Monitor, Task, Trained, believe,
    features_of, fit, fit_linear, fit_means, hold_out, masked_people,
};
use lookalike::{Device, Error, Result};
use serde_json::{Value, json};

use super::changes::Changes;
use super::display::{Progress, clock, note, percent, say};
use super::network::{Kind, NetworkArguments, Start};
use super::number::{at_least_one, bytes, positive, share};
use super::precision::Floats;
use super::recipe::RecipeArguments;

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
    /// Also cross-validate: split each person's photos into so many parts, and judge each part by a network trained on the
    /// others; what is frozen sees each photo once
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(2..=100))]
    pub folds: Option<u64>,
    /// Train on no more than this many photos of each person; as many validate as without it
    #[arg(long = "photos", value_name = "N", value_parser = at_least_one)]
    pub photos_each: Option<usize>,
    /// Show each training picture as it is, without random changes
    #[arg(long, conflicts_with_all = ["masks", "glasses", "erase"])]
    pub no_augment: bool,
    /// What is kept apart: photos with all their near-duplicates, or, as the tutorial did, single pictures after
    /// augmentation, whose accuracy says little about new photos
    #[arg(long, value_enum, default_value_t)]
    pub split: SplitKind,
    /// Changed copies of each picture that a frozen network sees once; the tutorial's split makes as many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub copies: u32,
    /// New changes in each epoch, though every picture goes through the frozen network again
    #[arg(long, conflicts_with = "no_augment")]
    pub fresh: bool,
    /// Do not keep what a frozen network made of the pictures: the same result, but each epoch takes as long as the first
    #[arg(long)]
    pub no_cache: bool,
    /// Floats in which it is kept: f16 takes half the room. A GPU that has 16-bit floats then also keeps pictures and
    /// weights in them within the frozen layers, which moves half the bytes; sums stay 32 bits wide. Features change by about
    /// 0.2 %
    #[arg(long, value_enum, default_value_t)]
    pub precision: Floats,
    /// Most memory for the run on its device, such as 2GB [default: what the batch needs]
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub memory: Option<u64>,
    /// Share of strangers that the model may take for one of its people; the others are 'unknown' [default: 0.01 for --model face;
    /// else nobody is, because that would be most of the people it knows too]
    #[arg(long, value_name = "RATE", value_parser = share)]
    pub strangers: Option<f64>,
    /// Networks trained in addition, each without another part of the people, to find out how far strangers are [default: 3, each
    /// of which takes as long as the model; 10 with --model vgg16-gap, whose take a second]
    #[arg(long, value_name = "K", requires = "strangers", value_parser = clap::value_parser!(u64).range(0..=100))]
    pub hold_out: Option<u64>,
    #[command(flatten)]
    pub network: NetworkArguments,
    #[command(flatten)]
    pub recipe: RecipeArguments,
    #[command(flatten)]
    pub changes: Changes,
}

/// Share of enrolled pictures that wear a drawn mask unless told otherwise: one for each bare one.
const ENROLLED_MASKS: f32 = 0.5;
/// Largest share of enrolled pictures that may wear a drawn mask: nine for each bare one.
const MOST_MASKS: f32 = 0.9;

/// Share of strangers that the face network may take for somebody unless told otherwise.
const STRANGERS: f64 = 0.01;
/// Networks that are trained without some of the people to find out how far strangers are.
const HOLD_OUT: usize = 3;
/// The same where each takes a second.
const HOLD_OUT_WITHOUT_EPOCHS: usize = 10;

/// How pictures are split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SplitKind {
    /// Near-duplicates of a photo on one side, before any augmentation
    #[default]
    Honest,
    /// Leaky: augment first, then split at random
    Tutorial,
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

/// Splits, builds the network, says what it takes, trains.
pub fn learn(
    dataset: &Dataset,
    settings: &Settings,
    start: &Start,
    device: &Device,
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
    learn_split(dataset, split, settings, start, device, plain)
}

/// The same with a split of its own.
pub fn learn_split(
    dataset: &Dataset,
    split: Split,
    settings: &Settings,
    start: &Start,
    device: &Device,
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
    let options = settings.options(start)?;
    let task = Task { model: &model, dataset, split: &split, normalize, weights, device };
    if settings.network.model.has_epochs() {
        announce(&task, &options)?;
    }
    let stop = stop_on_interrupt()?;
    let mut show = Show::new(settings, plain);
    let fit: Fit = match settings.network.model {
        Kind::Scratch | Kind::Vgg16 => fit,
        Kind::Vgg16Gap => fit_linear,
        Kind::Face => fit_means,
    };
    let trained = fit(&task, &options, &stop, &mut |event| show.event(event))?;
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

/// How far a face may be from the people that a network has learned, so that a share of `rate` of strangers passes; none if that
/// cannot be told.
fn strangers(
    task: &Task<'_>,
    options: &FitOptions,
    settings: &Settings,
    rate: f64,
    fit: Fit,
    trained: &Trained,
    stop: &AtomicBool,
) -> Result<Option<Strangers>> {
    let Task { dataset, split, .. } = *task;
    let model = settings.network.model;
    let people: Vec<usize> = split.train.iter().map(|&picture| dataset.labels[picture]).collect();
    let classes = dataset.classes();
    let usual = model.usual_distance();
    if let (Kind::Face, Some(usual)) = (model, usual) {
        // Its numbers are the same whoever is learned.
        return Ok(Some(Strangers::new(&trained.features, &people, classes, rate, usual)));
    }
    let features = features_of(task, options, &trained.weights, stop)?;
    let folds = settings.hold_out().min(classes);
    let distances = hold_out(task, options, fit, folds, stop, &mut |fold| {
        note(format_args!("training without some of the people, {} of {folds}", fold + 1));
    })?;
    // Without a usual distance, only one that people held out told counts.
    let found =
        Strangers::from_held_out(&features, &people, classes, rate, usual.unwrap_or_default(), distances);
    if found.held_out == 0 && usual.is_none() {
        note("too few people were held out to tell how far strangers are: nobody will be 'unknown'");
        return Ok(None);
    }
    Ok(Some(found))
}

/// The photos to train on, and behind them copies with masks drawn on, which make up about a share of `masks` of both: who is
/// the mean of their photos is found with a mask too if the mean has seen one.
fn enrol(dataset: &Dataset, split: Split, masks: f32, device: &Device) -> Result<(Dataset, Split)> {
    let share = f64::from(masks.min(MOST_MASKS));
    let each = share / (1.0 - share);
    let known: Vec<usize> =
        split.train.iter().copied().filter(|&picture| dataset.knows_face(picture)).collect();
    let mut all = dataset.clone();
    let mut split = split;
    let copies = |rounds: f64| (rounds * known.len() as f64).round() as usize;
    let mut drawn = 0;
    // `evaluate` draws the masks number 0.
    for draw in 1.. {
        let now: Vec<usize> = known.iter().copied().take(copies(each) - drawn).collect();
        if now.is_empty() {
            return Ok((all, split));
        }
        split.train.extend(all.len()..all.len() + now.len());
        all.append(with_masks(dataset, &now, draw, device)?);
        drawn += now.len();
    }
    unreachable!("copies come to an end")
}

/// Whether somebody has two photos that are not nearly equal, so that one of them can be kept to validate.
fn anybody_has_two(dataset: &Dataset) -> bool {
    let mut first = HashMap::new();
    let mut photos = dataset.labels.iter().zip(&dataset.groups);
    photos.any(|(label, group)| *first.entry(label).or_insert(group) != group)
}

/// What needs no validation may learn from every photo.
fn trained_on_all(dataset: &Dataset) -> Split {
    let count = dataset.len();
    let note = format!("{count} photos to train on and none to validate with: nobody has two different ones");
    Split { train: (0..count).collect(), validation: vec![], leaky: false, note }
}

impl Settings {
    /// What the network starts from. What does not fit together, or is not there, is said before any photo is searched.
    ///
    /// # Errors
    /// [`Error::Input`] that names the options; those of [`NetworkArguments::start`].
    pub fn start(&self) -> Result<Start> {
        let tutorial = self.split == SplitKind::Tutorial;
        let refused = match (self.fresh, self.no_augment) {
            _ if tutorial && self.network.model == Kind::Face => {
                "--split tutorial goes with --model scratch or vgg16: the face network sees no changed copies"
            }
            (true, _) if !self.network.model.has_epochs() => {
                "--fresh goes with --model vgg16: a network without epochs sees every picture once"
            }
            (true, _) if tutorial => {
                "--fresh goes with --split honest: the tutorial augments once, before it splits"
            }
            (true, _) if self.network.model == Kind::Scratch => {
                "--fresh goes with --model vgg16: the scratch network always sees new changes"
            }
            _ if tutorial && self.folds.is_some() => {
                "--folds goes with --split honest: changed copies of a photo would be in several folds"
            }
            (_, true) if tutorial => {
                "--no-augment goes with --split honest: the tutorial's split is of changed copies"
            }
            _ => return self.network.start(),
        };
        Err(Error::Input(refused.into()))
    }

    /// Share of training pictures on which a mask is drawn.
    fn masks(&self) -> f32 {
        let usual = match (self.no_augment, self.network.model) {
            (true, _) => 0.0,
            (false, Kind::Face) => ENROLLED_MASKS,
            (false, _) => Augment::usual().masks,
        };
        self.changes.masks.unwrap_or(usual)
    }

    /// The share of strangers that may be taken for somebody, where there are strangers.
    fn strangers(&self) -> Option<f64> {
        let usual = (self.network.model == Kind::Face).then_some(STRANGERS);
        self.strangers.or(usual)
    }

    /// How many networks are trained without some of the people.
    fn hold_out(&self) -> usize {
        let usual = match self.network.model {
            Kind::Face => 0,
            Kind::Scratch | Kind::Vgg16 => HOLD_OUT,
            Kind::Vgg16Gap => HOLD_OUT_WITHOUT_EPOCHS,
        };
        self.hold_out.map_or(usual, |folds| folds as usize)
    }

    /// What to say of options that the network has no use for.
    pub fn without_effect(&self) -> Option<&'static str> {
        let of_epochs = |settings: &Settings| {
            let Settings { epochs, batch, rate, patience, recipe, .. } = settings;
            json!([epochs, batch, rate, patience, recipe.record()])
        };
        let of_changes = |settings: &Settings| {
            let mut changes = settings.changes.clone();
            changes.masks = None;
            json!([settings.copies, changes.json()])
        };
        let usual = Settings::default();
        match self.network.model {
            Kind::Face if of_epochs(self) != of_epochs(&usual) || of_changes(self) != of_changes(&usual) => {
                Some(
                    "the face network has no epochs: options for these, for rates, batches and random changes other than \
                     masks have no effect; --model scratch and vgg16 follow them",
                )
            }
            Kind::Vgg16Gap if of_epochs(self) != of_epochs(&usual) => Some(
                "--model vgg16-gap has no epochs: options for these, for rates and batches have no effect; --model scratch and \
                 vgg16 follow them",
            ),
            _ => None,
        }
    }

    fn augment(&self) -> Augment {
        self.changes.augment(self.seed)
    }

    fn options(&self, start: &Start) -> Result<FitOptions> {
        // The tutorial's split has made the copies that a frozen network would see.
        let copied = self.split == SplitKind::Tutorial && self.network.model != Kind::Scratch;
        let options = FitOptions {
            epochs: self.epochs,
            batch: self.batch,
            memory: self.memory,
            seed: self.seed,
            rate: self.rate as f32,
            patience: self.patience,
            augment: (!self.no_augment && !copied).then(|| self.augment()),
            copies: self.copies,
            fresh: self.fresh,
            cache: match self.no_cache || self.network.model == Kind::Scratch {
                true => Caching::Off,
                false => Caching::Folder(cache_folder()?.join("features")),
            },
            precision: self.precision.precision(),
            fine_tune: self.network.fine_tune(start, self.rate)?,
            ..FitOptions::default()
        };
        Ok(self.recipe.apply(options))
    }

    /// What the model file tells about its training: no clock times and no paths, so that equal runs give equal
    /// files.
    fn record(&self, trained: &Trained, split: &Split) -> Value {
        json!({
            "settings": {
                "model": self.network.model.name(),
                "epochs": self.epochs,
                "batch": self.batch,
                "seed": self.seed,
                "rate": self.rate,
                "patience": self.patience,
                "validation": self.validation,
                "augment": !self.no_augment && self.network.model != Kind::Face,
                "changes": self.changes.json(),
                "masks": self.masks(),
                "photos": self.photos_each,
                "copies": self.copies,
                "fresh": self.fresh,
                "unfreeze": self.network.unfreeze,
                "strangers": self.strangers(),
                "hold_out": self.hold_out(),
                "recipe": self.recipe.record(),
            },
            "history": trained.history.to_json(),
            "best_epoch": trained.best_epoch,
            "split": split.note,
            "leaky": split.leaky,
        })
    }
}

/// Says how large the network is, what a step takes, what became of a batch too large for the device, and what goes
/// through frozen layers.
fn announce(task: &Task<'_>, options: &FitOptions) -> Result<()> {
    let Task { model, split, device, .. } = *task;
    let batches = Batches::new(task, options)?;
    let limit = match options.memory {
        Some(_) => "--memory allows no more".to_string(),
        None => format!("the device takes tensors of at most {} bytes", device.max_tensor()),
    };
    let items = options.items(model, split.train.len());
    if batches.batch > options.batch {
        note(format_args!(
            "--batch {} is raised to {}: batch normalisation needs two",
            options.batch, batches.batch
        ));
    } else if batches.batch < options.batch.min(items) {
        note(format_args!("--batch {} is reduced to {}: {limit}", options.batch, batches.batch));
    } else if batches.most < batches.batch.min(items) {
        note(format_args!("--batch {} is computed in parts of {}: {limit}", options.batch, batches.most));
    }
    let parameters = model.parameters()?;
    let count = |trainable: Option<bool>| -> usize {
        let counted = parameters.iter().filter(|p| trainable.is_none_or(|t| p.trainable == t));
        counted.map(|p| p.shape.len()).sum()
    };
    say(format_args!(
        "network: {}, {} parameters, {} of them trained",
        model.name,
        count(None),
        count(Some(true))
    ));
    say(format_args!(
        "memory: {} for {} pictures at a time",
        batches.memory,
        batches.batch.min(batches.most).min(items)
    ));
    if batches.frozen > 0 {
        let copies = match items / split.train.len() - 1 {
            0 if options.fresh => "new changes of them in each epoch".into(),
            0 => "no changed copies".into(),
            copies => format!("{copies} changed copies of each (--copies)"),
        };
        let often = match (&options.cache, options.fresh) {
            (Caching::Off, _) => "in every epoch (--no-cache)",
            (_, true) => "in every epoch (--fresh)",
            (Caching::Memory, false) => "once",
            (Caching::Folder(_), false) => "once, and not again in later runs",
        };
        say(format_args!(
            "frozen layers: {}; they see {} pictures to train on, {copies}, and {} to validate with, {often}",
            model.frozen,
            split.train.len(),
            split.validation.len()
        ));
    }
    Ok(())
}

/// A flag that Ctrl-C sets, the same for every run; a second Ctrl-C ends the program at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    if let Some(stop) = STOP.get() {
        return Ok(stop.clone());
    }
    let stop = STOP.get_or_init(Arc::default).clone();
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

/// Progress through the frozen layers, then one line per epoch.
struct Show {
    leaky: bool,
    monitor: Monitor,
    plain: bool,
    features: Option<(Progress, Instant)>,
    estimated: bool,
    headed: bool,
}

impl Show {
    fn new(settings: &Settings, plain: bool) -> Show {
        Show {
            leaky: settings.split == SplitKind::Tutorial,
            monitor: Monitor::new(settings.patience),
            plain,
            features: None,
            estimated: false,
            headed: false,
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Note(text) => note(text),
            Event::Features { done, total } => self.features(done, total),
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
