//! `lookalike evaluate`: a model on photos whose people are known.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use lookalike::data::crops::{Aids, CropOptions, CropReport, Skipped};
use lookalike::data::people::{Person, find_people};
use lookalike::data::{Dataset, with_masks};
use lookalike::detect::{DetectorChoice, MtcnnOptions};
use lookalike::models::{ModelFile, Predictor};
use lookalike::report::Report;
use lookalike::tensor::Precision;
use lookalike::{Device, Error, Result};
use serde_json::{Value, json};

use super::cut::{self, Faces, PixelLimit, list_skipped};
use super::device::RunArguments;
use super::display::{self, counted, note, say, shortened};
use super::open_set::OpenSet;
use super::precision::Floats;
use super::report::{check_folder, listed, report_on, tried, write_report};
use super::scores::{Answer, Scores, classify, groups_line};

/// Score a model on photos of people it knows
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike evaluate model.safetensors photos-kept-back")]
pub struct Arguments {
    /// Model file that `lookalike train` wrote
    model: PathBuf,
    /// Folder with one sub-folder per person, or a file that `lookalike crop` wrote
    photos: PathBuf,
    /// Photos of people the model does not know, as another such folder or file: how many of them it takes for somebody, and
    /// what other thresholds would give
    #[arg(long, value_name = "PHOTOS")]
    strangers: Option<PathBuf>,
    /// Floats in which a GPU keeps pictures and weights within the network: f16 moves half the bytes, sums stay 32 bits wide,
    /// and VGG16's features change by about 0.2 %. The CPU, and a GPU without 16-bit floats, keep f32
    #[arg(long, value_enum, default_value_t)]
    precision: Floats,
    /// Folder for a report: report.html, one page that any browser opens, and its pictures
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
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
    bare: Group,
    /// The bare faces once more, each with a drawn mask.
    synthetic_mask: Group,
    real_mask: Group,
    /// Bare faces on which none can be drawn, as it is not known where their eyes are.
    not_drawn: usize,
}

/// The answers to faces that wear the same.
struct Group {
    scores: Scores,
    /// How many are taken for strangers'. The scores are of whom they are nearest to.
    unknown: usize,
}

impl Group {
    fn new(names: &[String], answers: &[Answer]) -> Group {
        let unknown = answers.iter().filter(|answer| answer.stranger).count();
        Group { scores: Scores::new(names, answers), unknown }
    }

    /// Null if there are none.
    fn json(&self) -> Value {
        let mut group = self.scores.group_json();
        if let Some(entries) = group.as_object_mut() {
            entries.insert("unknown".into(), json!(self.unknown));
        }
        group
    }
}

/// Evaluates and reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let device = arguments.run.open(arguments.json)?;
    arguments.report.as_deref().map(check_folder).transpose()?;
    let file = ModelFile::open(&arguments.model)?;
    let precision = arguments.precision.on(&device);
    let Arguments { photos, limit, plain, .. } = arguments;
    let judge = file.judgement.strangers.clone();
    let mut unknown = None;
    if let Some(path) = &arguments.strangers {
        let Some(judge) = &judge else {
            return Err(Error::Input(
                "the model takes everybody for one of its people; train it with --strangers RATE, or --model sface".into(),
            ));
        };
        let faces = faces_of_strangers(&device, &file, path, limit.max_pixels, *plain)?;
        list_skipped(&faces.skipped);
        unknown = Some((judge, faces.dataset));
    }
    let evaluation = Evaluation::new(&device, file.clone(), precision, photos, limit.max_pixels, *plain)?;
    list_skipped(&evaluation.faces.skipped);
    let open_set = match &unknown {
        Some((judge, dataset)) => {
            let mut predictor = Predictor::in_precision(&device, file.clone(), precision)?;
            // Whose they are does not matter.
            let pictures: Vec<_> = (0..dataset.len()).map(|picture| (picture, 0)).collect();
            let answers = classify(&mut predictor, dataset, &pictures, *plain)?;
            let distances =
                |answers: &[Answer]| answers.iter().filter_map(|answer| answer.distance).collect();
            let (known, strangers) = (distances(&evaluation.answers), distances(&answers));
            Some((*judge, OpenSet { known, strangers }))
        }
        None => None,
    };
    if arguments.json {
        let mut document = evaluation.document();
        let told = open_set.as_ref();
        document["open_set"] = told.map_or(Value::Null, |(judge, open_set)| open_set.json(judge));
        display::json(&document)?;
    } else {
        evaluation.print();
        if let Some((judge, open_set)) = &open_set {
            open_set.print(judge);
        }
    }
    if let Some(folder) = &arguments.report {
        let mut report = report_on(&file, &arguments.model, &device, start)?;
        report.subtitle = format!("Tried on the faces of {}.", photos.display());
        evaluation.add_to(&mut report, &file, &device)?;
        if let (Some(tried), Some((judge, open_set))) = (&mut report.tried, open_set) {
            tried.notes.extend(open_set.lines(judge));
            tried.strangers = Some(open_set.distances(judge));
        }
        let page = write_report(&report, folder)?;
        let line = format!("\nreport: {}", page.display());
        if arguments.json { note(line) } else { say(line) }
    }
    Ok(())
}

