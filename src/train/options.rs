//! Settings of a run.

use super::schedule::Schedule;
use super::{Caching, Checkpoints};
use crate::models::{FACE_SCALE, Model};
use crate::nn::{CrossEntropy, Optimizer};
use crate::ops::Augment;
use crate::tensor::Precision;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct FitOptions {
    /// Most epochs.
    pub epochs: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Most pictures whose tensors are on the device at a time, where less than its limits allow: of those that go through
    /// frozen layers, where there are some.
    pub micro_batch: Option<usize>,
    /// Most bytes that the run may hold on the device, and as many of features that are kept in memory.
    pub memory: Option<u64>,
    /// Seed of weights, order, dropout and augmentation.
    pub seed: u32,
    /// Learning rate.
    pub rate: f32,
    /// Epochs without a lower validation loss before training stops.
    pub patience: usize,
    /// Random changes to training pictures: new ones each epoch, or, where layers are frozen, those of `copies`.
    pub augment: Option<Augment>,
    /// How many changed copies of each training picture are seen in each epoch beside the picture itself, where layers
    /// are frozen: what these make of each copy is computed once. The copies are the same for every seed.
    pub copies: u32,
    /// Where layers are frozen: whether each epoch sees new changes, which go through the frozen layers each time, and
    /// nothing else.
    pub fresh: bool,
    /// Where to keep what frozen layers make of pictures.
    pub cache: Caching,
    /// How it is kept, and in which floats frozen layers keep their tensors where the [device](crate::Device::keeps) is better off
    /// with them.
    pub precision: Precision,
    /// The lower rate of pretrained layers that are trained further.
    pub fine_tune: Option<FineTune>,
    /// The loss.
    pub loss: CrossEntropy,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// How the learning rates change.
    pub schedule: Schedule,
    /// Largest Euclidean norm of all gradients together: larger ones are scaled down to it.
    pub clip: Option<f32>,
    /// Mixes each training picture, or what frozen layers made of it, with another of its batch, and their targets likewise:
    /// shares are drawn from Beta(mixup, mixup), in `(0, 1]`. 0.2 is usual.
    pub mixup: Option<f32>,
    /// Momentum of an exponential moving average of the weights, in `[0, 1)`, which validates and is kept in their place.
    /// Keras: 0.99.
    pub average: Option<f32>,
    /// Whether people count the same in the training loss however many pictures they have: one of person c counts
    /// pictures / (people · pictures of c) times, as scikit-learn's `class_weight="balanced"`.
    pub balance: bool,
    /// For [`fit_means`](super::fit_means()): how fast the probability of a person is expected to fall with the squared distance of a
    /// face, before any picture is seen. Default: that of dlib's network, [`FACE_SCALE`]; SFace's is
    /// [`SFACE_SCALE`](crate::models::SFACE_SCALE).
    pub usual_scale: f64,
    /// Where the run is kept while it goes on, so that an interruption costs nothing. None: nowhere.
    pub checkpoints: Option<Checkpoints>,
}

impl Default for FitOptions {
    fn default() -> FitOptions {
        FitOptions {
            epochs: 40,
            batch: 16,
            micro_batch: None,
            memory: None,
            seed: 1,
            rate: 1e-3,
            patience: 10,
            augment: Some(Augment::default()),
            copies: 1,
            fresh: false,
            cache: Caching::default(),
            precision: Precision::default(),
            fine_tune: None,
            loss: CrossEntropy::default(),
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            clip: None,
            mixup: None,
            average: None,
            balance: false,
            usual_scale: FACE_SCALE,
            checkpoints: None,
        }
    }
}

impl FitOptions {
    /// Changed copies of each training picture in an epoch of `model`.
    pub(super) fn copies_of(&self, model: &Model) -> u32 {
        let none = model.frozen == 0 || self.augment.is_none() || self.fresh;
        if none { 0 } else { self.copies }
    }

    /// What an epoch of `model` trains on, of `pictures` pictures.
    pub fn items(&self, model: &Model, pictures: usize) -> usize {
        pictures * (1 + self.copies_of(model) as usize)
    }

    /// The random changes that frozen layers see. Those that only a share of the pictures gets are for the share of all that an
    /// epoch trains on, so the copies, beside which stand the pictures themselves, get more of them.
    pub(super) fn frozen_augment(&self, model: &Model) -> Option<Augment> {
        match (self.fresh, self.copies_of(model)) {
            (true, _) => self.augment,
            (false, 0) => None,
            (false, copies) => {
                let on_copies = |share: f32| (share * (1 + copies) as f32 / copies as f32).min(1.0);
                self.augment.map(|augment| Augment {
                    seed: 0,
                    masks: on_copies(augment.masks),
                    glasses: on_copies(augment.glasses),
                    erase: on_copies(augment.erase),
                    ..augment
                })
            }
        }
    }
}

/// How pretrained layers are trained further.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FineTune {
    /// How many of the model's first layers are pretrained.
    pub layers: usize,
    /// Their learning rate, where they are not frozen.
    pub rate: f32,
}
