//! Pictures to the bytes of a file.

use ::image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use ::image::{ExtendedColorType, ImageEncoder};

use super::RgbImage;
use crate::{Error, Result};

const JPEG_QUALITY: u8 = 92;

/// The picture as a PNG file, without loss.
///
/// # Errors
/// [`Error::Input`] if the picture is larger than the format allows.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(image, PngEncoder::new(&mut bytes), "PNG")?;
    Ok(bytes)
}

/// The picture as a JPEG file of quality 92.
///
/// # Errors
/// [`Error::Input`] if the picture is larger than the format allows (65,535 pixels a side).
pub fn encode_jpeg(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(image, JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY), "JPEG")?;
    Ok(bytes)
}

fn encode(image: &RgbImage, encoder: impl ImageEncoder, format: &str) -> Result<()> {
    let too_large = |problem: String| {
        let (width, height) = (image.width(), image.height());
        Error::Input(format!(
            "a picture of {width}x{height} pixels cannot be written as {format}: {problem}; make it smaller"
        ))
    };
    let width = u32::try_from(image.width()).map_err(|e| too_large(e.to_string()))?;
    let height = u32::try_from(image.height()).map_err(|e| too_large(e.to_string()))?;
    encoder
        .write_image(image.pixels(), width, height, ExtendedColorType::Rgb8)
        .map_err(|e| too_large(e.to_string()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::vision::{MAX_PIXELS, decode_bytes};

    #[test]
    fn what_is_written_can_be_read() {
        let mut pixels = vec![200; 3 * 31 * 17];
        pixels[..3 * 31].fill(40);
        let image = RgbImage::new(31, 17, pixels).unwrap();
        let png = decode_bytes(Path::new("a.png"), &encode_png(&image).unwrap(), MAX_PIXELS).unwrap();
        assert_eq!(png, image);
        let jpeg = decode_bytes(Path::new("a.jpg"), &encode_jpeg(&image).unwrap(), MAX_PIXELS).unwrap();
        let worst = jpeg.pixels().iter().zip(image.pixels()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(16), "{worst:?}");
    }

    #[test]
    fn a_jpeg_has_at_most_65535_pixels_a_side() {
        let error = encode_jpeg(&RgbImage::filled(65_536, 1, [0; 3])).unwrap_err().to_string();
        assert!(error.contains("65536x1") && error.contains("make it smaller"), "{error}");
    }
}
