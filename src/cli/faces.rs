//! `lookalike faces`: where the faces are on these photos, by one detector or by both side by side.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use lookalike::detect::{Detector, DetectorChoice, Face};
use lookalike::vision::{Rect, RgbImage, decode, draw_face, draw_points, encode_jpeg, encode_png};
use lookalike::workers;
use lookalike::{Error, Result};
use serde_json::{Value, json};

use super::compare::{Comparison, by_both, side_by_side};
use super::cut::PixelLimit;
use super::detector::DetectorArguments;
use super::device::RunArguments;
use super::display::{self, Progress, note, say};
use super::output;

/// Find the faces on photos
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lookalike faces party.jpg -o boxes\n  lookalike faces holiday/*.jpg --compare"
)]
pub struct Arguments {
    /// Photos: JPEG, PNG or WebP
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// Folder to write copies of the photos to, with a red box around each face [default with --compare:
    /// lookalike-compare]
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Search with mtcnn and with lbp, draw both side by side, and tell how fast each was (in a second search) and where
    /// they disagree
    #[arg(long, conflicts_with = "detector")]
    compare: bool,
    #[command(flatten)]
    detector: DetectorArguments,
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

/// What one detector found on one photo.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name.
    pub detector: &'static str,
    /// The faces, the surest first.
    pub faces: Vec<Face>,
    /// How long it searched.
    pub seconds: f64,
}

/// What each detector found on a photo, or why it could not be used.
type Answer = Result<Vec<Found>>;

/// Finds, draws, reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.run.open(arguments.json)?;
    let options = arguments.detector.options();
    let choices = match arguments.compare {
        true => vec![DetectorChoice::Mtcnn, DetectorChoice::Lbp],
        false => vec![arguments.detector.detector],
    };
    let detectors: Vec<Box<dyn Detector>> =
        choices.into_iter().map(|choice| choice.open(&device, &options)).collect::<Result<_>>()?;
    let folder = arguments.output.clone().or(arguments.compare.then(|| "lookalike-compare".into()));
    if let Some(folder) = &folder {
        output::make_folder(folder)?;
    }
    let answers = search(arguments, &detectors, folder.as_deref())?;
    if arguments.json {
        let entries =
            arguments.photos.iter().zip(&answers).flat_map(|(photo, answer)| entries(photo, answer));
        display::json(&entries.collect())?;
    } else {
        arguments.photos.iter().zip(&answers).for_each(|(photo, answer)| print(photo, answer));
        if arguments.compare {
            say(Comparison::of(answers.iter().flatten().map(Vec::as_slice)));
        }
        if let Some(folder) = &folder {
            say(format_args!("pictures: {}", folder.display()));
        }
    }
    if answers.iter().any(Result::is_ok) {
        return Ok(());
    }
    Err(Error::Input(format!(
        "none of {} photos could be used; give JPEG, PNG or WebP files",
        arguments.photos.len()
    )))
}

/// Searches every photo and writes its copy; several photos at once, unless their times are compared.
fn search(
    arguments: &Arguments,
    detectors: &[Box<dyn Detector>],
    folder: Option<&Path>,
) -> Result<Vec<Answer>> {
    let progress = Progress::new("finding faces", "photos", arguments.plain);
    let copies = folder.map(|folder| output::copy_names(&arguments.photos, folder));
    let (count, done) = (arguments.photos.len(), AtomicUsize::new(0));
    let at_once = if arguments.compare { 1 } else { workers::usual() };
    workers::in_order(count, at_once, |index| {
        let answer = decode(&arguments.photos[index], arguments.limit.max_pixels)
            .and_then(|image| Ok((detect(&image, detectors, arguments.compare)?, image)));
        progress.report(done.fetch_add(1, Ordering::Relaxed) + 1, count);
        let (found, image) = match answer {
            Ok(found) => found,
            Err(error) if error.is_of_device() => return Err(error),
            Err(error) => return Ok(Err(error)),
        };
        if let Some(copies) = &copies {
            write(&copies[index], &drawn(image, &found))?;
        }
        Ok(Ok(found))
    })
}

/// What each detector finds. Where times are `compared`, a first search does what is done only once: plans are made,
/// kernels compiled.
fn detect(image: &RgbImage, detectors: &[Box<dyn Detector>], compared: bool) -> Result<Vec<Found>> {
    let find = |detector: &dyn Detector| {
        if compared {
            detector.detect(image)?;
        }
        let start = Instant::now();
        let faces = detector.detect(image)?;
        Ok(Found { detector: detector.name(), faces, seconds: start.elapsed().as_secs_f64() })
    };
    detectors.iter().map(|detector| find(&**detector)).collect()
}

/// The photo with its faces; one beside the other for several detectors.
fn drawn(image: RgbImage, found: &[Found]) -> RgbImage {
    match found {
        [found] => marked(image, found),
        several => side_by_side(&image, several),
    }
}

/// Draws a red box around each face, with how sure the detector is, and its landmarks.
pub fn marked(mut image: RgbImage, found: &Found) -> RgbImage {
    for Face { rect, score, landmarks } in &found.faces {
        draw_face(&mut image, *rect, Some(&format!("{:.0} %", 100.0 * score)));
        draw_points(&mut image, landmarks.iter().flatten().copied(), rect.width);
    }
    image
}

fn write(copy: &Path, image: &RgbImage) -> Result<()> {
    let is_jpeg = copy.extension().is_some_and(|ending| ending == "jpg");
    output::write(copy, &if is_jpeg { encode_jpeg(image)? } else { encode_png(image)? })
}

/// An entry for each detector; one for a photo that could not be used.
fn entries(photo: &Path, answer: &Answer) -> Vec<Value> {
    let photo = photo.display().to_string();
    let found = match answer {
        Ok(found) => found,
        Err(error) => {
            let error = error.to_string();
            return vec![
                json!({"photo": photo, "error": error, "detector": null, "seconds": null, "faces": []}),
            ];
        }
    };
    let by_both = met(found);
    let entry = |(found, met): (&Found, &Vec<Option<bool>>)| {
        let faces: Vec<Value> =
            found.faces.iter().zip(met).map(|(face, met)| face_json(face, *met)).collect();
        let Found { detector, seconds, .. } = found;
        json!({"photo": photo, "error": null, "detector": detector, "seconds": seconds, "faces": faces})
    };
    found.iter().zip(&by_both).map(entry).collect()
}

/// For each face of each detector, whether the other found it too; nothing where there is no other.
fn met(found: &[Found]) -> Vec<Vec<Option<bool>>> {
    match found {
        [first, second] => {
            by_both(&first.faces, &second.faces).map(|met| met.into_iter().map(Some).collect()).into()
        }
        found => found.iter().map(|found| vec![None; found.faces.len()]).collect(),
    }
}

fn face_json(Face { rect, score, landmarks }: &Face, by_both: Option<bool>) -> Value {
    let Rect { x, y, width, height } = rect;
    let mut face = json!({"box": [x, y, width, height], "score": score, "landmarks": landmarks});
    if let Some(by_both) = by_both {
        face["by_both"] = by_both.into();
    }
    face
}

fn print(photo: &Path, answer: &Answer) {
    let several = match answer {
        Ok(found) => found,
        Err(error) => return note(error),
    };
    for (found, by_both) in several.iter().zip(met(several)) {
        let by = if several.len() > 1 { format!(" by {}", found.detector) } else { String::new() };
        let (faces, milliseconds) = (count(found.faces.len()), 1e3 * found.seconds);
        say(format_args!("{}: {faces}{by}, {milliseconds:.0} ms", photo.display()));
        for (face, by_both) in found.faces.iter().zip(by_both) {
            let alone =
                if by_both == Some(false) { format!("; only {}", found.detector) } else { String::new() };
            say(format_args!("  {}{alone}", line(face)));
        }
    }
}

fn line(Face { rect: Rect { x, y, width, height }, score, landmarks }: &Face) -> String {
    let eyes = landmarks.map_or(String::new(), |[left, right, ..]| {
        format!(", eyes at ({:.0}, {:.0}) and ({:.0}, {:.0})", left[0], left[1], right[0], right[1])
    });
    format!("{:>5.1} %  at ({x:.0}, {y:.0}), {width:.0} × {height:.0} pixels{eyes}", 100.0 * score)
}

/// How many faces, in words.
pub fn count(faces: usize) -> String {
    match faces {
        0 => "no face found".into(),
        1 => "1 face".into(),
        several => format!("{several} faces"),
    }
}
