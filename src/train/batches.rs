//! How a run's batches fit on its device and into its memory.

use super::recovery::AtATime;
use super::source::{base_batches, base_graphs};
use super::step::{Recipe, ValidationStep};
use super::{FitOptions, Task};
use crate::graph::{Graph, Memory, Var};
use crate::{Error, Result};

/// Most pictures that frozen layers see at a time: more makes nothing faster, and takes memory.
pub(super) const MOST_FROZEN: usize = 8;

/// How a run's batches fit on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Pictures per step.
    pub batch: usize,
    /// Most of them on the device at a time; gradients of the parts are added up.
    pub most: usize,
    /// Whether a trained layer needs statistics of the whole batch: then a batch has two pictures at least, it is reduced
    /// instead of split, and a remainder of one picture is left out.
    pub whole: bool,
    /// Pictures that the frozen layers see at a time; 0 where none is frozen.
    pub frozen: usize,
    /// What the run's plans hold on the device together, at most.
    pub memory: Memory,
}

impl Batches {
    /// The batches of a task: the largest within the device's limits and [`FitOptions::memory`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the model's layers do not fit together, [`Error::TooLarge`] if a parameter does not fit on the
    /// device or not even one picture at a time into the memory, [`Error::Input`] if one picture is all there is where two
    /// are needed.
    pub fn new(task: &Task<'_>, options: &FitOptions) -> Result<Batches> {
        let (base, head) = task.model.split_frozen()?;
        let limit = task.device.max_tensor();
        let fitting = head.largest_batch(limit)?;
        let micro = options.micro_batch.map_or(usize::MAX, |micro| micro.max(1));
        let whole = head.layers.iter().any(|layer| layer.needs_whole_batch());
        let frozen = match base.layers.is_empty() {
            true => 0,
            false => base.largest_batch(limit)?.min(MOST_FROZEN).min(micro),
        };
        let most = if frozen == 0 { fitting.min(micro) } else { fitting };
        addressable(task)?;
        let least = if whole { 2 } else { 1 };
        if most < least || options.items(task.model, task.split.train.len()) < least {
            return Err(Error::Input(
                "batch normalisation needs two pictures at a time; add photos, or take a smaller network (--dense)".into(),
            ));
        }
        let batch = options.batch.max(least);
        let mut batches = Batches { batch, most, whole, frozen, memory: Memory::default() };
        loop {
            if whole {
                batches.batch = batches.batch.min(batches.most);
            }
            batches.most = batches.most.min(batches.batch);
            batches.memory = batches.peak(task, options)?;
            let needed = batches.memory.total();
            let Some(allowed) = options.memory.filter(|&allowed| allowed < needed) else {
                return Ok(batches);
            };
            if batches.batch <= least && batches.frozen <= 1 {
                let advice = "give more (--memory), or train a smaller network (--widths, --dense)";
                return Err(Error::TooLarge { what: "training".into(), needed, allowed, advice });
            }
            // Parts of a batch hold less than the whole on a GPU alone: a smaller batch holds less everywhere.
            batches.batch = (batches.batch / 2).max(least);
            batches.frozen = batches.frozen.div_ceil(2);
        }
    }

    /// What a lack of room makes smaller.
    pub(super) fn at_a_time(self) -> AtATime {
        match (self.frozen, self.whole) {
            (0, true) => AtATime { pictures: self.most, least: 2, what: "a batch has" },
            (0, false) => AtATime { pictures: self.most, least: 1, what: "the device sees" },
            (frozen, _) => AtATime { pictures: frozen, least: 1, what: "the device sees" },
        }
    }

    /// Sizes of the batches that `count` pictures need to be trained on.
    pub(super) fn training(self, count: usize) -> impl Iterator<Item = usize> {
        sizes(count, self.batch).filter(move |&rows| rows > 1 || !self.whole)
    }

    /// Sizes of the batches that `count` pictures need to be validated with.
    pub(super) fn validation(self, count: usize) -> impl Iterator<Item = usize> {
        sizes(count, self.most)
    }

    /// What all plans of the run hold. States are shared by plans; the frozen layers' are their own.
    fn peak(self, task: &Task<'_>, options: &FitOptions) -> Result<Memory> {
        let (base, _) = task.model.split_frozen()?;
        let recipe = Recipe::new(task, options)?;
        let mut training = Vec::new();
        for rows in self.training(options.items(task.model, task.split.train.len())) {
            for graph in recipe.step(rows, self.most)?.iter() {
                training.push(graph.memory(&[])?);
            }
        }
        for rows in self.validation(task.split.validation.len()) {
            training.push(memory(&ValidationStep::graph(&recipe, rows)?)?);
        }
        let mut frozen = Vec::new();
        if self.frozen > 0 {
            for batch in base_batches(self.frozen) {
                let augment = options.frozen_augment(task.model);
                let precision = task.device.keeps(options.precision);
                let graphs = base_graphs(&base, batch, augment, task.normalize, precision)?;
                for graph in &graphs {
                    frozen.push(memory(graph)?);
                }
            }
        }
        let states = |plans: &[Memory]| plans.iter().map(|memory| memory.states).max().unwrap_or(0);
        let all = || training.iter().chain(&frozen);
        let averages: u64 = match options.average {
            Some(_) => recipe.trained()?.iter().map(|p| 4 * p.shape.len() as u64).sum(),
            None => 0,
        };
        let intermediates = |memory: &Memory| memory.intermediates;
        let of_steps = match task.device.gpu() {
            // They take turns to use the same.
            Some(_) => training.iter().map(intermediates).max().unwrap_or(0),
            None => training.iter().map(intermediates).sum(),
        };
        Ok(Memory {
            intermediates: of_steps + frozen.iter().map(intermediates).sum::<u64>(),
            inputs: all().map(|memory| memory.inputs).sum(),
            states: states(&training) + averages + states(&frozen),
        })
    }
}

/// Kernels count the elements of a tensor in 32 bits.
fn addressable(task: &Task<'_>) -> Result<()> {
    for parameter in task.model.parameters()? {
        let count = parameter.shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size as u64));
        let allowed = task.device.max_tensor().min(4 * u64::from(u32::MAX));
        let needed = count.and_then(|count| count.checked_mul(4)).unwrap_or(u64::MAX);
        if needed > allowed {
            let advice = "train a smaller network (--widths, --dense)";
            return Err(Error::TooLarge { what: parameter.name, needed, allowed, advice });
        }
    }
    Ok(())
}

fn memory((graph, output): &(Graph, Var)) -> Result<Memory> {
    graph.memory(&[*output])
}

/// The batch sizes that `count` pictures need: full batches, and what remains.
fn sizes(count: usize, batch: usize) -> impl Iterator<Item = usize> {
    let full = (count >= batch).then_some(batch);
    let rest = (!count.is_multiple_of(batch)).then_some(count % batch);
    full.into_iter().chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_in_one_batch() {
        for (count, batch, expected) in
            [(10, 4, vec![4, 2]), (8, 4, vec![4]), (3, 4, vec![3]), (4, 4, vec![4])]
        {
            assert_eq!(sizes(count, batch).collect::<Vec<_>>(), expected);
        }
    }
}
