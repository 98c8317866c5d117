//! Options for how a run learns beside its rate: what users of Keras and PyTorch expect.

use clap::{Args, ValueEnum};
use lookalike::nn::{CrossEntropy, Optimizer};
use lookalike::ops::Adam;
use lookalike::train::{Decay, FitOptions, Schedule};
use serde_json::{Value, json};

use super::number::{alpha, at_least_one, dropout, epochs, positive, share};

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ScheduleKind {
    /// It does not
    #[default]
    Constant,
    /// To nothing at the last epoch, along half a cosine
    Cosine,
    /// To a half whenever the validation loss has not fallen for --plateau epochs
    Plateau,
}

/// How a run learns.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Learning")]
pub struct RecipeArguments {
    /// How the learning rate changes
    #[arg(long, value_enum, default_value_t)]
    pub schedule: ScheduleKind,
    /// Epochs in which the learning rate rises from 0 first, such as 0.5
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0, value_parser = epochs)]
    pub warm_up: f64,
    /// Epochs without a lower validation loss before --schedule plateau halves the rate
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one)]
    pub plateau: usize,
    /// Scale gradients down whose norm, all together, is above this, such as 1
    #[arg(long, value_name = "NORM", value_parser = |t: &str| positive(t, 1.0))]
    pub clip: Option<f64>,
    /// Mix pictures of a batch in pairs, by shares from Beta(ALPHA, ALPHA); 0.2 is usual
    #[arg(long, value_name = "ALPHA", value_parser = alpha)]
    pub mixup: Option<f64>,
    /// Keep and validate an exponential moving average of the weights of this momentum, such as 0.99
    #[arg(long, value_name = "MOMENTUM", value_parser = |t: &str| share(t, 0.99))]
    pub average: Option<f64>,
    /// Let each person count the same, however many photos there are of them
    #[arg(long)]
    pub balance: bool,
    /// Share of the target that is spread over all people (label smoothing) [default: 0; vgg16: 0.1 with the honest split]
    #[arg(long, value_name = "SHARE", value_parser = dropout)]
    pub smoothing: Option<f64>,
    /// Share of each weight, times the rate, that a step takes away (AdamW)
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = dropout)]
    pub weight_decay: f64,
}

impl RecipeArguments {
    /// Options with these settings and that share of label smoothing in place of the usual ones.
    pub fn apply(&self, options: FitOptions, smoothing: f64) -> FitOptions {
        const HALF: f64 = 0.5;
        const LEAST: f64 = 1e-3;
        let decay = match self.schedule {
            ScheduleKind::Constant => Decay::Constant,
            ScheduleKind::Cosine => Decay::Cosine { least: 0.0 },
            ScheduleKind::Plateau => Decay::Plateau { factor: HALF, patience: self.plateau, least: LEAST },
        };
        FitOptions {
            schedule: Schedule { warm_up: self.warm_up, decay },
            clip: self.clip.map(|norm| norm as f32),
            mixup: self.mixup.map(|alpha| alpha as f32),
            average: self.average.map(|momentum| momentum as f32),
            balance: self.balance,
            loss: CrossEntropy { label_smoothing: smoothing as f32 },
            optimizer: Optimizer::Adam(Adam { weight_decay: self.weight_decay as f32, ..Adam::default() }),
            ..options
        }
    }

    /// The settings, with that share of label smoothing, for the model file.
    pub fn record(&self, smoothing: f64) -> Value {
        let schedule = match self.schedule {
            ScheduleKind::Constant => json!("constant"),
            ScheduleKind::Cosine => json!("cosine"),
            ScheduleKind::Plateau => json!({"plateau": self.plateau}),
        };
        json!({
            "schedule": schedule,
            "warm_up": self.warm_up,
            "clip": self.clip,
            "mixup": self.mixup,
            "average": self.average,
            "balance": self.balance,
            "smoothing": smoothing,
            "weight_decay": self.weight_decay,
        })
    }
}
