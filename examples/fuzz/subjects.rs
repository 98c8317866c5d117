//! The doors through which files of strangers come in, and good files to damage.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use flate2::Crc;
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::{DynamicImage, ImageEncoder, ImageFormat};
use lookalike::Device;
use lookalike::check::mutate::{Kind, mutant};
use lookalike::detect::{Cascade, Detector};
use lookalike::models::{
    Gallery, Judgement, Model, ModelFile, Predictor, Preprocessing, ScratchCnn, Strangers, scratch_cnn,
    weights,
};
use lookalike::nn::Layer;
use lookalike::nn::layers::{Conv2d, MaxPooling2d};
use lookalike::ops::Normalize;
use lookalike::tensor::Shape;
use lookalike::vision::{RgbImage, decode_bytes};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Height and width of the pictures that the model takes.
const MODEL_SIZE: usize = 8;
/// Pixels of the largest picture decoded: a mutant may well claim as many.
const MAX_PIXELS: u64 = 1 << 20;

/// What a door made of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Result,
    Error,
    /// The error into which a panic of a decoder was turned.
    Caught,
}

/// A door with its good files.
pub struct Subject {
    pub name: &'static str,
    kind: Kind,
    seeds: Vec<Vec<u8>>,
    /// Repairs checksums, behind which no change would be seen.
    repair: fn(&mut [u8]),
    pub read: fn(&[u8]) -> Outcome,
}

impl Subject {
    pub fn all() -> [Subject; 6] {
        let (kind, seeds) = (Kind::Text, cascades());
        let cascade = Subject { name: "cascade", kind, seeds, repair: |_| {}, read: read_cascade };
        let (kind, seeds) = (Kind::Bytes, pictures());
        let image = Subject { name: "image", kind, seeds, repair: repair_png, read: read_image };
        let weights = |name, kind, seeds, read| Subject { name, kind, seeds, repair: |_| {}, read };
        [
            cascade,
            image,
            weights("h5", Kind::Bytes, keras_files(), read_weights),
            weights("safetensors", Kind::Text, safetensors_files(), read_weights),
            weights("npz", Kind::Text, numpy_files(), read_numpy),
            weights("model", Kind::Text, models(), read_model),
        ]
    }

    /// The damaged file of a case.
    pub fn mutant(&self, seed: u32, case: u32) -> Vec<u8> {
        let mut bytes = mutant(&self.seeds, self.kind, seed, case);
        if !case.is_multiple_of(4) {
            (self.repair)(&mut bytes);
        }
        bytes
    }
}

/// Reads a cascade and searches a picture with it: small, as a cascade may see a face everywhere.
fn read_cascade(bytes: &[u8]) -> Outcome {
    let found = Cascade::from_xml(&String::from_utf8_lossy(bytes)).and_then(|c| c.detect(&noise(64, 48)));
    if found.is_ok() { Outcome::Result } else { Outcome::Error }
}

fn read_image(bytes: &[u8]) -> Outcome {
    match decode_bytes(Path::new("mutant"), bytes, MAX_PIXELS) {
        Ok(_) => Outcome::Result,
        Err(e) if e.to_string().contains("the decoder failed") => Outcome::Caught,
        Err(_) => Outcome::Error,
    }
}

/// Reads weights for the network of `kernels-tests/weights`.
fn read_weights(bytes: &[u8]) -> Outcome {
    let convolution =
        |name: &str, channels| -> Arc<dyn Layer> { Arc::new(Conv2d::same_relu(name, channels, 3)) };
    let layers = vec![
        convolution("block1_conv1", 4),
        convolution("block1_conv2", 4),
        Arc::new(MaxPooling2d::square("block1_pool", 2)),
        convolution("block2_conv1", 6),
    ];
    let network = Model { name: "small".into(), input: Shape::from([16, 16, 3]), layers, frozen: 0 };
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), bytes).expect("a temporary file");
    match weights::read(file.path(), &network) {
        Ok(_) => Outcome::Result,
        Err(e) if e.to_string().contains("the decoder failed") => Outcome::Caught,
        Err(_) => Outcome::Error,
    }
}

