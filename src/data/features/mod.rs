//! Rows of numbers that a frozen network made of pictures, kept so that they are made once.

mod file;
mod key;

use std::collections::HashMap;
use std::path::Path;

use half::f16;

pub use key::{BaseKey, RowKey};

pub use crate::tensor::Precision;

use crate::Error;
use file::RowFile;

impl Precision {
    /// Bytes of a row of `width` numbers.
    pub fn row_bytes(self, width: usize) -> usize {
        width
            * match self {
                Precision::F16 => size_of::<f16>(),
                Precision::F32 => size_of::<f32>(),
            }
    }

    fn encode(self, row: &[f32]) -> Vec<u8> {
        match self {
            Precision::F32 => row.iter().flat_map(|x| x.to_le_bytes()).collect(),
            // What is too large for a half becomes the largest one: infinities would end the training.
            Precision::F16 => row
                .iter()
                .flat_map(|&x| f16::from_f32(x.clamp(f16::MIN.to_f32(), f16::MAX.to_f32())).to_le_bytes())
                .collect(),
        }
    }

    fn decode(self, bytes: &[u8], row: &mut Vec<f32>) {
        match self {
            Precision::F32 => row.extend(bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four))),
            Precision::F16 => {
                row.extend(bytes.as_chunks().0.iter().map(|&two| f16::from_le_bytes(two).to_f32()));
            }
        }
    }
}

/// Rows by key: in memory, or in a file that later runs find again.
///
/// What cannot be written to the file (a full disk, a file that another run holds) is kept in memory instead, and
/// [`FeatureCache::problem`] says so: a cache never stops a run.
#[derive(Debug)]
pub struct FeatureCache {
    width: usize,
    precision: Precision,
    memory: HashMap<RowKey, Vec<u8>>,
    /// Most bytes of them.
    most: u64,
    file: Option<RowFile>,
    problem: Option<String>,
}

impl FeatureCache {
    /// An empty cache of rows of `width` numbers, in memory: `most` bytes of them, what comes later is not kept.
    pub fn in_memory(width: usize, precision: Precision, most: u64) -> FeatureCache {
        FeatureCache { width, precision, most, memory: HashMap::new(), file: None, problem: None }
    }

    /// The cache of the network `base` in `folder`, which is made if need be. A row that was cut short or damaged is not
    /// in it. `most` bytes are kept in memory where the file cannot be used.
    pub fn open(
        folder: &Path,
        base: &BaseKey,
        width: usize,
        precision: Precision,
        most: u64,
    ) -> FeatureCache {
        let mut cache = FeatureCache::in_memory(width, precision, most);
        let path = folder.join(format!("{base}-{}.features", precision.name()));
        match RowFile::open(&path, base, precision.row_bytes(width)) {
            Ok(file) => cache.file = Some(file),
            Err(error) => cache.problem = Some(kept_in_memory(&error)),
        }
        cache
    }

    /// Where its rows are, if not in memory.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(RowFile::path)
    }

    /// Why it has rows in memory although it was opened in a folder.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Bytes that it takes from memory.
    pub fn memory(&self) -> u64 {
        self.memory.len() as u64 * self.precision.row_bytes(self.width) as u64
    }

    /// Whether it has the row.
    pub fn contains(&self, key: &RowKey) -> bool {
        self.memory.contains_key(key) || self.file.as_ref().is_some_and(|file| file.contains(key))
    }

    /// Appends the row to `row`; false if it is not there.
    pub fn get(&mut self, key: &RowKey, row: &mut Vec<f32>) -> bool {
        if let Some(bytes) = self.memory.get(key) {
            self.precision.decode(bytes, row);
            return true;
        }
        match self.file.as_mut().and_then(|file| file.get(key)) {
            Some(bytes) => self.precision.decode(bytes, row),
            None => return false,
        }
        true
    }

    /// Keeps a row.
    ///
    /// # Panics
    /// If it has not the cache's width.
    pub fn insert(&mut self, key: RowKey, row: &[f32]) {
        assert_eq!(row.len(), self.width, "numbers in a row");
        let bytes = self.precision.encode(row);
        if self.problem.is_none()
            && let Some(file) = &mut self.file
        {
            match file.append(key, &bytes) {
                Ok(()) => return,
                Err(error) => self.problem = Some(kept_in_memory(&error)),
            }
        }
        if self.memory() + bytes.len() as u64 <= self.most {
            self.memory.insert(key, bytes);
        }
    }
}

fn kept_in_memory(error: &Error) -> String {
    format!("features are kept in memory, as far as it goes, and not for later runs: {error}")
}

