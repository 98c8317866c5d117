//! Where a batch comes from: pictures, or what the frozen layers make of them, computed once where they can be kept.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::step::{self, Batch, Input, pictures};
use crate::Result;
use crate::data::features::{FeatureCache, RowKey};
use crate::data::{Dataset, one_hot};
use crate::graph::{Graph, Params, Plan, Var};
use crate::models::Model;
use crate::ops::{Augment, FACE_WORDS, Normalize, picture_hash};
use crate::tensor::{Data, HostTensor, Precision};

/// Where features of frozen layers are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// Nowhere: each batch goes through the frozen layers again.
    Off,
    /// In memory, for this run.
    #[default]
    Memory,
    /// In a file in this folder, for later runs as well.
    Folder(PathBuf),
}

/// A picture as it is (variant 0), or one of its random changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub picture: usize,
    pub variant: u32,
}

/// Makes batches of items.
pub(super) enum Source {
    /// Of pictures; what changes them at random is in the plan that takes them.
    Pictures(Known),
    /// Of features.
    Features(Box<Features>),
}

impl Source {
    /// One of pictures.
    pub fn pictures(dataset: &Dataset) -> Source {
        Source::Pictures(Known::new(dataset))
    }

    pub fn gather(&mut self, dataset: &Dataset, items: &[Item]) -> Result<Batch> {
        let input = match self {
            Source::Pictures(known) => Input::Pictures {
                pixels: items.iter().flat_map(|item| dataset.image(item.picture)).copied().collect(),
                keys: known.keys(items),
                faces: known.faces(items),
            },
            Source::Features(features) => Input::Features(features.gather(dataset, items)?),
        };
        let labels: Vec<usize> = items.iter().map(|item| dataset.labels[item.picture]).collect();
        Ok(Batch { input, targets: one_hot(&labels, dataset.classes()) })
    }
}

/// What augmentation has to know of each picture of a dataset.
pub(super) struct Known {
    keys: Vec<u32>,
    faces: Vec<[u32; FACE_WORDS]>,
}

impl Known {
    pub fn new(dataset: &Dataset) -> Known {
        Known {
            keys: (0..dataset.len()).map(|picture| picture_hash(dataset.image(picture))).collect(),
            faces: (0..dataset.len()).map(|picture| dataset.face_words(picture)).collect(),
        }
    }

    fn keys(&self, items: &[Item]) -> Vec<u32> {
        items.iter().map(|item| self.keys[item.picture]).collect()
    }

    fn faces(&self, items: &[Item]) -> Vec<u32> {
        items.iter().flat_map(|item| self.faces[item.picture]).collect()
    }
}

/// What the frozen layers make of items.
pub(super) struct Features {
    known: Known,
    rows: Vec<RowKey>,
    augment: Option<Augment>,
    extractor: Extractor,
    cache: Option<FeatureCache>,
    /// Whether changes are new in each epoch, so that keeping them would be in vain.
    fresh: bool,
}

impl Features {
    pub fn new(
        dataset: &Dataset,
        augment: Option<Augment>,
        extractor: Extractor,
        cache: Option<FeatureCache>,
        fresh: bool,
    ) -> Features {
        let rows = (0..dataset.len()).map(|picture| RowKey::of_picture(dataset.image(picture))).collect();
        Features { known: Known::new(dataset), rows, augment, extractor, cache, fresh }
    }

    /// Why rows are kept in memory that should be in a file.
    pub fn problem(&self) -> Option<&str> {
        self.cache.as_ref().and_then(FeatureCache::problem)
    }

    fn key(&self, item: Item) -> RowKey {
        match (item.variant, self.augment) {
            (1.., Some(augment)) => {
                self.rows[item.picture].changed(augment, item.variant, &self.known.faces[item.picture])
            }
            _ => self.rows[item.picture],
        }
    }

    fn keep(&mut self, item: Item, row: &[f32]) {
        let key = self.key(item);
        if let Some(cache) = &mut self.cache {
            cache.insert(key, row);
        }
    }

    /// Those of the items that the cache has not.
    pub fn missing(&self, items: &[Item]) -> Vec<Item> {
        let is_missing =
            |item: &&Item| self.cache.as_ref().is_some_and(|cache| !cache.contains(&self.key(**item)));
        items.iter().filter(is_missing).copied().collect()
    }

