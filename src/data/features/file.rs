//! A file of rows that only grows: whatever ends a run, the rows before stay whole.
//!
//! The head is the magic, the network's key and the bytes of a row; then record after record: the row's key, the row, and
//! the first eight bytes of the SHA-256 of both. What follows the last whole record is cut off when the file is opened; a
//! record whose sum is wrong is not there.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::{BaseKey, RowKey};
use crate::{Error, Result};

const MAGIC: &[u8; 24] = b"lookalike features 0001\n";
const HEAD: usize = MAGIC.len() + 32 + 8;
const KEY: usize = 32;
const SUM: usize = 8;
const ADVICE: &str =
    "free some room, or let LOOKALIKE_CACHE name a folder that can be written; --no-cache does without";

/// Rows of one network in one file, held by one run at a time.
#[derive(Debug)]
pub(super) struct RowFile {
    path: PathBuf,
    file: File,
    row: usize,
    /// Number of the record of each row, and whether its sum was found right.
    records: HashMap<RowKey, (usize, bool)>,
    count: usize,
    /// What was mapped when a row was last read; it may be shorter than the file.
    map: Option<Mmap>,
}

impl RowFile {
    /// Opens or makes the file for rows of `row` bytes.
    pub fn open(path: &Path, base: &BaseKey, row: usize) -> Result<RowFile> {
        let failed = |error| Error::io(path, error, ADVICE);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = File::options();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::format(path, "another run is using it"),
            TryLockError::Error(error) => failed(error),
        })?;
        let mut head = MAGIC.to_vec();
        head.extend(base.0);
        head.extend((row as u64).to_le_bytes());
        let mut found = vec![0; HEAD];
        let known = file.read_exact(&mut found).is_ok() && found == head;
        if !known {
            file.set_len(0).map_err(failed)?;
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            file.write_all(&head).map_err(failed)?;
        }
        // The time of use, for pruning.
        file.set_modified(SystemTime::now()).map_err(failed)?;
        let mut rows = RowFile { path: path.into(), file, row, records: HashMap::new(), count: 0, map: None };
        rows.index().map_err(failed)?;
        Ok(rows)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn record(&self) -> usize {
        KEY + self.row + SUM
    }

    fn offset(&self, number: usize) -> usize {
        HEAD + number * self.record()
    }

    /// Reads the keys of all whole records and cuts off what follows them.
    fn index(&mut self) -> std::io::Result<()> {
        let length = self.file.metadata()?.len() as usize;
        self.count = (length - HEAD) / self.record();
        for number in 0..self.count {
            self.file.seek(SeekFrom::Start(self.offset(number) as u64))?;
            let mut key = [0; KEY];
            self.file.read_exact(&mut key)?;
            self.records.insert(RowKey(key), (number, false));
        }
        self.cut()
    }

    /// Makes the file end behind its last whole record.
    fn cut(&mut self) -> std::io::Result<()> {
        let end = self.offset(self.count) as u64;
        self.map = None;
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end)).map(|_| ())
    }

    pub fn contains(&self, key: &RowKey) -> bool {
        self.records.contains_key(key)
    }

    /// Appends a row. If it cannot be written whole, it is not there.
    pub fn append(&mut self, key: RowKey, row: &[u8]) -> Result<()> {
        let mut record = [&key.0[..], row].concat();
        record.extend(&Sha256::digest(&record)[..SUM]);
        if let Err(error) = self.file.write_all(&record) {
            // On a full disk only cutting is sure to work; if it does not, opening does it again.
            let _ = self.cut();
            return Err(Error::io(&self.path, error, ADVICE));
        }
        self.records.insert(key, (self.count, true));
        self.count += 1;
        Ok(())
    }

    /// The bytes of a row.
    pub fn get(&mut self, key: &RowKey) -> Option<&[u8]> {
        let &(number, sure) = self.records.get(key)?;
        let (start, end) = (self.offset(number), self.offset(number + 1));
        if self.map.as_ref().is_none_or(|map| map.len() < end) {
            // SAFETY: the file is locked, so no other run of ours shortens it, and this one shortens it only behind the
            // last whole record, which is all that is read.
            self.map = unsafe { Mmap::map(&self.file) }.ok();
        }
        let whole = self.map.as_ref().and_then(|map| map.get(start..end)).is_some_and(|record| {
            let (content, sum) = record.split_at(KEY + self.row);
            sure || Sha256::digest(content)[..SUM] == *sum
        });
        if !whole {
            self.records.remove(key);
            return None;
        }
        self.records.insert(*key, (number, true));
        self.map.as_ref().map(|map| &map[start + KEY..end - SUM])
    }
}
