//! Panics in other people's decoders, caught at our door: a damaged file must not end a run over thousands of good ones.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a decoder whose panic becomes an error. A program's panic hook may then keep silent.
pub fn decoding() -> bool {
    DECODING.get()
}

/// What `work`, a decoder of somebody else's, returns; `None` if it panics.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    DECODING.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    DECODING.set(false);
    outcome.ok()
}
