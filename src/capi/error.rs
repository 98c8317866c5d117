//! The border to C: results become return values, errors and panics messages.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::Result;

thread_local! {
    static MESSAGE: RefCell<CString> = RefCell::default();
}

/// Why the last call of this thread that failed did so: one line of UTF-8, empty if none has. It is good until another call of this
/// thread fails.
#[unsafe(no_mangle)]
pub extern "C" fn lookalike_error() -> *const c_char {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// What `work` returns; `failed` if it returns an error or panics, which is kept for [`lookalike_error`].
pub(super) fn guarded<T>(failed: T, work: impl FnOnce() -> Result<T>) -> T {
    let problem = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            format!("this is a bug: {}", text.unwrap_or_default())
        }
    };
    MESSAGE.set(c_string(&problem));
    failed
}

/// A string of C, which ends at the first zero byte: those within are replaced.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).expect("there is no zero byte any more")
}
