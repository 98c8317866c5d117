//! `lookalike crop`: photos to a file of faces.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use lookalike::data::crops::{Aids, CropOptions, CropReport};
use lookalike::data::duplicates::{by_group, conflicts};
use lookalike::data::people::{Person, find_people};
use lookalike::data::{Aside, Dataset, Embed, FaceCrop, Review, Why, remove_journal, write_sheets};
use lookalike::detect::{CropStyle, landmarks_in_crop, place_face};
use lookalike::formats::atomic::check_writable;
use lookalike::models::{ModelFile, Predictor};
use lookalike::vision::RgbImage;
use lookalike::{Device, Error, Result};
use serde_json::{Map, Value, json};

use super::cut::{self, CropArguments, list_skipped};
use super::device::RunArguments;
use super::display::{self, note, say, shortened};

/// Cut the faces out of photos, into one file
///
/// A run that was interrupted goes on where it was: until the file is written, finished photos are kept in the folder
/// FILE.npz.progress.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike crop photos -o faces.npz --review review")]
pub struct Arguments {
    /// Folder with one sub-folder per person
    photos: PathBuf,
    /// File of faces to write
    #[arg(short, long, value_name = "FILE.npz")]
    output: PathBuf,
    #[command(flatten)]
    crop: CropArguments,
    /// Folder that shows which face of a photo with several was used; move a crop there and run again to overrule
    #[arg(long, value_name = "FOLDER")]
    review: Option<PathBuf>,
    /// Trained model that tells which of several faces is most like the person's other photos; without it the
    /// largest is used
    #[arg(long, value_name = "FILE.safetensors")]
    model: Option<PathBuf>,
    #[command(flatten)]
    run: RunArguments,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Print lines instead of a progress bar
    #[arg(long)]
    plain: bool,
}

/// Where the finished photos of an unfinished run lie in the review folder: hidden, as no person's folder is.
const FINISHED: &str = ".progress";

/// Cuts, writes, reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { photos, output, .. } = arguments;
    let device = arguments.run.open(arguments.json)?;
    let embed = arguments.model.as_ref().map(|model| embedding(model, &device, arguments)).transpose()?;
    check_writable(output)?;
    let people = find_people(photos, 2)?;
    let review = arguments.review.as_deref().map(|folder| open_review(folder, photos)).transpose()?;
    let journal = match &arguments.review {
        Some(folder) => folder.join(FINISHED),
        None => with_ending(output, ".progress"),
    };
    let aids = Aids { journal: Some(&journal), review: review.as_ref(), embed, ..Aids::default() };
    let detector = arguments.crop.detector.open(&device)?;
    let report = cut::crop(&people, &*detector, &arguments.crop.options(), aids, arguments.plain)
        .inspect_err(|_| kept(&journal))?;
    if report.resumed > 0 {
        note(format_args!("{} photos were finished before", report.resumed));
    }
    list_skipped(&report.skipped);
    for photo in &report.whole {
        note(format_args!("used whole, no face found: {}", photo.display()));
    }
    for group in conflicts(&report.dataset) {
        let sources: Vec<&str> = group.iter().map(|&photo| report.dataset.sources[photo].as_str()).collect();
        note(format_args!("the same photo under several names, most likely: {}", sources.join(", ")));
    }
    report.dataset.save(output)?;
    let sheets = match &review {
        Some(review) => review.write(&report.aside, report.dataset.size, &report.settings)?,
        None => {
            remove_journal(&journal)?;
            write_sheets(&report.aside, report.dataset.size, &output.with_file_name(sheet_name(output)))?
        }
    };
    if arguments.json {
        return display::json(&document(arguments, &people, &report, &sheets));
    }
    print(arguments, &people, &report);
    tell_aside(arguments, &report.aside, &sheets);
    Ok(())
}

/// The features of a trained model, of crops as this run cuts them.
fn embedding(path: &Path, device: &Device, arguments: &Arguments) -> Result<Box<Embed<'static>>> {
    let file = ModelFile::open(path)?;
    let (taken, cut) = (file.preprocessing.size, arguments.crop.options().size);
    if taken != cut {
        return Err(Error::format(
            path,
            format!(
                "takes crops of {taken} × {taken} pixels, crop cuts {cut} × {cut}; give a model trained on those"
            ),
        ));
    }
    let mut predictor = Predictor::new(device, file)?;
    let how = predictor.file().preprocessing.clone();
    let CropOptions { size, margin, align, .. } = arguments.crop.options();
    let style = CropStyle { size, margin, align };
    let picture = move |crop: &&FaceCrop| {
        let Some(placement) = how.placed else { return crop.pixels.clone() };
        let landmarks = landmarks_in_crop(&crop.face, style);
        let crop = RgbImage::new(taken, taken, crop.pixels.clone()).expect("crops are square");
        place_face(&crop, landmarks.as_ref(), how.margin, placement).into_pixels()
    };
    Ok(Box::new(move |crops| {
        let pictures: Vec<Vec<u8>> = crops.iter().map(&picture).collect();
        predictor.features(&pictures.concat())
    }))
}

