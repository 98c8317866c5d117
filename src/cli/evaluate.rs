//! `lookalike evaluate`: a model on photos whose people are known.

use std::path::{Path, PathBuf};

use clap::Args;
use lookalike::data::crops::{Aids, CropOptions, CropReport, Skipped};
use lookalike::data::people::{Person, find_people};
use lookalike::data::{Dataset, Masks};
use lookalike::detect::{DetectorChoice, MtcnnOptions};
use lookalike::models::{ModelFile, Predictor};
use lookalike::tensor::Precision;
use lookalike::{Device, Error, Result};
use serde_json::{Value, json};

use super::cut::{self, Faces, PixelLimit, list_skipped};
use super::device::RunArguments;
use super::display::{self, note, say, shortened};
use super::precision::Floats;
use super::scores::{Answer, Scores, classify, classify_with_masks};

/// Score a model on photos of people it knows
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike evaluate model.safetensors photos-kept-back")]
pub struct Arguments {
    /// Model file that `lookalike train` wrote
    model: PathBuf,
    /// Folder with one sub-folder per person, or a file that `lookalike crop` wrote
    photos: PathBuf,
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

/// A model's answers to faces whose people are known.
pub struct Evaluation {
    /// The faces of people the model knows.
    pub faces: Faces,
    /// An answer for each face.
    pub answers: Vec<Answer>,
    /// What they are worth.
    pub scores: Scores,
    groups: Groups,
}

/// The answers by what the faces wear.
struct Groups {
    bare: Scores,
    /// The bare faces once more, each with a drawn mask.
    synthetic_mask: Scores,
    real_mask: Scores,
    /// Bare faces on which none can be drawn, as it is not known where their eyes are.
    not_drawn: usize,
}

/// Evaluates and reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.run.open(arguments.json)?;
    let file = ModelFile::open(&arguments.model)?;
    let precision = arguments.precision.on(&device);
    let Arguments { photos, limit, plain, .. } = arguments;
    let evaluation = Evaluation::new(&device, file, precision, photos, limit.max_pixels, *plain)?;
    list_skipped(&evaluation.faces.skipped);
    if arguments.json {
        return display::json(&evaluation.document());
    }
    evaluation.print();
    Ok(())
}

impl Evaluation {
    /// Shows the model the faces at `path`, a folder of people or a file of faces.
    pub fn new(
        device: &Device,
        file: ModelFile,
        precision: Precision,
        path: &Path,
        max_pixels: u64,
        plain: bool,
    ) -> Result<Evaluation> {
        let (faces, masks) = if cut::is_file_of_faces(path) {
            (known_faces(Dataset::load(path, 1)?, &file, path)?, Masks::default())
        } else {
            (cut_faces(device, path, &file, max_pixels, plain)?, Masks::read(path)?)
        };
        let dataset = &faces.dataset;
        let truth = |name: &String| file.labels.iter().position(|label| label == name);
        let truths: Vec<Option<usize>> = dataset.names.iter().map(truth).collect();
        let of_known = |(picture, &label): (usize, &usize)| truths[label].map(|truth| (picture, truth));
        let pictures: Vec<_> = dataset.labels.iter().enumerate().filter_map(of_known).collect();
        let names = file.labels.clone();
        let mut predictor = Predictor::in_precision(device, file, precision)?;
        let answers = match predictor.file().preprocessing.placed {
            true => classify(&mut predictor, &dataset.placed(), &pictures, plain)?,
            false => classify(&mut predictor, dataset, &pictures, plain)?,
        };
        let scores = Scores::new(&names, &answers);
        let is_masked = |picture: usize| masks.is_masked(&dataset.sources[picture]);
        let (masked, bare): (Vec<Answer>, Vec<Answer>) =
            answers.iter().partition(|answer| is_masked(answer.picture));
        let to_draw_on: Vec<_> = bare
            .iter()
            .filter(|answer| dataset.knows_face(answer.picture))
            .map(|answer| (answer.picture, answer.truth))
            .collect();
        let drawn = classify_with_masks(&mut predictor, dataset, &to_draw_on, device)?;
        let groups = Groups {
            bare: Scores::new(&names, &bare),
            synthetic_mask: Scores::new(&names, &drawn),
            real_mask: Scores::new(&names, &masked),
            not_drawn: bare.len() - drawn.len(),
        };
        Ok(Evaluation { faces, answers, scores, groups })
    }

