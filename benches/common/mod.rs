//! What the benches share: contenders that take turns, and the table of the times they took.

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use lookalike::check::{Rival, Step, Times};

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The folder of the rivals. Cargo runs a bench in the folder of its package.
pub const RIVALS: &str = "benches/rivals";

/// Who takes turns.
pub struct Contender {
    pub name: String,
    /// One for each step so far.
    pub values: Vec<f64>,
    step: Box<dyn FnMut() -> Result<Step>>,
}

impl Contender {
    pub fn new(name: String, step: impl FnMut() -> Result<Step> + 'static) -> Contender {
        Contender { name, values: vec![], step: Box::new(step) }
    }

    /// A program, once it has run its first step. One that cannot, or needs longer than `limit` for a step, is left out, and
    /// said to be.
    pub fn rival(name: &str, command: &mut Command, limit: Option<Duration>) -> Option<Contender> {
        let there = Rival::start(command, limit.unwrap_or(Duration::MAX))
            .and_then(|mut rival| Ok((rival.step()?, rival)));
        match there {
            Ok((first, mut rival)) => Some(Contender {
                values: vec![first.value],
                ..Contender::new(name.into(), move || Ok(rival.step()?))
            }),
            Err(error) => {
                println!("{name} is not there: {:?}: {error}", command.get_program());
                None
            }
        }
    }

    /// Runs a step; returns its seconds.
    pub fn turn(&mut self) -> Result<f64> {
        let Step { seconds, value } = (self.step)().map_err(|error| format!("{}: {error}", self.name))?;
        self.values.push(value);
        Ok(seconds)
    }
}

/// Prints a line for each contender; a step deals with `pictures`.
pub fn report(pictures: usize, contenders: &[Contender], times: &[Times]) {
    println!("times ours: how many times as long as the first line, the median of each round's ratio");
    let width = contenders.iter().map(|contender| contender.name.len()).max().unwrap_or(0);
    println!(
        "{:<width$} {:>9} {:>9} {:>9} {:>11} {:>11}",
        "", "median ms", "min", "max", "pictures/s", "times ours"
    );
    for (contender, time) in contenders.iter().zip(times) {
        let [min, max] = time.spread().map(|seconds| 1e3 * seconds);
        println!(
            "{:<width$} {:>9.1} {min:>9.1} {max:>9.1} {:>11.1} {:>11.2}",
            contender.name,
            1e3 * time.median(),
            pictures as f64 / time.median(),
            time.ratio(&times[0]),
        );
    }
}
