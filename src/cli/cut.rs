//! From what a command is given, a folder of people or a file of faces, to a dataset.

use std::path::Path;

use clap::Args;
use lookalike::data::crops::{Aids, CropOptions, CropReport, Skipped, crop_people};
use lookalike::data::people::{Person, find_people};
use lookalike::data::{Aside, Dataset, Why};
use lookalike::detect::Detector;
use lookalike::detect::crop::MARGIN;
use lookalike::vision::MAX_PIXELS;
use lookalike::{Device, Result};
use serde_json::{Value, json};

use super::detector::DetectorArguments;
use super::display::{Progress, note};

/// Height and width of a crop in pixels.
const SIZE: usize = 224;

/// How faces are cut out of photos.
#[derive(Args, Debug)]
pub struct CropArguments {
    /// Share of a face's box that is added on each side
    #[arg(long, value_name = "SHARE", default_value_t = MARGIN, value_parser = margin)]
    pub margin: f32,
    /// Turn faces upright by the line of their eyes, if the detector finds eyes (the default)
    #[arg(long, overrides_with = "no_align")]
    align: bool,
    /// Cut faces out as they stand in the photo
    #[arg(long)]
    no_align: bool,
    /// Use tight head shots in which no face is found whole (the default)
    #[arg(long, overrides_with = "no_whole")]
    whole: bool,
    /// Skip photos in which no face is found
    #[arg(long)]
    no_whole: bool,
    #[command(flatten)]
    pub detector: DetectorArguments,
    #[command(flatten)]
    pub limit: PixelLimit,
}

/// The largest photo.
#[derive(Args, Clone, Copy, Debug)]
pub struct PixelLimit {
    /// Skip photos with more pixels than this, before they are decoded
    #[arg(long, value_name = "N", default_value_t = MAX_PIXELS, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pixels: u64,
}

fn margin(text: &str) -> std::result::Result<f32, String> {
    let margin: f32 = text.parse().map_err(|_| "give a number, such as 0.2".to_string())?;
    let fits = (0.0..=2.0).contains(&margin);
    fits.then_some(margin).ok_or_else(|| "give a share from 0 to 2, such as 0.2".into())
}

impl Default for CropArguments {
    fn default() -> CropArguments {
        CropArguments {
            margin: MARGIN,
            align: true,
            no_align: false,
            whole: true,
            no_whole: false,
            detector: DetectorArguments::default(),
            limit: PixelLimit { max_pixels: MAX_PIXELS },
        }
    }
}

impl CropArguments {
    /// Whether faces are turned upright.
    pub fn align(&self) -> bool {
        !self.no_align
    }

    /// Whether tight head shots are used whole.
    pub fn whole(&self) -> bool {
        !self.no_whole
    }

    /// As the library takes them, to learn from the faces.
    pub fn options(&self) -> CropOptions {
        CropOptions {
            size: SIZE,
            margin: self.margin,
            align: self.align(),
            whole: self.whole(),
            max_pixels: self.limit.max_pixels,
            least_people: 2,
        }
    }
}

/// Faces, and what could not be used on the way to them.
#[derive(Debug)]
pub struct Faces {
    /// The faces.
    pub dataset: Dataset,
    /// Photos that were not used.
    pub skipped: Vec<Skipped>,
}

/// The faces to learn from: cut out of the photos of the people in a folder, or as the file holds them.
pub fn to_learn_from(path: &Path, arguments: &CropArguments, device: &Device, plain: bool) -> Result<Faces> {
    if is_file_of_faces(path) {
        return Ok(Faces { dataset: Dataset::load(path, 2)?, skipped: vec![] });
    }
    let people = find_people(path, 2)?;
    let report = device.retrying(&mut |text| note(text), &mut || {
        let detector = arguments.detector.open(device)?;
        crop(&people, &*detector, &arguments.options(), Aids::default(), plain)
    })?;
    let CropReport { dataset, skipped, whole, aside, .. } = report;
    list_skipped(&skipped);
    if let Some(line) = several_faces(&aside) {
        note(format_args!("{line}; `lookalike crop --review FOLDER` shows them, so that you can choose"));
    }
    if !whole.is_empty() {
        note(format_args!(
            "{} head shots in which no face was found are used whole; `lookalike crop` lists them, --no-whole skips them",
            whole.len()
        ));
    }
    Ok(Faces { dataset, skipped })
}

/// Whether the path is to be read as a file of faces rather than as a folder of people.
pub fn is_file_of_faces(path: &Path) -> bool {
    path.is_file() || path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
}

/// Cuts the faces out of the people's photos, and shows how far it is.
pub fn crop(
    people: &[Person],
    detector: &dyn Detector,
    options: &CropOptions,
    aids: Aids<'_>,
    plain: bool,
) -> Result<CropReport> {
    let progress = Progress::new("finding faces", "photos", plain);
    let report = |done, all| progress.report(done, all);
    crop_people(people, detector, options, Aids { progress: Some(&report), ..aids })
}

/// How many photos show several faces, and which of them were taken; none if there are none.
pub fn several_faces(aside: &[Aside]) -> Option<String> {
    let by = |why| aside.iter().filter(|photo| photo.why == why && photo.used.is_some()).count();
    let parts: Vec<String> = [
        ("the largest", by(Why::Largest)),
        ("the one most like the person's other photos", by(Why::MostAlike)),
        ("your choice", by(Why::Chosen)),
        ("none, as you chose", aside.iter().filter(|photo| photo.used.is_none()).count()),
    ]
    .into_iter()
    .filter(|&(_, count)| count > 0)
    .map(|(what, count)| format!("{what} ({count})"))
    .collect();
    let photos = if aside.len() == 1 { "1 photo shows" } else { &format!("{} photos show", aside.len()) };
    (!aside.is_empty()).then(|| format!("{photos} several faces; used: {}", parts.join(", ")))
}

/// Lists photos that were not used, with the reasons.
pub fn list_skipped(skipped: &[Skipped]) {
    for Skipped { photo, reason } in skipped {
        note(format_args!("skipped {}: {reason}", photo.display()));
    }
}

/// The list of photos that were not used, as the JSON documents hold it.
pub fn skipped_json(skipped: &[Skipped]) -> Vec<Value> {
    let entry =
        |Skipped { photo, reason }: &Skipped| json!({"photo": photo.display().to_string(), "reason": reason});
    skipped.iter().map(entry).collect()
}