    fn document(&self) -> Value {
        let mut document = self.scores.json();
        document.extend([
            ("photos".to_string(), json!(self.answers.len())),
            ("faces".to_string(), json!(self.answers.len())),
            ("skipped".to_string(), json!(cut::skipped_json(&self.faces.skipped))),
            ("rejected".to_string(), json!(0)),
            (
                "groups".to_string(),
                json!({
                    "bare": self.groups.bare.group_json(),
                    "synthetic_mask": self.groups.synthetic_mask.group_json(),
                    "real_mask": self.groups.real_mask.group_json(),
                }),
            ),
        ]);
        Value::Object(document)
    }

    fn print(&self) {
        self.scores.print("accuracy");
        say("");
        let Groups { bare, synthetic_mask, real_mask, not_drawn } = &self.groups;
        for (what, scores) in
            [("bare faces", bare), ("the same, masks drawn on", synthetic_mask), ("real masks", real_mask)]
        {
            if scores.confusion.total() > 0 {
                say(format_args!("{what:<24}  {}", scores.accuracy_line()));
            }
        }
        if *not_drawn > 0 {
            say(format_args!(
                "no mask is drawn on {not_drawn} faces whose eyes, nose and mouth were not found"
            ));
        }
        let skipped = self.faces.skipped.len();
        if skipped > 0 {
            say(format_args!("\n{skipped} photos could not be used and are not counted"));
        }
    }
}

/// Cuts out the faces of the people in the folder whom the model knows, as it was trained to see them.
fn cut_faces(
    device: &Device,
    folder: &Path,
    file: &ModelFile,
    max_pixels: u64,
    plain: bool,
) -> Result<Faces> {
    let people = find_people(folder, 1)?;
    let (known, strangers): (Vec<Person>, Vec<Person>) =
        people.into_iter().partition(|person| file.labels.contains(&person.name));
    if known.iter().all(|person| person.photos.is_empty()) {
        return Err(nobody_known(folder, file));
    }
    let how = &file.preprocessing;
    let detector = how.detector.parse::<DetectorChoice>()?.open(device, &MtcnnOptions::default())?;
    let options = CropOptions {
        size: how.size,
        margin: how.margin,
        align: how.align,
        whole: how.whole,
        max_pixels,
        least_people: 1,
    };
    // The model does not choose between several faces: it would choose those that it knows best.
    let CropReport { dataset, mut skipped, aside, .. } =
        cut::crop(&known, &*detector, &options, Aids::default(), plain)?;
    if let Some(line) = cut::several_faces(&aside) {
        note(line);
    }
    for person in &strangers {
        skipped.extend(person.photos.iter().map(|photo| stranger(photo, &person.name)));
    }
    Ok(Faces { dataset, skipped })
}

/// The faces of a file, with those of strangers listed as skipped.
fn known_faces(dataset: Dataset, file: &ModelFile, path: &Path) -> Result<Faces> {
    let size = file.preprocessing.size;
    if dataset.size != size {
        let found = dataset.size;
        return Err(Error::format(
            path,
            format!(
                "holds pictures of {found} × {found} pixels, the model takes {size} × {size}; give the folder of photos"
            ),
        ));
    }
    let skipped: Vec<Skipped> = dataset
        .labels
        .iter()
        .zip(&dataset.sources)
        .map(|(&label, source)| (&dataset.names[label], source))
        .filter(|(name, _)| !file.labels.contains(name))
        .map(|(name, source)| stranger(Path::new(source), name))
        .collect();
    if skipped.len() == dataset.len() {
        return Err(nobody_known(path, file));
    }
    Ok(Faces { dataset, skipped })
}

fn stranger(photo: &Path, name: &str) -> Skipped {
    let reason = format!("the model does not know '{name}'; train it on photos of this person too");
    Skipped { photo: photo.to_path_buf(), reason }
}

fn nobody_known(path: &Path, file: &ModelFile) -> Error {
    let mut names: Vec<String> = file.labels.iter().take(5).map(|name| shortened(name)).collect();
    if file.labels.len() > names.len() {
        names.push("…".into());
    }
    Error::Input(format!(
        "{}: shows nobody whom the model knows ({}); name the sub-folders as the people were named in training",
        path.display(),
        names.join(", ")
    ))
}
