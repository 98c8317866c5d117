//! `lookalike predict`: who is on these photos.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use lookalike::models::ModelFile;
use lookalike::recognize::{Recognition, Recognizer};
use lookalike::vision::{RgbImage, decode, draw_face, encode_jpeg, encode_png};
use lookalike::{Error, Result};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::cut::PixelLimit;
use super::device::RunArguments;
use super::display::{self, Progress, note, percent, say, shortened};
use super::faces::count;
use super::output;
use super::precision::Floats;

/// Name the people on photos
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike predict model.safetensors party.jpg holiday/*.jpg -o named")]
pub struct Arguments {
    /// Model file that `lookalike train` wrote
    model: PathBuf,
    /// Photos: JPEG, PNG or WebP
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Folder to write copies of the photos to, with a red box and a name on each face
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Floats in which a GPU keeps pictures and weights within the network: f16 moves half the bytes, sums stay 32 bits wide,
    /// and VGG16's features change by about 0.2 %. The CPU, and a GPU without 16-bit floats, keep f32
    #[arg(long, value_enum, default_value_t)]
    precision: Floats,
    #[command(flatten)]
    limit: PixelLimit,
    #[command(flatten)]
    run: RunArguments,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Print lines instead of a progress bar
    #[arg(long)]
    plain: bool,
}

/// The people on each photo, or why it could not be used.
type Answers = Vec<std::result::Result<Vec<Recognition>, Error>>;

/// Finds, names, draws, reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.run.open(arguments.json)?;
    let file = ModelFile::open(&arguments.model)?;
    let recognizer = Recognizer::in_precision(&device, file, arguments.precision.on(&device))?;
    if let Some(folder) = &arguments.output {
        output::make_folder(folder)?;
    }
    let answers = recognize(&recognizer, arguments)?;
    if let Some(folder) = &arguments.output {
        draw(arguments, folder, &answers)?;
    }
    if arguments.json {
        let entries = arguments.photos.iter().zip(&answers).map(|(photo, answer)| entry(photo, answer));
        display::json(&entries.collect())?;
    } else {
        arguments.photos.iter().zip(&answers).for_each(|(photo, answer)| print(photo, answer));
    }
    if answers.iter().any(std::result::Result::is_ok) {
        return Ok(());
    }
    Err(Error::Input(format!(
        "none of {} photos could be used; give JPEG, PNG or WebP files",
        arguments.photos.len()
    )))
}

/// Names the faces of all photos, and shows how many are begun.
fn recognize(recognizer: &Recognizer, arguments: &Arguments) -> Result<Answers> {
    let progress = Progress::new("finding faces", "photos", arguments.plain);
    let begun = AtomicUsize::new(0);
    recognizer.recognize_batch(&arguments.photos, |photo| {
        progress.report(begun.fetch_add(1, Ordering::Relaxed) + 1, arguments.photos.len());
        decode(photo, arguments.limit.max_pixels)
    })
}

/// Writes a copy of each photo on which somebody was found.
fn draw(arguments: &Arguments, folder: &Path, answers: &Answers) -> Result<()> {
    let copies = output::copy_names(&arguments.photos, folder);
    let jobs: Vec<_> = arguments.photos.iter().zip(&copies).zip(answers).collect();
    jobs.into_par_iter().try_for_each(|((photo, copy), answer)| match answer {
        Ok(people) if !people.is_empty() => {
            let mut image = decode(photo, arguments.limit.max_pixels)?;
            annotate(&mut image, people);
            let is_jpeg = copy.extension().is_some_and(|ending| ending == "jpg");
            output::write(copy, &if is_jpeg { encode_jpeg(&image)? } else { encode_png(&image)? })
        }
        _ => Ok(()),
    })
}

/// Draws a red box with name and confidence around each face.
pub fn annotate(image: &mut RgbImage, people: &[Recognition]) {
    for person in people {
        let label = format!("{} {:.0} %", named(person), 100.0 * person.confidence);
        draw_face(image, person.rect, Some(&label));
    }
}

/// The person's name, or that it is nobody, with the nearest person in brackets.
fn named(person: &Recognition) -> String {
    person.name.clone().unwrap_or_else(|| format!("unknown ({})", person.nearest))
}

/// A face as JSON.
pub fn face_json(face: &Recognition) -> Value {
    let lookalike::vision::Rect { x, y, width, height } = face.rect;
    let confidences: Map<String, Value> =
        face.confidences.iter().map(|(name, share)| (name.clone(), json!(share))).collect();
    json!({
        "box": [x, y, width, height],
        "score": face.score,
        "name": face.name,
        "nearest": face.nearest,
        "distance": face.distance,
        "confidence": face.confidence,
        "confidences": confidences,
    })
}

fn entry(photo: &Path, answer: &Result<Vec<Recognition>>) -> Value {
    let (error, faces): (Option<String>, Vec<Value>) = match answer {
        Ok(people) => (None, people.iter().map(face_json).collect()),
        Err(error) => (Some(error.to_string()), vec![]),
    };
    json!({"photo": photo.display().to_string(), "error": error, "faces": faces})
}

fn print(photo: &Path, answer: &Result<Vec<Recognition>>) {
    let people = match answer {
        Ok(people) => people,
        Err(error) => return note(error),
    };
    let count = count(people.len());
    say(format_args!("{}: {count}", photo.display()));
    for person in people {
        let lookalike::vision::Rect { x, y, width, height } = person.rect;
        say(format_args!(
            "  {}  {:.0} %  at ({x:.0}, {y:.0}), {width:.0} × {height:.0} pixels",
            named(person),
            100.0 * person.confidence,
        ));
        let mut confidences: Vec<&(String, f32)> = person.confidences.iter().collect();
        confidences.sort_by(|a, b| b.1.total_cmp(&a.1));
        let width = confidences.iter().map(|(name, _)| shortened(name).chars().count()).max().unwrap_or(0);
        for (name, share) in confidences {
            say(format_args!("    {:<width$}  {:>7}", shortened(name), percent(f64::from(*share))));
        }
    }
}