/// Opens the review folder, which has to lie elsewhere than the photos: its own pictures would be taken for some.
fn open_review(folder: &Path, photos: &Path) -> Result<Review> {
    let real = |path: &Path| {
        let existing = path.ancestors().find_map(|ancestor| fs::canonicalize(ancestor).ok());
        existing.unwrap_or_default()
    };
    let (here, photos) = (std::path::absolute(folder).unwrap_or_default(), real(photos));
    if real(&here).starts_with(&photos) {
        return Err(Error::Input(format!(
            "{}: lies in the folder of photos; choose a review folder beside it",
            folder.display()
        )));
    }
    let review = Review::open(folder)?;
    review.problems().iter().for_each(note);
    Ok(review)
}

/// Says where a run that failed has left what it finished.
fn kept(journal: &Path) {
    if journal.is_dir() {
        note(format_args!(
            "finished photos are kept in {}; the next run goes on from there",
            journal.display()
        ));
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The contact sheet beside the result.
fn sheet_name(output: &Path) -> OsString {
    let mut name = output.file_stem().unwrap_or_default().to_owned();
    name.push("-aside.png");
    name
}

/// Says which photos show several faces, and where they are seen.
fn tell_aside(arguments: &Arguments, aside: &[Aside], sheets: &[PathBuf]) {
    let (Some(line), Some(sheet)) = (cut::several_faces(aside), sheets.first()) else { return };
    let more = if sheets.len() > 1 { format!(" and {} more", sheets.len() - 1) } else { String::new() };
    let how = match &arguments.review {
        Some(folder) => format!(
            "to overrule, move crops in {} between 'used' and 'aside' and run again",
            folder.display()
        ),
        None => "--review FOLDER lets you overrule".to_owned(),
    };
    say(format_args!("{line}; see {}{more}; {how}", sheet.display()));
}

/// Photos and faces of each person.
fn counts<'a>(people: &'a [Person], dataset: &Dataset) -> Vec<(&'a str, usize, usize)> {
    let faces = |name: &str| dataset.labels.iter().filter(|&&label| dataset.names[label] == name).count();
    people.iter().map(|person| (person.name.as_str(), person.photos.len(), faces(&person.name))).collect()
}

fn document(arguments: &Arguments, people: &[Person], report: &CropReport, sheets: &[PathBuf]) -> Value {
    let CropReport { dataset, skipped, whole, aside, resumed, .. } = report;
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let per_person: Map<String, Value> = counts(people, dataset)
        .into_iter()
        .map(|(name, photos, faces)| (name.to_string(), json!({"photos": photos, "faces": faces})))
        .collect();
    let sources = |group: &Vec<usize>| group.iter().map(|&i| dataset.sources[i].clone()).collect::<Vec<_>>();
    json!({
        "output": arguments.output.display().to_string(),
        "size": dataset.size,
        "photos": people.iter().map(|person| person.photos.len()).sum::<usize>(),
        "faces": dataset.len(),
        "per_person": per_person,
        "groups": by_group(dataset).len(),
        "skipped": cut::skipped_json(skipped),
        "whole": paths(whole),
        "aside": aside.iter().map(aside_json).collect::<Vec<_>>(),
        "sheets": paths(sheets),
        "resumed": resumed,
        "conflicts": conflicts(dataset).iter().map(sources).collect::<Vec<_>>(),
    })
}

/// A photo that shows several faces; they are numbered from 1, the largest.
fn aside_json(aside: &Aside) -> Value {
    let face = |face: usize| {
        let lookalike::vision::Rect { x, y, width, height } = aside.faces[face].face.rect;
        json!({"face": face + 1, "box": [x, y, width, height]})
    };
    let why = match aside.why {
        Why::Largest => "largest",
        Why::MostAlike => "most alike",
        Why::Chosen => "chosen",
    };
    json!({
        "photo": aside.photo.display().to_string(),
        "found": aside.found,
        "used": aside.used.map(face),
        "set_aside": aside.set_aside().map(face).collect::<Vec<_>>(),
        "why": why,
    })
}

fn print(arguments: &Arguments, people: &[Person], report: &CropReport) {
    let rows = counts(people, &report.dataset);
    let width = rows.iter().map(|(name, ..)| shortened(name).chars().count()).max().unwrap_or(0).max(6);
    say(format_args!("{:<width$}  photos   faces", "person"));
    for (name, photos, faces) in &rows {
        say(format_args!("{:<width$}  {photos:>6}  {faces:>6}", shortened(name)));
    }
    let photos: usize = rows.iter().map(|(_, photos, _)| photos).sum();
    let dataset = &report.dataset;
    say(format_args!("{:<width$}  {photos:>6}  {:>6}", "all", dataset.len()));
    say(format_args!(
        "{}: {} faces of {size} × {size} pixels, {} of them whole pictures, in {} groups of equal or nearly equal photos",
        arguments.output.display(),
        dataset.len(),
        report.whole.len(),
        by_group(dataset).len(),
        size = dataset.size,
    ));
}
