//! What a run can be told.

use clap::{Args, ValueEnum};
use lookalike::data::Split;
use lookalike::folders::cache_folder;
use lookalike::ops::Augment;
use lookalike::train::{Caching, FitOptions, Trained};
use lookalike::{Error, Result};
use serde_json::{Value, json};

use crate::cli::changes::Changes;
use crate::cli::network::{Kind, NetworkArguments, Start};
use crate::cli::number::{at_least_one, bytes, positive, share, whole};
use crate::cli::precision::Floats;
use crate::cli::recipe::RecipeArguments;

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
    #[arg(long, value_name = "RATE", default_value_t = 1e-3, value_parser = |t: &str| positive(t, 0.001))]
    pub rate: f64,
    /// Epochs without a lower validation loss before training stops
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub patience: usize,
    /// Share of each person's photos that is kept to validate
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = |t: &str| share(t, 0.2))]
    pub validation: f64,
    /// Also cross-validate: split each person's photos into so many parts, and judge each part by a network trained on the
    /// others; what is frozen sees each photo once
    #[arg(long, value_name = "K", value_parser = |t: &str| whole(t, 2u64, 100))]
    pub folds: Option<u64>,
    /// Keep the photos that validated out of the model for good. Without it, networks made for faces learn them too once they
    /// have been judged
    #[arg(long)]
    pub no_refit: bool,
    /// Train on no more than this many photos of each person; as many validate as without it, and are not learned afterwards
    #[arg(long = "photos", value_name = "N", value_parser = at_least_one)]
    pub photos_each: Option<usize>,
    /// Show each training picture as it is, without random changes
    #[arg(long, conflicts_with_all = ["masks", "glasses", "erase"])]
    pub no_augment: bool,
    /// What is kept apart: photos with all their near-duplicates, or, as the tutorial did, single pictures after
    /// augmentation, whose accuracy says little about new photos
    #[arg(long, value_enum, default_value_t)]
    pub split: SplitKind,
    /// Changed copies of each picture that a frozen network sees once; the tutorial's split makes as many [default: 1; vgg16: 3 with
    /// the honest split]
    #[arg(long, value_name = "N", value_parser = |t: &str| whole(t, 1u32, 1000))]
    pub copies: Option<u32>,
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
    /// Share of strangers that the model may take for one of its people; the others are 'unknown' [default: 0.01 for networks made
    /// for faces; else nobody is, because that would be most of the people it knows too]
    #[arg(long, value_name = "RATE", value_parser = |t: &str| share(t, 0.01))]
    pub strangers: Option<f64>,
    /// Networks trained in addition, each without another part of the people, to find out how far strangers are [default: 3, each
    /// of which takes as long as the model; 10 with --model vgg16-gap, whose take a second]
    #[arg(long, value_name = "K", requires = "strangers", value_parser = |t: &str| whole(t, 0u64, 100))]
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

/// What the layers on VGG16 learn best from, by the table of defaults in `benches/RESULTS.md`: a share of pictures in drawn masks,
/// several copies of each, so that more of them are seen in masks, and targets that are not quite sure.
const VGG16_MASKS: f32 = 0.3;
const VGG16_COPIES: u32 = 3;
const VGG16_SMOOTHING: f64 = 0.1;

/// Share of strangers that a network made for faces may take for somebody unless told otherwise.
const STRANGERS: f64 = 0.01;
/// Networks that are trained without some of the people to find out how far strangers are.
const HOLD_OUT: usize = 3;
/// The same where each takes a second.
const HOLD_OUT_WITHOUT_EPOCHS: usize = 10;

/// Seed of the changes that the tutorial's split makes, whatever that of the run.
pub(super) const EXPANDED: u32 = 0;

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

