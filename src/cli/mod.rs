//! The command line: one file per command, and what they share.

pub mod display;

mod augment;
mod bench;
mod changes;
mod compare;
mod convert;
mod crop;
mod cut;
mod demo;
mod detector;
mod device;
mod download;
mod evaluate;
mod explain;
mod faces;
mod folds;
mod info;
mod learning;
mod network;
mod number;
mod open_set;
mod output;
mod precision;
mod predict;
mod recipe;
mod report;
mod scores;
mod selftest;
#[cfg(feature = "studio")]
mod studio;
mod summary;
mod train;
mod webcam;
mod weights;

use clap::{Parser, Subcommand};
use lookalike::Result;

/// Learns to tell people apart from their photos.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Examples:
  lookalike demo
  lookalike train photos -o model.safetensors
  lookalike predict model.safetensors party.jpg -o named

photos is a folder with one sub-folder per person.";

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::Arguments),
    Crop(crop::Arguments),
    Faces(faces::Arguments),
    Augment(augment::Arguments),
    Train(Box<train::Arguments>),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Explain(explain::Arguments),
    Summary(summary::Arguments),
    Convert(convert::Arguments),
    Weights(weights::Arguments),
    Bench(Box<bench::Arguments>),
    #[command(name = "selftest")]
    SelfTest(selftest::Arguments),
    Demo(demo::Arguments),
    #[cfg(feature = "studio")]
    Studio(studio::Arguments),
    Webcam(webcam::Arguments),
}

impl Cli {
    /// Does what was asked for.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Info(arguments) => info::run(&arguments),
            Command::Crop(arguments) => crop::run(&arguments),
            Command::Faces(arguments) => faces::run(&arguments),
            Command::Augment(arguments) => augment::run(&arguments),
            Command::Train(arguments) => train::run(&arguments),
            Command::Evaluate(arguments) => evaluate::run(&arguments),
            Command::Predict(arguments) => predict::run(&arguments),
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Summary(arguments) => summary::run(&arguments),
            Command::Convert(arguments) => convert::run(&arguments),
            Command::Weights(arguments) => weights::run(&arguments),
            Command::Bench(arguments) => bench::run(&arguments),
            Command::SelfTest(arguments) => selftest::run(&arguments),
            Command::Demo(arguments) => demo::run(&arguments),
            #[cfg(feature = "studio")]
            Command::Studio(arguments) => studio::run(&arguments),
            Command::Webcam(arguments) => webcam::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
