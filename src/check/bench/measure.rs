//! Times of a plan: of each of its operators, or of all of it.

use std::sync::Arc;
use std::time::Instant;

use crate::Result;
use crate::check::Times;
use crate::graph::{Plan, Var};
use crate::profile::{self, Work};
use crate::tensor::Data;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Seconds after which no further run begins.
    pub seconds: f64,
    /// Most runs.
    pub runs: usize,
}

impl Effort {
    /// Runs once to warm up, then as [`Effort::repeat_warm`].
    ///
    /// # Errors
    /// The first of `run`.
    pub fn repeat<T>(&self, mut run: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
        run()?;
        self.repeat_warm(run)
    }

    /// Runs at least once, and gives what `run` returned.
    ///
    /// # Errors
    /// The first of `run`.
    pub fn repeat_warm<T>(&self, mut run: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
        let start = Instant::now();
        let mut results = vec![run()?];
        while results.len() < self.runs && start.elapsed().as_secs_f64() < self.seconds {
            results.push(run()?);
        }
        Ok(results)
    }
}

/// An operator of a plan, with the seconds that it took in each run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The layer, empty outside of layers.
    pub layer: Arc<str>,
    /// The operator.
    pub operator: &'static str,
    /// Types of its inputs.
    pub inputs: Arc<str>,
    /// Its dispatches.
    pub kernels: Vec<String>,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes, as in [`Work`].
    pub bytes: u64,
    /// Seconds of each run, by the device's clock.
    pub seconds: Vec<f64>,
}

impl Measured {
    /// The time that half of the runs stay below.
    pub fn median(&self) -> f64 {
        Times(self.seconds.clone()).median()
    }

    /// Layer and kernels, as a profile shows them.
    pub fn name(&self) -> String {
        let mut kernels = self.kernels.clone();
        kernels.dedup();
        profile::name(&self.layer, self.operator, &kernels)
    }
}

/// Times every operator of a plan, in the order in which they run. What a plan does only after a state has changed is no
/// part of the time, though of the operations.
///
/// # Errors
/// As [`Plan::profile`].
pub fn operators(plan: &mut Plan, effort: &Effort) -> Result<Vec<Measured>> {
    let runs = effort.repeat(|| plan.profile())?;
    // The dispatches of an operator follow each other. Those of a warm run: what depends on states alone was done before.
    let works: Vec<Work> = runs[0].iter().map(|time| time.work.clone()).collect();
    let mut measured: Vec<Measured> = works.chunk_by(|a, b| a.node == b.node).map(describe).collect();
    for times in runs {
        for (measured, times) in measured.iter_mut().zip(times.chunk_by(|a, b| a.work.node == b.work.node)) {
            measured.seconds.push(times.iter().map(|time| time.seconds).sum());
        }
    }
    Ok(measured)
}

fn describe(works: &[Work]) -> Measured {
    let Work { layer, operator, inputs, .. } = works[0].clone();
    Measured {
        layer,
        operator,
        inputs,
        kernels: works.iter().map(|work| work.kernel.clone()).collect(),
        flops: works.iter().map(|work| work.flops).sum(),
        bytes: works.iter().map(|work| work.bytes).sum(),
        seconds: vec![],
    }
}

/// Seconds by the host's clock of whole runs: inputs are written, all dispatches run, outputs are read. The plan has run
/// before.
///
/// # Errors
/// As [`Plan::write`], [`Plan::run`] and [`Plan::read`].
pub fn whole(
    plan: &mut Plan,
    inputs: &[(String, Data)],
    outputs: &[Var],
    effort: &Effort,
) -> Result<Vec<f64>> {
    effort.repeat_warm(|| {
        let start = Instant::now();
        inputs.iter().try_for_each(|(name, data)| plan.write(name, data))?;
        plan.run()?;
        outputs.iter().try_for_each(|&output| plan.read(output).map(drop))?;
        Ok(start.elapsed().as_secs_f64())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_and_timed() {
        let count = |effort: Effort, pause: u64| {
            let run = || {
                std::thread::sleep(std::time::Duration::from_millis(pause));
                Ok(())
            };
            effort.repeat(run).unwrap().len()
        };
        assert_eq!(count(Effort { seconds: 100.0, runs: 5 }, 0), 5);
        assert_eq!(count(Effort { seconds: 0.0, runs: 5 }, 2), 1, "one run even without time");
    }
}
