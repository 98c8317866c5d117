//! `lookalike crop`: photos to a file of faces.

use std::path::PathBuf;

use clap::Args;
use lookalike::Result;
use lookalike::data::Dataset;
use lookalike::data::crops::CropReport;
use lookalike::data::duplicates::{by_group, conflicts};
use lookalike::data::people::{Person, find_people};
use lookalike::formats::atomic::check_writable;
use serde_json::{Map, Value, json};

use super::device::AdapterArguments;
use super::display::{self, note, say, shortened};
use super::faces::{self, CropArguments, list_skipped};

/// Cut the faces out of photos, into one file
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike crop photos -o faces.npz")]
pub struct Arguments {
    /// Folder with one sub-folder per person
    photos: PathBuf,
    /// File of faces to write
    #[arg(short, long, value_name = "FILE.npz")]
    output: PathBuf,
    #[command(flatten)]
    crop: CropArguments,
    #[command(flatten)]
    adapter: AdapterArguments,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Print lines instead of a progress bar
    #[arg(long)]
    plain: bool,
}

/// Cuts, writes, reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.adapter.open(arguments.json)?;
    check_writable(&arguments.output)?;
    let people = find_people(&arguments.photos, 2)?;
    let detector = arguments.crop.detector.open(&device)?;
    let report = faces::crop(&people, &*detector, &arguments.crop.options(), arguments.plain)?;
    list_skipped(&report.skipped);
    for photo in &report.whole {
        note(format_args!("used whole, no face found: {}", photo.display()));
    }
    for group in conflicts(&report.dataset) {
        let sources: Vec<&str> = group.iter().map(|&photo| report.dataset.sources[photo].as_str()).collect();
        note(format_args!("the same photo under several names, most likely: {}", sources.join(", ")));
    }
    report.dataset.save(&arguments.output)?;
    if arguments.json {
        return display::json(&document(arguments, &people, &report));
    }
    print(arguments, &people, &report);
    Ok(())
}

/// Photos and faces of each person.
fn counts<'a>(people: &'a [Person], dataset: &Dataset) -> Vec<(&'a str, usize, usize)> {
    let faces = |name: &str| dataset.labels.iter().filter(|&&label| dataset.names[label] == name).count();
    people.iter().map(|person| (person.name.as_str(), person.photos.len(), faces(&person.name))).collect()
}

fn document(arguments: &Arguments, people: &[Person], report: &CropReport) -> Value {
    let CropReport { dataset, skipped, whole } = report;
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
        "skipped": faces::skipped_json(skipped),
        "whole": whole.iter().map(|photo| photo.display().to_string()).collect::<Vec<_>>(),
        "conflicts": conflicts(dataset).iter().map(sources).collect::<Vec<_>>(),
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