impl Settings {
    /// What the network starts from. What does not fit together, or is not there, is said before any photo is searched.
    ///
    /// # Errors
    /// [`Error::Input`] that names the options; those of [`NetworkArguments::start`].
    pub fn start(&self) -> Result<Start> {
        let tutorial = self.split == SplitKind::Tutorial;
        let refused = match (self.fresh, self.no_augment) {
            _ if tutorial && self.network.model.is_for_faces() => {
                "--split tutorial goes with --model scratch or vgg16: a network made for faces sees no changed copies"
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
    pub(super) fn masks(&self) -> f32 {
        let usual = match (self.no_augment, self.network.model) {
            (true, _) => 0.0,
            (false, model) if model.is_for_faces() => ENROLLED_MASKS,
            (false, Kind::Vgg16) if self.split == SplitKind::Honest => VGG16_MASKS,
            (false, _) => Augment::usual().masks,
        };
        self.changes.masks.unwrap_or(usual)
    }

    /// How many changed copies of each picture there are where it is not changed anew each time.
    pub(super) fn copies(&self) -> u32 {
        self.copies.unwrap_or(match (self.network.model, self.split) {
            (Kind::Vgg16, SplitKind::Honest) => VGG16_COPIES,
            _ => 1,
        })
    }

    /// Share of the target that is spread over all people.
    fn smoothing(&self) -> f64 {
        self.recipe.smoothing.unwrap_or(match (self.network.model, self.split) {
            (Kind::Vgg16, SplitKind::Honest) => VGG16_SMOOTHING,
            _ => 0.0,
        })
    }

    /// How much pictures change, where they do.
    fn changes(&self) -> Changes {
        let mut changes = self.changes.clone();
        changes.masks = Some(self.masks());
        changes
    }

    /// The share of strangers that may be taken for somebody, where there are strangers.
    pub(super) fn strangers(&self) -> Option<f64> {
        let usual = self.network.model.is_for_faces().then_some(STRANGERS);
        self.strangers.or(usual)
    }

    /// Whether the network learns the photos that validated too, once it has been judged.
    pub(super) fn learns_again(&self) -> bool {
        !self.no_refit && self.photos_each.is_none() && self.network.model.is_for_faces()
    }

    /// How many networks are trained without some of the people.
    pub(super) fn hold_out(&self) -> usize {
        let usual = match self.network.model {
            model if model.is_for_faces() => 0,
            model if model.has_epochs() => HOLD_OUT,
            _ => HOLD_OUT_WITHOUT_EPOCHS,
        };
        self.hold_out.map_or(usual, |folds| folds as usize)
    }

    /// What to say of options that the network has no use for.
    pub fn without_effect(&self) -> Option<&'static str> {
        let of_epochs = |settings: &Settings| {
            let Settings { epochs, batch, rate, patience, recipe, .. } = settings;
            json!([epochs, batch, rate, patience, recipe.record(recipe.smoothing.unwrap_or_default())])
        };
        let of_changes = |settings: &Settings| {
            let mut changes = settings.changes.clone();
            changes.masks = None;
            json!([settings.copies, changes.json()])
        };
        let usual = Settings::default();
        let unbalanced = || RecipeArguments { balance: false, ..self.recipe.clone() };
        match self.network.model {
            model
                if model.is_for_faces()
                    && (of_epochs(self) != of_epochs(&usual) || of_changes(self) != of_changes(&usual)) =>
            {
                Some(
                    "a network made for faces has no epochs: options for these, for rates, batches and random changes other than \
                     masks have no effect; --model scratch and vgg16 follow them",
                )
            }
            Kind::Vgg16Gap
                if of_epochs(&Settings { recipe: unbalanced(), ..self.clone() }) != of_epochs(&usual) =>
            {
                Some(
                    "--model vgg16-gap has no epochs: options for these, for rates and batches have no effect; --model scratch and \
                 vgg16 follow them",
                )
            }
            _ => None,
        }
    }

    fn augment(&self) -> Augment {
        self.changes().augment(self.seed)
    }

    /// How pictures are changed at random before the network learns from them; none where they are not.
    pub fn augmentation(&self) -> Option<Augment> {
        let changes = !self.no_augment && !self.network.model.is_for_faces();
        let seed = if self.split == SplitKind::Tutorial { EXPANDED } else { self.seed };
        changes.then(|| self.changes().augment(seed))
    }

    pub(super) fn options(&self, start: &Start) -> Result<FitOptions> {
        // The tutorial's split has made the copies that a frozen network would see.
        let copied = self.split == SplitKind::Tutorial && self.network.model != Kind::Scratch;
        let usual = FitOptions::default();
        let options = FitOptions {
            epochs: self.epochs,
            batch: self.batch,
            memory: self.memory,
            seed: self.seed,
            rate: self.rate as f32,
            patience: self.patience,
            augment: (!self.no_augment && !copied).then(|| self.augment()),
            copies: self.copies(),
            fresh: self.fresh,
            cache: match self.no_cache || self.network.model == Kind::Scratch {
                true => Caching::Off,
                false => Caching::Folder(cache_folder()?.join("features")),
            },
            precision: self.precision.precision(),
            usual_scale: self.network.model.usual_scale().unwrap_or(usual.usual_scale),
            fine_tune: self.network.fine_tune(start, self.rate)?,
            ..usual
        };
        Ok(self.recipe.apply(options, self.smoothing()))
    }

    /// What the model file tells about its training: no clock times and no paths, so that equal runs give equal
    /// files.
    pub(super) fn record(&self, trained: &Trained, split: &Split) -> Value {
        json!({
            "settings": {
                "model": self.network.model.name(),
                "epochs": self.epochs,
                "batch": self.batch,
                "seed": self.seed,
                "rate": self.rate,
                "patience": self.patience,
                "validation": self.validation,
                "augment": !self.no_augment && !self.network.model.is_for_faces(),
                "changes": self.changes().json(),
                "masks": self.masks(),
                "photos": self.photos_each,
                "copies": self.copies(),
                "fresh": self.fresh,
                "unfreeze": self.network.unfreeze,
                "strangers": self.strangers(),
                "hold_out": self.hold_out(),
                "refit": self.learns_again(),
                "recipe": self.recipe.record(self.smoothing()),
            },
            "history": trained.history.to_json(),
            "best_epoch": trained.best_epoch,
            "split": split.note,
            "leaky": split.leaky,
        })
    }
}