/// Reads an archive, or a single array: put into an archive, whose checksum fits then.
fn read_numpy(bytes: &[u8]) -> Outcome {
    if bytes.starts_with(b"PK") {
        return read_weights(bytes);
    }
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let shapes = [("block1_conv2", [3, 3, 4, 4]), ("block2_conv1", [3, 3, 4, 6])];
    let mut put = |name: &str, bytes: &[u8]| {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).expect("a new entry");
        archive.write_all(bytes).expect("memory");
    };
    put("block1_conv1/kernel", bytes);
    put("block1_conv1/bias", &array(&[4]));
    for (layer, shape) in shapes {
        put(&format!("{layer}/kernel"), &array(&shape));
        put(&format!("{layer}/bias"), &array(&shape[3..]));
    }
    read_weights(&archive.finish().expect("memory").into_inner())
}

/// Opens a model, as whatever its first bytes make it look like, and has it judge a picture.
fn read_model(bytes: &[u8]) -> Outcome {
    let endings: &[&str] = match bytes {
        [0x89, b'H', ..] => &["h5"],
        [b'P', b'K', ..] => &["keras", "npz"],
        _ => &["safetensors"],
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut outcome = Outcome::Error;
    for ending in endings {
        let path = folder.path().join("model").with_extension(ending);
        fs::write(&path, bytes).expect("a temporary file");
        match ModelFile::open(&path) {
            Ok(file) => return judge(file),
            Err(e) if e.to_string().contains("the decoder failed") => outcome = Outcome::Caught,
            Err(_) => {}
        }
    }
    outcome
}

/// Has the model judge one picture, if that is not much work: a model may well claim to take large ones.
fn judge(file: ModelFile) -> Outcome {
    if file.model.input[..] != [MODEL_SIZE, MODEL_SIZE, 3] {
        return Outcome::Result;
    }
    let judged = Predictor::new(&Device::cpu(), file)
        .and_then(|mut predictor| predictor.judge(noise(MODEL_SIZE, MODEL_SIZE).pixels()));
    if judged.is_ok() { Outcome::Result } else { Outcome::Error }
}

/// A small model in every format that is read.
fn models() -> Vec<Vec<u8>> {
    let sizes = ScratchCnn { size: MODEL_SIZE, widths: vec![2], dense: 3, ..ScratchCnn::new(2) };
    let model = scratch_cnn(&sizes);
    let parameters = model.parameters().expect("layers that fit").into_iter();
    let weights = parameters.map(|p| (p.name.clone(), p.initializer.values(&p.name, &p.shape, 1))).collect();
    let preprocessing = Preprocessing {
        size: MODEL_SIZE,
        detector: "mtcnn".into(),
        margin: 0.2,
        align: true,
        placed: None,
        whole: true,
        normalize: Normalize::unit(),
    };
    let labels = vec!["anna".into(), "berta".into()];
    let features = [vec![0.5, 0.25, 1.0], vec![1.0, 0.5, 0.25]];
    let known = Gallery { features: &features, labels: &[0, 1], groups: &[0, 1], people: 2 };
    let strangers = Strangers::new(known, 0.01, 0.25);
    let file = ModelFile {
        model,
        labels,
        preprocessing,
        training: serde_json::Value::Null,
        judgement: Judgement { strangers: Some(strangers), ..Judgement::default() },
        weights,
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let saved = |ending: &str| {
        let path = folder.path().join("model").with_extension(ending);
        file.save(&path).expect("a temporary file");
        fs::read(&path).expect("a temporary file")
    };
    ["h5", "keras", "npz", "safetensors"].map(saved).into()
}

/// Weights as Keras 1, 2 and 3 write them, compressed ones, and an archive.
fn keras_files() -> Vec<Vec<u8>> {
    let files: [&[u8]; 6] = [
        include_bytes!("../../kernels-tests/weights/keras1_half.h5"),
        include_bytes!("../../kernels-tests/weights/keras2_notop.h5"),
        include_bytes!("../../kernels-tests/weights/keras3.weights.h5"),
        include_bytes!("../../kernels-tests/weights/keras3_whole.h5"),
        include_bytes!("../../kernels-tests/weights/h5py_gzip.h5"),
        include_bytes!("../../kernels-tests/weights/keras2_whole.keras"),
    ];
    files.map(<[u8]>::to_vec).into()
}

fn safetensors_files() -> Vec<Vec<u8>> {
    let files: [&[u8]; 2] = [
        include_bytes!("../../kernels-tests/weights/keras_names.safetensors"),
        include_bytes!("../../kernels-tests/weights/torchvision.safetensors"),
    ];
    files.map(<[u8]>::to_vec).into()
}

/// An archive, and the array that stands first in one.
fn numpy_files() -> Vec<Vec<u8>> {
    vec![include_bytes!("../../kernels-tests/weights/named.npz").to_vec(), array(&[3, 3, 3, 4])]
}

/// A `.npy` file of ones.
fn array(shape: &[usize]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(1_f32.to_le_bytes().repeat(shape.iter().product()));
    bytes
}

/// The cascade that ships, its first stage, and the least that is one: so that changes meet structure, not only numbers.
fn cascades() -> Vec<Vec<u8>> {
    let whole = include_str!("../../assets/lbpcascade_frontalface_opencv.xml");
    let (first, rest) = whole.split_once("<!-- stage 1 -->").expect("a second stage");
    let (_, features) = rest.split_once("</stages>").expect("the end of the stages");
    let least = "<?xml version=\"1.0\"?>\n<opencv_storage><cascade type_id=\"opencv-cascade-classifier\">\n\
        <stageType>BOOST</stageType><featureType>LBP</featureType><height>9</height><width>9</width>\n\
        <stages><_><stageThreshold>-0.5</stageThreshold><weakClassifiers><_>\n\
        <internalNodes>0 -1 0 -1 1 2 3 4 5 6 -2147483648</internalNodes><leafValues>-0.25 0.75</leafValues>\n\
        </_></weakClassifiers></_></stages>\n\
        <features><_><rect>0 0 3 3</rect></_></features></cascade></opencv_storage>\n";
    [whole, &format!("{first}</stages>{features}"), least].map(|text| text.as_bytes().to_vec()).into()
}

/// Pictures of a few hundred bytes in every format; those that nothing here can encode, from files.
fn pictures() -> Vec<Vec<u8>> {
    let rgb =
        image::RgbImage::from_raw(29, 23, noise(29, 23).into_pixels()).expect("three bytes for each pixel");
    let rgb = DynamicImage::from(rgb);
    let rgba = DynamicImage::from(rgb.to_rgba8());
    let mut files = vec![
        encoded(&rgb, ImageFormat::Jpeg),
        encoded(&rgb.to_luma8().into(), ImageFormat::Jpeg),
        encoded(&rgb, ImageFormat::Png),
        encoded(&rgb.to_rgb16().into(), ImageFormat::Png),
        encoded(&rgb, ImageFormat::WebP),
        written(|out| write_turned(JpegEncoder::new(out), &rgb)),
        written(|out| write_turned(PngEncoder::new(out), &rgba)),
        written(|out| write_turned(WebPEncoder::new_lossless(out), &rgba)),
    ];
    let others: [&[u8]; 8] = [
        include_bytes!("seeds/progressive.jpg"),
        include_bytes!("seeds/restarts.jpg"),
        include_bytes!("seeds/cmyk.jpg"),
        include_bytes!("seeds/interlaced.png"),
        include_bytes!("seeds/palette.png"),
        include_bytes!("seeds/lossy.webp"),
        include_bytes!("seeds/lossy-alpha.webp"),
        include_bytes!("seeds/animated.webp"),
    ];
    files.extend(others.map(<[u8]>::to_vec));
    files
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    written(|out| picture.write_to(&mut Cursor::new(out), format).expect("a small picture can be encoded"))
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

/// With an EXIF block that asks for a quarter turn.
fn write_turned(mut encoder: impl ImageEncoder, picture: &DynamicImage) {
    // Lowest byte first; one entry, at byte 8: orientation (0x112), one number of 16 bits, 6.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    encoder.set_exif_metadata(exif.to_vec()).expect("the format holds EXIF");
    picture.write_with_encoder(encoder).expect("a small picture can be encoded");
}

/// Writes the right checksum behind each chunk of a PNG.
fn repair_png(bytes: &mut [u8]) {
    const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
    if !bytes.starts_with(SIGNATURE) {
        return;
    }
    let mut rest = &mut bytes[SIGNATURE.len()..];
    while let Some(length) = rest.first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if rest.len() < 4 + 4 + length + 4 {
            return;
        }
        let (chunk, after) = rest.split_at_mut(4 + 4 + length);
        let (checksum, after) = after.split_at_mut(4);
        let mut crc = Crc::new();
        crc.update(&chunk[4..]);
        checksum.copy_from_slice(&crc.sum().to_be_bytes());
        rest = after;
    }
}

/// A picture with detail everywhere.
fn noise(width: usize, height: usize) -> RgbImage {
    let pixels = (0..3 * width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    RgbImage::new(width, height, pixels).expect("three bytes for each pixel")
}
