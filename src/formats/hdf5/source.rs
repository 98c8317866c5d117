//! The bytes of a file, of which only so many are handed out.

use std::io::{Read, Seek};
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_pure::{FormatError, ReadSeekSource, Source};

/// Reads of a whole file, and bytes beyond them, until a reader goes round in circles.
const MAX_ROUNDS: u64 = 8;
const MAX_MORE: u64 = 256 << 20;
/// What the shortest read counts: many of them take as long as a long one.
const LEAST: u64 = 1 << 10;

/// A source that fails when a reader, led in circles by a damaged file, has read more than any file needs.
pub(super) struct Metered<R: Read + Seek> {
    inner: ReadSeekSource<R>,
    left: AtomicU64,
}

impl<R: Read + Seek> Metered<R> {
    pub fn new(inner: R) -> Result<Metered<R>, FormatError> {
        let inner = ReadSeekSource::new(inner)?;
        let left = AtomicU64::new(inner.len().saturating_mul(MAX_ROUNDS).saturating_add(MAX_MORE));
        Ok(Metered { inner, left })
    }
}

impl<R: Read + Seek> Source for Metered<R> {
    fn len(&self) -> u64 {
        self.inner.len()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), FormatError> {
        let cost = LEAST.max(bytes.len() as u64);
        let spend = |left: u64| left.checked_sub(cost);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_err() {
            return Err(FormatError::Source("its parts refer to each other in circles".into()));
        }
        self.inner.read_at(offset, bytes)
    }
}