/// Removes caches in `folder`, those first that were not used for the longest time, until the others take no more than
/// `most` bytes. Those that a run holds, and the newest, stay, however large. What cannot be removed stays too.
pub fn prune(folder: &Path, most: u64) {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(about) = entry.metadata() else { continue };
        if entry.path().extension().is_some_and(|end| end == "features")
            && let Ok(used) = about.modified()
        {
            files.push((used, about.len(), entry.path()));
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    files.pop();
    for (_, bytes, path) in files {
        if total <= most {
            break;
        }
        let is_free = std::fs::File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_free && std::fs::remove_file(path).is_ok() {
            total -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> RowKey {
        RowKey([byte; 32])
    }

    fn base() -> BaseKey {
        BaseKey([7; 32])
    }

    fn row(seed: u8) -> Vec<f32> {
        (0..6).map(|i| f32::from(seed) + i as f32 / 3.0).collect()
    }

    fn open(folder: &Path) -> FeatureCache {
        FeatureCache::open(folder, &base(), 6, Precision::F32, 1000)
    }

    fn get(cache: &mut FeatureCache, at: u8) -> Option<Vec<f32>> {
        let mut found = Vec::new();
        cache.get(&key(at), &mut found).then_some(found)
    }

    #[test]
    fn rows_come_back_in_this_run_and_in_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = open(folder.path());
        for at in 0..5 {
            cache.insert(key(at), &row(at));
            assert_eq!(get(&mut cache, at), Some(row(at)));
        }
        assert_eq!((cache.memory(), cache.problem()), (0, None));
        drop(cache);
        let mut again = open(folder.path());
        assert!((0..5).all(|at| get(&mut again, at) == Some(row(at))));
        assert_eq!(get(&mut again, 5), None);
    }

    #[test]
    fn half_floats_round_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = FeatureCache::open(folder.path(), &base(), 6, Precision::F16, 1000);
        cache.insert(key(1), &row(1));
        for (kept, given) in get(&mut cache, 1).unwrap().into_iter().zip(row(1)) {
            assert!((kept - given).abs() <= given / 2048.0);
        }
    }

    #[test]
    fn what_no_half_float_holds_becomes_the_largest() {
        let mut cache = FeatureCache::in_memory(2, Precision::F16, 1000);
        cache.insert(key(1), &[1e6, -1e6]);
        assert_eq!(get(&mut cache, 1).unwrap(), [65504.0, -65504.0]);
    }

    #[test]
    fn the_memory_has_an_end() {
        let mut cache = FeatureCache::in_memory(6, Precision::F32, 60);
        (0..5).for_each(|at| cache.insert(key(at), &row(at)));
        assert_eq!((0..5).filter(|&at| get(&mut cache, at).is_some()).count(), 2);
    }

    #[test]
    fn a_cut_or_damaged_row_is_not_there_and_can_be_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = open(folder.path());
        (0..3).for_each(|at| cache.insert(key(at), &row(at)));
        let path = cache.path().unwrap().to_owned();
        drop(cache);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut cache = open(folder.path());
            assert!((0..3).all(|at| get(&mut cache, at).is_none_or(|found| found == row(at))), "{cut} bytes");
            cache.insert(key(2), &row(2));
            assert_eq!((get(&mut cache, 2), cache.problem()), (Some(row(2)), None), "{cut} bytes");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x11;
            std::fs::write(&path, damaged).unwrap();
            let mut cache = open(folder.path());
            assert!((0..3).all(|at| get(&mut cache, at).is_none_or(|found| found == row(at))), "byte {at}");
            (0..3).for_each(|at| cache.insert(key(at), &row(at)));
            assert!((0..3).all(|at| get(&mut cache, at) == Some(row(at))), "byte {at}");
        }
    }

    #[test]
    fn a_file_that_another_run_holds_or_no_folder_leaves_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path());
        let mut second = open(folder.path());
        second.insert(key(1), &row(1));
        assert_eq!(get(&mut second, 1), Some(row(1)));
        assert!(second.problem().unwrap().contains("another run"), "{:?}", second.problem());
        assert_eq!(second.memory(), 24);
        drop(first);
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        assert!(open(&file.join("below")).problem().is_some());
    }

    #[test]
    fn pruning_removes_what_was_not_used_for_longest() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in [(3, "a.features"), (2, "b.features"), (1, "c.features"), (9, "other")] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_len(100).unwrap();
            let used = std::time::SystemTime::now() - std::time::Duration::from_secs(60 * age);
            file.set_modified(used).unwrap();
        }
        let left = |name: &str| folder.path().join(name).exists();
        let held = std::fs::File::open(folder.path().join("a.features")).unwrap();
        held.lock().unwrap();
        prune(folder.path(), 299);
        assert!(left("a.features") && !left("b.features"), "a run holds the oldest");
        drop(held);
        prune(folder.path(), 150);
        assert_eq!(["a.features", "b.features", "c.features", "other"].map(left), [false, false, true, true]);
        prune(folder.path(), 0);
        assert!(left("c.features"), "the newest is in use");
        prune(&folder.path().join("none"), 0);
    }
}
