//! What C hands over, checked as far as it can be.

use std::ffi::{CStr, c_char};
use std::slice;

use crate::{Error, Result};

/// The text at `pointer`, which is called `what` in errors.
///
/// # Safety
/// `pointer` is NULL, or points to a string that ends with a zero byte and that nobody changes meanwhile.
pub(super) unsafe fn text<'a>(what: &str, pointer: *const c_char) -> Result<&'a str> {
    if pointer.is_null() {
        return Err(Error::Input(format!("{what} is NULL; give a string")));
    }
    // SAFETY: it is not NULL, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Error::Input(format!("{what} is not UTF-8: {text:?}")))
}

/// The `length` bytes at `pointer`.
///
/// # Safety
/// `pointer` is NULL, or points to so many bytes that nobody changes meanwhile.
pub(super) unsafe fn bytes<'a>(what: &str, pointer: *const u8, length: usize) -> Result<&'a [u8]> {
    if pointer.is_null() || isize::try_from(length).is_err() {
        return Err(Error::Input(format!(
            "{what}: {length} bytes at {pointer:?}; give a buffer and its length"
        )));
    }
    // SAFETY: it is not NULL and no longer than memory can be, and the caller promises the rest.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// What a handle points to.
///
/// # Safety
/// `pointer` is NULL, or came from a function of this interface and was not freed.
pub(super) unsafe fn handle<'a, T>(what: &str, pointer: *const T) -> Result<&'a T> {
    // SAFETY: the caller promises it.
    unsafe { pointer.as_ref() }
        .ok_or_else(|| Error::Input(format!("{what} is NULL; a call before this one failed")))
}

/// Takes back what was handed out as a handle; nothing if it is NULL.
///
/// # Safety
/// As [`handle`], and nobody uses it any more.
pub(super) unsafe fn take_back<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: handles come from `Box::into_raw`, and the caller promises the rest.
        drop(unsafe { Box::from_raw(pointer) });
    }
}
