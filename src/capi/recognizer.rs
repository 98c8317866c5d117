//! Opening a model, and photos for it.

use std::ffi::{CStr, c_char};
use std::path::Path;
use std::ptr;

use super::error::guarded;
use super::faces::LookalikeFaces;
use super::given;
use crate::recognize::Recognizer;
use crate::vision::{MAX_PIXELS, RgbImage, decode, decode_bytes};
use crate::{Device, Error, Result};

/// A trained model on a device. Any number of threads may use one at the same time.
pub struct LookalikeRecognizer(Recognizer);

/// The version of the library, as "1.2.3".
#[unsafe(no_mangle)]
pub extern "C" fn lookalike_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("a version has no zero byte"),
        };
    VERSION.as_ptr()
}

/// Opens the model file at the path `model`. `adapter` names the device, as "cpu", or as a part of a GPU's name; NULL takes the best.
/// NULL is returned if that fails: lookalike_error says why. lookalike_close frees it.
///
/// # Safety
/// Both strings are NULL or end with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_open(
    model: *const c_char,
    adapter: *const c_char,
) -> *mut LookalikeRecognizer {
    guarded(ptr::null_mut(), || {
        // SAFETY: the caller promises it.
        let model = unsafe { given::text("model", model) }?;
        let device = match adapter.is_null() {
            true => Device::open()?,
            // SAFETY: the caller promises it.
            false => Device::named(unsafe { given::text("adapter", adapter) }?)?,
        };
        let recognizer = Recognizer::open(&device, Path::new(model))?;
        Ok(Box::into_raw(Box::new(LookalikeRecognizer(recognizer))))
    })
}

/// Closes a model. NULL is ignored.
///
/// # Safety
/// `recognizer` is NULL, or came from lookalike_open, and no thread uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_close(recognizer: *mut LookalikeRecognizer) {
    guarded((), || {
        // SAFETY: the caller promises it.
        unsafe { given::take_back(recognizer) };
        Ok(())
    });
}

/// The faces of a photo in memory, decoded: red, green and blue, a byte each, rows from the top, each `stride` bytes behind the
/// one above. NULL is returned if that fails: lookalike_error says why. lookalike_faces_free frees them.
///
/// # Safety
/// `recognizer` is open; at `pixels` are (height - 1) * stride + 3 * width bytes that nobody changes meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_recognize_rgb(
    recognizer: *const LookalikeRecognizer,
    pixels: *const u8,
    width: usize,
    height: usize,
    stride: usize,
) -> *mut LookalikeFaces {
    let open = || {
        check_size(width, height, stride)?;
        let row = 3 * width;
        // SAFETY: the caller promises it.
        let bytes = unsafe { given::bytes("pixels", pixels, (height - 1) * stride + row) }?;
        let rows = (0..height).flat_map(|y| &bytes[y * stride..][..row]);
        RgbImage::new(width, height, rows.copied().collect())
    };
    // SAFETY: the caller promises it.
    unsafe { recognize(recognizer, open) }
}

/// The faces of a photo in a file, JPEG, PNG or WebP, turned as its EXIF orientation says. NULL is returned if that fails:
/// lookalike_error says why. lookalike_faces_free frees them.
///
/// # Safety
/// `recognizer` is open; `path` ends with a zero byte.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_recognize_file(
    recognizer: *const LookalikeRecognizer,
    path: *const c_char,
) -> *mut LookalikeFaces {
    // SAFETY: the caller promises it.
    unsafe { recognize(recognizer, || decode(Path::new(given::text("path", path)?), MAX_PIXELS)) }
}

/// The faces of a photo whose file is in memory, as lookalike_recognize_file.
///
/// # Safety
/// `recognizer` is open; at `bytes` are `length` bytes that nobody changes meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_recognize_bytes(
    recognizer: *const LookalikeRecognizer,
    bytes: *const u8,
    length: usize,
) -> *mut LookalikeFaces {
    let name = Path::new("the photo");
    // SAFETY: the caller promises it.
    unsafe { recognize(recognizer, || decode_bytes(name, given::bytes("bytes", bytes, length)?, MAX_PIXELS)) }
}

/// The faces of the photo that `open` makes.
///
/// # Safety
/// `recognizer` is NULL or open.
unsafe fn recognize(
    recognizer: *const LookalikeRecognizer,
    open: impl FnOnce() -> Result<RgbImage>,
) -> *mut LookalikeFaces {
    guarded(ptr::null_mut(), || {
        // SAFETY: the caller promises it.
        let LookalikeRecognizer(recognizer) = unsafe { given::handle("recognizer", recognizer) }?;
        let people = recognizer.recognize(&open()?)?;
        Ok(Box::into_raw(Box::new(LookalikeFaces::new(&people))))
    })
}

/// Whether a photo of this size can be: no product of these overflows then.
fn check_size(width: usize, height: usize, stride: usize) -> Result<()> {
    let pixels = (width as u128) * (height as u128);
    let is_photo = (1..=u128::from(MAX_PIXELS)).contains(&pixels);
    let has_rows =
        stride >= 3 * width.min(MAX_PIXELS as usize) && stride <= isize::MAX as usize / height.max(1);
    if is_photo && has_rows {
        return Ok(());
    }
    Err(Error::Input(format!(
        "a photo of {width}x{height} pixels in rows of {stride} bytes; give 1 to {MAX_PIXELS} pixels, and rows of at least 3 bytes \
         a pixel"
    )))
}
