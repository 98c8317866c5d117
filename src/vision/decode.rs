//! Photo files to upright pictures: JPEG, PNG and WebP, told apart by their content.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits};

use self::jpeg::JpegDecoder;
use super::RgbImage;
use crate::caught::caught;
use crate::{Error, Result};

/// Pixels of the largest picture read unless told otherwise.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Bytes a PNG's rows and what stands beside its pixels may take: a compressed colour profile can claim any size.
const MAX_BESIDE_PIXELS: u64 = 64 << 20;

/// Enough of a file to tell its format.
const MAGIC: usize = 16;

/// Reads a photo, turned upright as its EXIF orientation says.
///
/// JPEG, PNG or WebP by content, whatever the name. Transparent parts become white. A picture of more than
/// `max_pixels` is refused from its header, before decoding.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is empty, of another format, cut short, damaged
/// or too large.
pub fn decode(path: &Path, max_pixels: u64) -> Result<RgbImage> {
    decode_bytes(path, &read_photo(path)?, max_pixels)
}

/// The bytes of a photo's file, for [`decode_bytes`].
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Format`] if it is empty or begins like no photo.
pub fn read_photo(path: &Path) -> Result<Vec<u8>> {
    let unreadable = |e| Error::io(path, e, "check the name and the permissions");
    let mut file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(Error::format(path, "is not a file; name a JPEG, PNG or WebP photo"));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(MAGIC as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    format_of(path, &bytes)?; // a film of gigabytes is refused here, unread
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Decodes a photo from the bytes of its file, as [`decode`] does; `name` stands in the errors.
///
/// # Errors
/// [`Error::Format`], as [`decode`].
pub fn decode_bytes(name: &Path, bytes: &[u8], max_pixels: u64) -> Result<RgbImage> {
    let format = format_of(name, bytes)?;
    let picture = guarded(name, || upright(name, bytes, format, max_pixels))?;
    let pixels = if picture.color().has_alpha() { on_white(picture) } else { picture.into_rgb8() };
    RgbImage::new(pixels.width() as usize, pixels.height() as usize, pixels.into_raw())
}

fn format_of(name: &Path, bytes: &[u8]) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::format(name, "is empty; copy it again"));
    }
    match ::image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP)) => Ok(format),
        _ => Err(Error::format(name, "is not a JPEG, PNG or WebP picture; convert it to one of these")),
    }
}

fn upright(name: &Path, bytes: &[u8], format: ImageFormat, max_pixels: u64) -> Result<DynamicImage> {
    let damaged = |e: ::image::ImageError| match e {
        ::image::ImageError::Unsupported(e) => {
            Error::format(name, format!("{e}; save it again as an ordinary JPEG or PNG"))
        }
        e => Error::format(name, format!("is damaged ({e}); copy it again")),
    };
    // The decoder would paint what is missing grey.
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        let problem = format!("JPEG ends early, after {} bytes; copy it again to use it", bytes.len());
        return Err(Error::format(name, problem));
    }
    let mut decoder = decoder_of(bytes, format).map_err(damaged)?;

    let mut sizes = vec![decoder.dimensions()];
    if format == ImageFormat::WebP {
        sizes.extend(webp::lossy_sizes(bytes));
    }
    let too_large = |&&(width, height): &&(u32, u32)| u64::from(width) * u64::from(height) > max_pixels;
    if let Some((width, height)) = sizes.iter().find(too_large) {
        return Err(Error::format(
            name,
            format!(
                "has {width}x{height} pixels, at most {max_pixels} are allowed; make it smaller or raise the limit \
                 (--max-pixels)"
            ),
        ));
    }
    // A damaged EXIF block does not spoil the pixels.
    let orientation = match format {
        ImageFormat::WebP => webp::exif(bytes).and_then(Orientation::from_exif_chunk),
        _ => decoder.orientation().ok(),
    };
    let mut picture = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    picture.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(picture)
}

/// Reads the header.
fn decoder_of(bytes: &[u8], format: ImageFormat) -> ImageResult<Box<dyn ImageDecoder + '_>> {
    if format == ImageFormat::Jpeg {
        return Ok(Box::new(JpegDecoder::new(bytes)?));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BESIDE_PIXELS);
    reader.limits(limits);
    Ok(Box::new(reader.into_decoder()?))
}

/// Whether the end marker follows the last scan (ITU-T T.81, annex B). Markers inside segments, such as those of an
/// embedded preview, do not count: segments are skipped by their length.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    const START: u8 = 0xD8;
    const END: u8 = 0xD9;
    let mut rest = bytes;
    loop {
        // Between segments, and inside a scan, a marker is 0xFF and a byte that is neither 0x00 (an escaped 0xFF)
        // nor 0xFF (fill) nor a restart.
        let Some(at) =
            rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xD0..=0xD7 | 0xFF))
        else {
            return false;
        };
        let marker = rest[at + 1];
        rest = &rest[at + 2..];
        match marker {
            END => return true,
            START | 0x01 => {}
            _ => {
                let Some(&[high, low]) = rest.first_chunk::<2>() else { return false };
                let Some(after) = rest.get(usize::from(u16::from_be_bytes([high, low]))..) else {
                    return false;
                };
                rest = after;
            }
        }
    }
}

/// What `work` returns, or an error if it panics: a decoder's bug must not end a run over thousands of photos.
fn guarded<T>(name: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(work)
        .unwrap_or_else(|| Err(Error::format(name, "the decoder failed on it; save it again as JPEG or PNG")))
}

/// Transparent parts hold any colour; white is what a viewer shows.
fn on_white(picture: DynamicImage) -> ::image::RgbImage {
    let picture = picture.into_rgba8();
    let (width, height) = picture.dimensions();
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let pixels =
        picture.pixels().flat_map(|p| [0, 1, 2].map(|channel| blend(p.0[channel], p.0[3]))).collect();
    ::image::RgbImage::from_raw(width, height, pixels).expect("three bytes for each pixel")
}

mod jpeg;
mod webp;

#[cfg(test)]
mod tests;