    /// Puts what the cache lacks of these items into it; `progress` is told how many are done. False if `stop` was set
    /// before the end: what was made until then is kept.
    pub fn prepare(
        &mut self,
        dataset: &Dataset,
        items: &[Item],
        stop: &AtomicBool,
        progress: &mut dyn FnMut(usize),
    ) -> Result<bool> {
        let mut missing = self.missing(items);
        missing.sort_by_key(|item| (item.variant, item.picture));
        let mut done = 0;
        while done < missing.len() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let now = self.extractor.next(&missing[done..]);
            let rows = self.extractor.run(dataset, &self.known, now)?;
            for (&item, row) in now.iter().zip(rows.chunks_exact(self.extractor.width)) {
                self.keep(item, row);
            }
            done += now.len();
            progress(done);
        }
        Ok(true)
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.extractor.width
    }

    /// The rows of these items, one after the other.
    pub fn gather(&mut self, dataset: &Dataset, items: &[Item]) -> Result<Vec<f32>> {
        let width = self.extractor.width;
        let mut values = vec![0.0; items.len() * width];
        let mut missing = Vec::new();
        let mut row = Vec::with_capacity(width);
        for (at, &item) in items.iter().enumerate() {
            let key = self.key(item);
            row.clear();
            match self.cache.as_mut().is_some_and(|cache| cache.get(&key, &mut row)) {
                true => values[at * width..][..width].copy_from_slice(&row),
                false => missing.push((item, at)),
            }
        }
        missing.sort_by_key(|(item, at)| (item.variant, *at));
        let (missing, places): (Vec<Item>, Vec<usize>) = missing.into_iter().unzip();
        let mut done = 0;
        while done < missing.len() {
            let now = self.extractor.next(&missing[done..]);
            let rows = self.extractor.run(dataset, &self.known, now)?;
            for ((at, &item), row) in places[done..].iter().zip(now).zip(rows.chunks_exact(width)) {
                values[at * width..][..width].copy_from_slice(row);
                // A row that turned out to be damaged.
                if item.variant == 0 || !self.fresh {
                    self.keep(item, row);
                }
            }
            done += now.len();
        }
        Ok(values)
    }
}

/// Graphs of the frozen layers, which keep tensors in `precision`, for one batch: pictures as they are, and changed at random.
pub(super) fn base_graphs(
    base: &Model,
    batch: usize,
    augment: Option<Augment>,
    normalize: Normalize,
    precision: Precision,
) -> Result<Vec<(Graph, Var)>> {
    let graph = |augment: Option<Augment>| {
        let mut graph = Graph::new();
        let x = pictures(&mut graph, base, batch, augment, normalize)?;
        let y = base.predict(&mut graph, x, precision)?;
        Ok((graph, y))
    };
    std::iter::once(None).chain(augment.map(Some)).map(graph).collect()
}

/// The frozen layers, ready to run on batches of a full size and one by one.
pub(super) struct Extractor {
    params: Params,
    /// Numbers that it makes of a picture.
    width: usize,
    sizes: Vec<ExtractorSize>,
}

struct ExtractorSize {
    batch: usize,
    plain: (Plan, Var),
    changed: Option<(Plan, Var)>,
}

impl Extractor {
    /// Plans for `batch` pictures and for one; `params` holds the weights.
    pub fn new(
        base: &Model,
        params: &Params,
        batch: usize,
        augment: Option<Augment>,
        normalize: Normalize,
        precision: Precision,
    ) -> Result<Extractor> {
        let size = |batch| {
            let graphs = base_graphs(base, batch, augment, normalize, precision)?;
            let plan = |(graph, y): (Graph, Var)| Ok((Plan::new(&graph, params, &[y])?, y));
            let mut plans = graphs.into_iter().map(plan).collect::<Result<Vec<_>>>()?.into_iter();
            let plain = plans.next().expect("a graph of pictures as they are");
            Ok(ExtractorSize { batch, plain, changed: plans.next() })
        };
        let sizes = base_batches(batch).map(size).collect::<Result<_>>()?;
        let width = base.trace(1)?.last().map_or(base.input.len(), |last| last.output.len());
        Ok(Extractor { params: params.clone(), width, sizes })
    }

    /// Numbers that it makes of a picture.
    pub fn width(&self) -> usize {
        self.width
    }

    fn size(&mut self, count: usize) -> &mut ExtractorSize {
        let at = self.sizes.iter().position(|size| size.batch <= count);
        &mut self.sizes[at.expect("one by one is a size")]
    }

    /// The first of `items` that can run at once: of one variant, as many as a batch.
    fn next<'a>(&mut self, items: &'a [Item]) -> &'a [Item] {
        let alike = items.iter().take_while(|item| item.variant == items[0].variant).count();
        &items[..self.size(alike).batch]
    }

    /// The rows of items that [`next`](Self::next) gave.
    fn run(&mut self, dataset: &Dataset, known: &Known, items: &[Item]) -> Result<Vec<f32>> {
        let variant = items[0].variant;
        if variant > 0 {
            self.params.set(step::EPOCH, &HostTensor::new([1], vec![variant]))?;
        }
        let size = self.size(items.len());
        let (plan, y) = match &mut size.changed {
            Some(changed) if variant > 0 => changed,
            _ => &mut size.plain,
        };
        let pixels = items.iter().flat_map(|item| dataset.image(item.picture)).copied().collect();
        plan.write(step::PIXELS, &Data::U8(pixels))?;
        if plan.has_input(step::KEYS) {
            plan.write(step::KEYS, &Data::U32(known.keys(items)))?;
        }
        if plan.has_input(step::FACES) {
            plan.write(step::FACES, &Data::U32(known.faces(items)))?;
        }
        plan.run()?;
        Ok(plan.read(*y)?.to_f32())
    }
}

/// The sizes of an extractor's plans: full batches, and one by one for what remains.
pub(super) fn base_batches(batch: usize) -> impl Iterator<Item = usize> {
    std::iter::once(batch).chain((batch > 1).then_some(1))
}
