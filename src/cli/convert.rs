//! `lookalike convert`: a model in the file of another program, and back.

use std::path::{Path, PathBuf};

use clap::Args;
use lookalike::data::crops::CropOptions;
use lookalike::detect::DetectorChoice;
use lookalike::formats::atomic::check_writable;
use lookalike::models::{Given, ModelFile, Preprocessing};
use lookalike::ops::Normalize;
use lookalike::{Error, Result};

use super::cut::CropArguments;
use super::display::say;
use super::network;

/// Turn a model into a file for Keras, NumPy or ONNX, or back
///
/// The endings of the names say what is read and written: .safetensors, .h5, .keras and .npz, and .onnx, which is only
/// written. Keras's files open in keras.models.load_model and predict the same.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lookalike convert model.safetensors model.keras
  lookalike convert from-keras.h5 model.safetensors --labels anna,berta --preprocessing caffe")]
pub struct Arguments {
    /// Model to read
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// File to write
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// The people in the order of the model's outputs, where the file does not say
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    labels: Option<Vec<String>>,
    /// The pixels that the model takes, where the file does not say: caffe (BGR less ImageNet's mean, as VGG16), torch
    /// (ImageNet's mean and deviation), unit (0 to 1)
    #[arg(long, value_name = "NAME", value_parser = network::preprocessing)]
    preprocessing: Option<Normalize>,
}

/// The endings that name a format to write.
const WRITTEN: [&str; 5] = ["safetensors", "h5", "keras", "npz", "onnx"];

/// Converts.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { input, output, labels, preprocessing } = arguments;
    check_ending(output)?;
    check_writable(output)?;
    let given = Given { labels: labels.clone(), preprocessing: preprocessing.map(as_photos_are_cut) };
    let file = ModelFile::open_with(input, &given)?;
    file.save(output)?;
    let parameters: usize = file.model.parameters()?.iter().map(|parameter| parameter.shape.len()).sum();
    say(format_args!(
        "{}: {} layers, {parameters} parameters, {} people",
        output.display(),
        file.model.layers.len(),
        file.labels.len()
    ));
    Ok(())
}

/// With this normalisation, what `lookalike crop` and `train` do by default.
fn as_photos_are_cut(normalize: Normalize) -> Preprocessing {
    let CropOptions { size, margin, align, whole, .. } = CropArguments::default().options();
    let detector = DetectorChoice::default().to_string();
    Preprocessing { size, detector, margin, align, placed: None, whole, normalize }
}

fn check_ending(output: &Path) -> Result<()> {
    let ending = output.extension().unwrap_or_default().to_ascii_lowercase();
    if WRITTEN.iter().any(|known| ending == *known) {
        return Ok(());
    }
    Err(Error::Input(format!(
        "{}: the ending says what to write; give a name that ends in .{}",
        output.display(),
        WRITTEN.join(", .")
    )))
}