/// The faces at `path` of people whom the model does not know.
fn faces_of_strangers(
    device: &Device,
    file: &ModelFile,
    path: &Path,
    max_pixels: u64,
    plain: bool,
) -> Result<Faces> {
    let mut faces = match cut::is_file_of_faces(path) {
        true => Faces { dataset: sized(load(path)?, file, path)?, skipped: vec![] },
        false => cut_people(device, &find_people(path, 1)?, file, max_pixels, plain)?,
    };
    let known = |&picture: &usize| {
        let name = &faces.dataset.names[faces.dataset.labels[picture]];
        file.labels.contains(name)
    };
    let (known, unknown): (Vec<usize>, Vec<usize>) = (0..faces.dataset.len()).partition(known);
    for picture in known {
        let photo = PathBuf::from(&faces.dataset.sources[picture]);
        faces.skipped.push(Skipped { photo, reason: "shows somebody whom the model knows".into() });
    }
    if unknown.is_empty() {
        return Err(Error::Input(format!(
            "{}: shows nobody but people whom the model knows",
            path.display()
        )));
    }
    faces.dataset = faces.dataset.only(&unknown);
    Ok(faces)
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
        let faces = match cut::is_file_of_faces(path) {
            true => known_faces(load(path)?, &file, path)?,
            false => cut_faces(device, path, &file, max_pixels, plain)?,
        };
        let dataset = &faces.dataset;
        let truth = |name: &String| file.labels.iter().position(|label| label == name);
        let truths: Vec<Option<usize>> = dataset.names.iter().map(truth).collect();
        let of_known = |(picture, &label): (usize, &usize)| truths[label].map(|truth| (picture, truth));
        let pictures: Vec<_> = dataset.labels.iter().enumerate().filter_map(of_known).collect();
        let names = file.labels.clone();
        let mut predictor = Predictor::in_precision(device, file, precision)?;
        let answers = classify(&mut predictor, dataset, &pictures, plain)?;
        let scores = Scores::new(&names, &answers);
        let (masked, bare): (Vec<Answer>, Vec<Answer>) =
            answers.iter().cloned().partition(|answer| dataset.masked[answer.picture]);
        let to_draw_on: Vec<&Answer> =
            bare.iter().filter(|answer| dataset.knows_face(answer.picture)).collect();
        let places: Vec<usize> = to_draw_on.iter().map(|answer| answer.picture).collect();
        // A picture always gets the same mask, whatever else the file or folder holds.
        let drawn = with_masks(dataset, &places, 0, device)?;
        let shown: Vec<_> = to_draw_on.iter().map(|answer| answer.truth).enumerate().collect();
        let drawn = classify(&mut predictor, &drawn, &shown, plain)?;
        let groups = Groups {
            bare: Group::new(&names, &bare),
            synthetic_mask: Group::new(&names, &drawn),
            real_mask: Group::new(&names, &masked),
            not_drawn: bare.len() - drawn.len(),
        };
        Ok(Evaluation { faces, answers, scores, groups })
    }

    /// Faces of known people that the model takes for strangers'.
    fn rejected(&self) -> usize {
        self.answers.iter().filter(|answer| answer.stranger).count()
    }

    fn document(&self) -> Value {
        let mut document = self.scores.json();
        document.extend([
            ("photos".to_string(), json!(self.answers.len())),
            ("faces".to_string(), json!(self.answers.len())),
            ("skipped".to_string(), json!(cut::skipped_json(&self.faces.skipped))),
            ("rejected".to_string(), json!(self.rejected())),
            (
                "groups".to_string(),
                json!({
                    "bare": self.groups.bare.json(),
                    "synthetic_mask": self.groups.synthetic_mask.json(),
                    "real_mask": self.groups.real_mask.json(),
                }),
            ),
        ]);
        Value::Object(document)
    }

    fn print(&self) {
        self.scores.print("accuracy");
        say(groups_line(&self.faces.dataset, self.pictures()));
        say("");
        self.lines().iter().for_each(say);
        let skipped = self.faces.skipped.len();
        if skipped > 0 {
            say(format_args!("\nnot counted, as they could not be used: {}", counted(skipped, "photo")));
        }
    }

    /// The places of the pictures that were answered.
    fn pictures(&self) -> impl Iterator<Item = usize> {
        self.answers.iter().map(|answer| answer.picture)
    }

    /// What is to be said of faces by what they wear, and of those that are taken for strangers'.
    fn lines(&self) -> Vec<String> {
        let Groups { bare, synthetic_mask, real_mask, not_drawn } = &self.groups;
        let mut lines = Vec::new();
        let groups =
            [("bare faces", bare), ("the same, masks drawn on", synthetic_mask), ("real masks", real_mask)];
        for (what, Group { scores, unknown }) in groups {
            if scores.confusion.total() > 0 {
                let unknown = match unknown {
                    0 => String::new(),
                    unknown => format!(", {unknown} of them answered with 'unknown' and the nearest person"),
                };
                lines.push(format!("{what:<24}  {}{unknown}", scores.accuracy_line()));
            }
        }
        if *not_drawn > 0 {
            let faces = counted(*not_drawn, "face");
            lines.push(format!("no mask is drawn on {faces} whose eyes, nose and mouth were not found"));
        }
        lines
    }

    /// Puts the answers into a report.
    pub fn add_to(&self, report: &mut Report, file: &ModelFile, device: &Device) -> Result<()> {
        let Evaluation { faces, answers, .. } = self;
        let truths = answers.iter().map(|answer| answer.truth).collect();
        let rows = answers.iter().map(|answer| answer.probabilities.clone()).collect();
        let mut tried = tried(file, device, truths, rows, &|at| (&faces.dataset, answers[at].picture))?;
        tried.unknown = answers.iter().map(|answer| answer.stranger).collect();
        tried.notes = vec![groups_line(&faces.dataset, self.pictures())];
        tried.notes.extend(self.lines());
        tried.skipped = listed(&faces.skipped);
        report.facts.push(("faces tried".into(), answers.len().to_string()));
        report.tried = Some(tried);
        Ok(())
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
    let mut faces = cut_people(device, &known, file, max_pixels, plain)?;
    for person in &strangers {
        faces.skipped.extend(person.photos.iter().map(|photo| stranger(photo, &person.name)));
    }
    Ok(faces)
}

