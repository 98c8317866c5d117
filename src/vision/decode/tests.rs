use std::path::PathBuf;

use ::image::ImageEncoder;

use super::*;
use crate::decoding;
use crate::vision::{encode_jpeg, encode_png};

fn photos() -> PathBuf {
    Path::new(&std::env::var_os("LOOKALIKE_DATA").expect("LOOKALIKE_DATA is set")).join("photos")
}

fn message(bytes: &[u8]) -> String {
    decode_bytes(Path::new("s07/017.jpg"), bytes, MAX_PIXELS).unwrap_err().to_string()
}

/// A picture with detail everywhere, so that its file has no empty parts.
fn noise(width: usize, height: usize) -> RgbImage {
    let pixels = (0..3 * width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    RgbImage::new(width, height, pixels).unwrap()
}

/// The beginning of a PNG that declares this size: signature and IHDR with its checksum, an IDAT without an end.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = !chunk.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    });
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(chunk);
    bytes.extend(crc.to_be_bytes());
    bytes.extend(b"\0\0\x40\0IDAT");
    bytes
}

#[test]
fn files_that_are_no_pictures_say_so() {
    assert_eq!(message(b""), "s07/017.jpg: is empty; copy it again");
    for bytes in [&b"my holiday\n"[..], b"\xFF", b"GIF89a..........", &[0; 4096]] {
        assert_eq!(
            message(bytes),
            "s07/017.jpg: is not a JPEG, PNG or WebP picture; convert it to one of these"
        );
    }
}

#[test]
fn names_that_cannot_be_read_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let missing = decode(&folder.path().join("a.jpg"), MAX_PIXELS).unwrap_err().to_string();
    assert!(missing.contains("a.jpg") && missing.contains("check the name"), "{missing}");
    assert!(decode(folder.path(), MAX_PIXELS).is_err());
}

#[test]
fn the_content_decides_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, image) = (folder.path().join("really-a-png.jpg"), noise(20, 10));
    std::fs::write(&path, encode_png(&image).unwrap()).unwrap();
    assert_eq!(decode(&path, MAX_PIXELS).unwrap(), image);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let image = noise(64, 48);
    for whole in [encode_jpeg(&image).unwrap(), encode_png(&image).unwrap()] {
        let complete = decode_bytes(Path::new("whole"), &whole, MAX_PIXELS).unwrap();
        for length in MAGIC..whole.len() {
            match decode_bytes(Path::new("cut"), &whole[..length], MAX_PIXELS) {
                // The last bytes of a PNG, behind its pixels, are not missed.
                Ok(picture) => assert!(picture == complete && whole.len() - length <= 24, "{length}"),
                Err(e) => assert!(e.to_string().contains("copy it again"), "{length} bytes: {e}"),
            }
        }
        assert!(
            !whole.starts_with(b"\xFF")
                || decode_bytes(Path::new("cut"), &whole[..whole.len() - 1], 1 << 20).is_err()
        );
        // Half a file whose other half never arrived.
        let mut hole = whole.clone();
        hole[whole.len() / 2..].fill(0);
        assert!(decode_bytes(Path::new("hole"), &hole, MAX_PIXELS).is_err());
    }
    let jpeg = encode_jpeg(&image).unwrap();
    let half = jpeg.len() / 2;
    assert_eq!(
        message(&jpeg[..half]),
        format!("s07/017.jpg: JPEG ends early, after {half} bytes; copy it again to use it")
    );
}

#[test]
fn a_huge_picture_is_refused_from_its_header() {
    let message = message(&png_header(20_000, 20_000));
    assert!(message.contains("20000x20000") && message.contains("--max-pixels"), "{message}");
    let png = encode_png(&noise(11, 10)).unwrap();
    assert!(decode_bytes(Path::new("a"), &png, 110).is_ok());
    assert!(decode_bytes(Path::new("a"), &png, 109).is_err());
}

/// A lossy picture of 29x23 pixels inside a file that says so too, and an animation of such pictures.
const LOSSY_WEBPS: [&[u8]; 2] = [
    include_bytes!("../../../examples/fuzz/seeds/lossy-alpha.webp"),
    include_bytes!("../../../examples/fuzz/seeds/animated.webp"),
];

#[test]
fn a_frame_larger_than_its_file_says_is_refused() {
    for whole in LOSSY_WEBPS {
        assert!(decode_bytes(Path::new("a.webp"), whole, 29 * 23).is_ok());
        let mut bytes = whole.to_vec();
        let size = bytes.windows(3).position(|code| code == [0x9D, 0x01, 0x2A]).unwrap() + 3;
        bytes[size..size + 4].fill(0xFF);
        let message = message(&bytes);
        assert!(message.contains("16383x16383") && message.contains("--max-pixels"), "{message}");
    }
}

