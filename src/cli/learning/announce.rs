//! What is said before a network trains.

use lookalike::Result;
use lookalike::train::{Batches, Caching, FitOptions, Task};

use crate::cli::display::{note, say};

/// Says how large the network is, what a step takes, what became of a batch too large for the device, and what goes
/// through frozen layers. Returns how batches fit on the device.
pub fn announce(task: &Task<'_>, options: &FitOptions) -> Result<Batches> {
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
    Ok(batches)
}