/// Cuts out the faces of these people, as the model was trained to see them.
fn cut_people(
    device: &Device,
    people: &[Person],
    file: &ModelFile,
    max_pixels: u64,
    plain: bool,
) -> Result<Faces> {
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
    let CropReport { dataset, skipped, aside, .. } =
        cut::crop(people, &*detector, &options, Aids::default(), plain)?;
    if let Some(line) = cut::several_faces(&aside) {
        note(line);
    }
    Ok(Faces { dataset, skipped })
}

/// The photos of a file of faces, without changed copies: these would count a photo several times.
fn load(path: &Path) -> Result<Dataset> {
    let dataset = Dataset::load(path, 1)?;
    let copies = dataset.copies();
    if copies.is_empty() {
        return Ok(dataset);
    }
    note(format_args!("changed copies of photos are not counted: {}", copies.len()));
    let photos: Vec<usize> = (0..dataset.len()).filter(|picture| !copies.contains(picture)).collect();
    Ok(dataset.only(&photos))
}

/// The faces of a file, with those of strangers listed as skipped.
fn known_faces(dataset: Dataset, file: &ModelFile, path: &Path) -> Result<Faces> {
    let dataset = sized(dataset, file, path)?;
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

/// The dataset, if its pictures have the size that the model takes.
fn sized(dataset: Dataset, file: &ModelFile, path: &Path) -> Result<Dataset> {
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
    Ok(dataset)
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
