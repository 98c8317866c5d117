//! The frozen layers of a run, with what is kept of them.

use super::Caching;
use super::fit::Task;
use super::options::FitOptions;
use super::source::{Extractor, Features};
use crate::Result;
use crate::data::features::{BaseKey, FeatureCache, prune};
use crate::graph::Params;
use crate::models::Model;

/// Bytes that files of features may take in their folder; the oldest are removed.
const MOST_CACHED: u64 = 8 << 30;
/// Bytes of features kept in memory, unless [`FitOptions::memory`] is given.
const MOST_IN_MEMORY: u64 = 4 << 30;

/// The frozen layers with their cache.
pub(super) fn features(
    task: &Task<'_>,
    options: &FitOptions,
    base: &Model,
    params: &Params,
    batch: usize,
) -> Result<Features> {
    let augment = options.frozen_augment(task.model);
    let precision = task.device.keeps(options.precision);
    let extractor = Extractor::new(base, params, batch, augment, task.normalize, precision)?;
    let in_memory = options.memory.unwrap_or(MOST_IN_MEMORY);
    let cache = match &options.cache {
        Caching::Off => None,
        Caching::Memory => Some(FeatureCache::in_memory(extractor.width(), options.precision, in_memory)),
        Caching::Folder(folder) => {
            let key = BaseKey::new(base, task.weights, task.normalize, options.precision, task.device)?;
            let cache = FeatureCache::open(folder, &key, extractor.width(), options.precision, in_memory);
            prune(folder, MOST_CACHED);
            Some(cache)
        }
    };
    Ok(Features::new(task.dataset, augment, extractor, cache, options.fresh))
}