#[test]
fn a_webp_is_turned_upright_and_a_block_that_claims_gigabytes_does_no_harm() {
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let mut bytes = Vec::new();
    let mut encoder = ::image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.write_image(noise(20, 10).pixels(), 20, 10, ::image::ExtendedColorType::Rgb8).unwrap();
    let size = |bytes: &[u8]| {
        let image = decode_bytes(Path::new("a.webp"), bytes, MAX_PIXELS).unwrap();
        (image.width(), image.height())
    };
    assert_eq!(size(&bytes), (10, 20));
    let length = bytes.windows(4).position(|name| name == b"EXIF").unwrap() + 4;
    bytes[length..length + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(size(&bytes), (10, 20), "what is there of the block says enough");
}

#[test]
fn transparent_parts_become_white() {
    let mut bytes = Vec::new();
    let picture =
        ::image::RgbaImage::from_raw(3, 1, vec![9, 8, 7, 0, 9, 8, 7, 255, 0, 100, 200, 128]).unwrap();
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    let image = decode_bytes(Path::new("a.png"), &bytes, MAX_PIXELS).unwrap();
    assert_eq!(image.pixels(), [255, 255, 255, 9, 8, 7, 127, 177, 227]);
}

#[test]
fn a_panic_inside_a_decoder_is_an_error() {
    let fails = || {
        assert!(decoding());
        panic!("on purpose")
    };
    let error = guarded::<()>(Path::new("a.jpg"), fails).unwrap_err().to_string();
    assert!(error.starts_with("a.jpg: the decoder failed"), "{error}");
    assert!(!decoding());
}

#[test]
fn flipped_bits_never_panic() {
    let image = noise(40, 30);
    for whole in [encode_jpeg(&image).unwrap(), encode_png(&image).unwrap()] {
        for at in MAGIC..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            let outcome = std::panic::catch_unwind(|| {
                upright(Path::new("a"), &bytes, format_of(Path::new("a"), &whole)?, 1 << 20)
            });
            assert!(outcome.is_ok(), "byte {at}");
        }
    }
}

#[test]
#[ignore = "needs LOOKALIKE_DATA, see README"]
fn the_eight_orientations_give_one_picture() {
    let read = |i| decode(&photos().join(format!("exif/orientation_{i}.jpg")), MAX_PIXELS).unwrap();
    let first = read(1);
    assert_eq!((first.width(), first.height()), (853, 480));
    for i in 2..=8 {
        let other = read(i);
        assert_eq!((other.width(), other.height()), (853, 480), "orientation {i}");
        let total: u64 =
            first.pixels().iter().zip(other.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = total as f64 / first.pixels().len() as f64;
        assert!(mean < 2.0, "orientation {i}: mean difference {mean}");
    }
}

#[test]
#[ignore = "needs LOOKALIKE_DATA, see README"]
fn real_photos_are_read_whole_and_refused_when_cut() {
    let (mut read, mut cuts) = (0, 0);
    for set in ["singles", "groups", "exif", "profile", "noface"] {
        for entry in std::fs::read_dir(photos().join(set)).unwrap() {
            let path = entry.unwrap().path();
            decode(&path, MAX_PIXELS).unwrap();
            read += 1;
            let bytes = std::fs::read(&path).unwrap();
            for share in [0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99] {
                let length = (bytes.len() as f64 * share) as usize;
                let cut = decode_bytes(&path, &bytes[..length], MAX_PIXELS);
                assert!(cut.is_err(), "{} cut to {length} of {} bytes", path.display(), bytes.len());
                cuts += 1;
            }
        }
    }
    println!("{read} photos read, {cuts} cuts refused");
}

/// An EXIF block that holds nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let entry = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    [b"II*\0\x08\0\0\0\x01\0", &entry[..], &[0; 4]].concat()
}

/// Without the losses of compression, the same pixels: so whatever is made of them is the same too.
#[test]
fn the_eight_orientations_of_one_picture_are_equal_to_the_pixel() {
    let image = noise(23, 16);
    for orientation in 1..=8 {
        let turned = Orientation::from_exif(orientation).expect("an orientation");
        let back = match turned {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            other => other,
        };
        let pixels = ::image::RgbImage::from_raw(23, 16, image.pixels().to_vec()).expect("a picture");
        let mut stored = DynamicImage::from(pixels);
        stored.apply_orientation(back);
        let mut bytes = Vec::new();
        let mut encoder = ::image::codecs::png::PngEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif(orientation)).expect("PNG files hold EXIF");
        stored.write_with_encoder(encoder).expect("a PNG");
        let read = decode_bytes(Path::new("turned.png"), &bytes, MAX_PIXELS).expect("a picture");
        assert!(read == image, "orientation {orientation}");
    }
}
