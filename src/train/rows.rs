//! What frozen layers make of a split's pictures: all that training without epochs needs of them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::batches::MOST_FROZEN;
use super::features::features;
use super::fit::{Event, Task};
use super::options::FitOptions;
use super::recovery::{AtATime, recovering};
use super::source::Item;
use super::{Epoch, History};
use crate::graph::{Graph, Params, Plan, Var};
use crate::losses::Losses;
use crate::models::Model;
use crate::tensor::{Data, HostTensor, Precision, TensorType};
use crate::{Device, Error, Result};

const ROWS: &str = "rows";

/// A row of numbers for each picture.
pub(super) struct Rows {
    /// Numbers in a row.
    pub width: usize,
    /// Those to train on: all pictures in the order of the split, then the first changed copy of each, and so on.
    pub train: Vec<Vec<f32>>,
    /// The picture of each of these rows.
    pub pictures: Vec<usize>,
    /// Those to validate with, in the order of the split.
    pub validation: Vec<Vec<f32>>,
}

impl Rows {
    /// What `base`, with the task's weights, makes of them; `on_event` sees how far it is.
    ///
    /// # Errors
    /// [`Error::Training`] if it was interrupted, [`Error::State`] if the value of a parameter is missing.
    pub fn new(
        task: &Task<'_>,
        options: &FitOptions,
        base: &Model,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Rows> {
        let most = base.largest_batch(task.device.max_tensor())?.min(MOST_FROZEN);
        let at_a_time = |options: &FitOptions| Ok(AtATime::each_alone(most, options));
        let losses = Losses::default();
        recovering(task.device, options, &losses, &at_a_time, on_event, &mut |options, on_event| {
            let batch = at_a_time(options)?.pictures;
            Rows::attempt(task, options, base, batch, stop, on_event)
        })
    }

    /// Those of `batch` pictures at a time, up to the first error.
    fn attempt(
        task: &Task<'_>,
        options: &FitOptions,
        base: &Model,
        batch: usize,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Rows> {
        let Task { model, dataset, split, device, weights, .. } = *task;
        let params = Params::new(device);
        base.load(&params, weights)?;
        let mut source = features(task, options, base, &params, batch)?;
        let copies = options.items(model, 1) as u32 - 1;
        let items = |pictures: &[usize], variants: std::ops::RangeInclusive<u32>| -> Vec<Item> {
            let of_variant = |variant| pictures.iter().map(move |&picture| Item { picture, variant });
            variants.flat_map(of_variant).collect()
        };
        let (train, validation) = (items(&split.train, 0..=copies), items(&split.validation, 0..=0));
        let all = [&validation[..], &train].concat();
        let total = source.missing(&all).len();
        on_event(Event::Features { done: 0, total });
        let progress = &mut |done| on_event(Event::Features { done, total });
        if !source.prepare(dataset, &all, stop, progress)? {
            return Err(Error::Training(
                "it was interrupted; with a cache folder the next run goes on where it was".into(),
            ));
        }
        let width = source.width();
        let mut rows = |items: &[Item]| -> Result<Vec<Vec<f32>>> {
            let values = source.gather(dataset, items)?;
            Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
        };
        let pictures = train.iter().map(|item| item.picture).collect();
        let rows = Rows { width, train: rows(&train)?, pictures, validation: rows(&validation)? };
        if let Some(problem) = source.problem() {
            on_event(Event::Note(problem));
        }
        Ok(rows)
    }

    /// The one epoch of a history: how well these probabilities fit; of validation NaN where there is none.
    pub fn history(
        &self,
        task: &Task<'_>,
        of_train: &[Vec<f32>],
        of_validation: &[Vec<f32>],
        start: Instant,
    ) -> History {
        let labels = &task.dataset.labels;
        let (loss, accuracy) = score(&self.pictures, of_train, labels);
        let (val_loss, val_accuracy) = score(&task.split.validation, of_validation, labels);
        let seconds = start.elapsed().as_secs_f64();
        let pictures_per_second = self.train.len() as f64 / seconds;
        let rate = 0.0;
        History(vec![Epoch {
            number: 1,
            loss,
            accuracy,
            val_loss,
            val_accuracy,
            rate,
            seconds,
            pictures_per_second,
        }])
    }
}

/// What `model` with these weights makes of each row.
pub(super) fn answers(
    model: &Model,
    weights: &BTreeMap<String, HostTensor>,
    device: &Device,
    options: &FitOptions,
    rows: &[Vec<f32>],
    on_event: &mut dyn FnMut(Event<'_>),
) -> Result<Vec<Vec<f32>>> {
    let most = model.largest_batch(device.max_tensor())?.min(rows.len());
    let at_a_time = |options: &FitOptions| Ok(AtATime::each_alone(most, options));
    recovering(device, options, &Losses::default(), &at_a_time, on_event, &mut |options, _| {
        let params = Params::new(device);
        model.load(&params, weights)?;
        let mut answers = Vec::with_capacity(rows.len());
        let mut made: Option<(usize, Plan, Var)> = None;
        for some in rows.chunks(at_a_time(options)?.pictures) {
            // The last rows may be fewer.
            if made.as_ref().is_none_or(|(count, ..)| *count != some.len()) {
                let (plan, y) = plan_of(model, &params, some.len())?;
                made = Some((some.len(), plan, y));
            }
            let (_, plan, y) = made.as_mut().expect("a plan for so many rows");
            plan.write(ROWS, &Data::F32(some.concat()))?;
            plan.run()?;
            let values = plan.read(*y)?.to_f32();
            answers.extend(values.chunks_exact(values.len() / some.len()).map(<[f32]>::to_vec));
        }
        Ok(answers)
    })
}

/// A plan of `model` for so many rows.
fn plan_of(model: &Model, params: &Params, rows: usize) -> Result<(Plan, Var)> {
    let shape: Vec<usize> = std::iter::once(rows).chain(model.input.iter().copied()).collect();
    let mut graph = Graph::new();
    let x = graph.input(ROWS, TensorType::f32(shape));
    let y = model.predict(&mut graph, x, Precision::F32)?;
    Ok((Plan::new(&graph, params, &[y])?, y))
}

/// Mean loss, and share of the pictures whose most probable person is theirs; NaN of none.
fn score(pictures: &[usize], answers: &[Vec<f32>], labels: &[usize]) -> (f64, f64) {
    let count = pictures.len() as f64;
    let mut sums = (0.0, 0.0);
    for (&picture, row) in pictures.iter().zip(answers) {
        let own = row[labels[picture]];
        sums.0 -= f64::from(own.max(f32::MIN_POSITIVE)).ln();
        sums.1 += f64::from(u8::from(row.iter().all(|&p| p <= own)));
    }
    (sums.0 / count, sums.1 / count)
}
