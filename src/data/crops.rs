//! From photos to a dataset: decode, find the one face, cut it out, on all cores.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::dataset::Dataset;
use super::duplicates::{Fingerprint, near_duplicate_groups};
use super::people::Person;
use crate::detect::Detector;
use crate::detect::crop::{CropStyle, face_crop, is_head_shot, whole_crop};
use crate::vision::decode;
use crate::{Error, Result};

/// How faces are cut out of photos.
#[derive(Clone, Debug, PartialEq)]
pub struct CropOptions {
    /// Width and height of a crop in pixels.
    pub size: usize,
    /// What is added around the face's box on each side, as a part of the box.
    pub margin: f32,
    /// Turn faces upright whose eyes the detector has found.
    pub align: bool,
    /// Use a picture in which no face is found whole, if it [is a tight head shot](is_head_shot) already.
    pub whole: bool,
    /// Photos with more pixels are skipped before they are decoded.
    pub max_pixels: u64,
    /// Fewest people that faces must be found of: 2 to learn telling them apart, 1 to test a model.
    pub least_people: usize,
}

/// A photo that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The photo, or the name of a person who has none.
    pub photo: PathBuf,
    /// Why, and what to do.
    pub reason: String,
}

/// What became of the photos.
#[derive(Clone, Debug)]
pub struct CropReport {
    /// The faces, in the order of the people and their photos; people without any are left out.
    pub dataset: Dataset,
    /// Photos that were not used, in the same order.
    pub skipped: Vec<Skipped>,
    /// Photos that were used whole, in the same order.
    pub whole: Vec<PathBuf>,
}

/// Cuts the face out of every photo that shows exactly one.
///
/// Works on all cores, and gives the same result on any number of them; at any time, only as many photos as there
/// are cores are in memory in full. `progress` is told after each photo how many of how many are done.
///
/// # Errors
/// [`Error::Input`] if faces of fewer people than [`CropOptions::least_people`] were found. A photo that cannot be used is no error, it is
/// listed.
pub fn crop_people(
    people: &[Person],
    detector: &dyn Detector,
    options: &CropOptions,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<CropReport> {
    let photos: Vec<&PathBuf> = people.iter().flat_map(|person| &person.photos).collect();
    let done = AtomicUsize::new(0);
    let cut_one = |photo: &&PathBuf| {
        let cut = cut(photo, detector, options);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, photos.len());
        cut
    };
    let cuts: Vec<Cut> = photos.par_iter().map(cut_one).collect();
    gather(people, cuts, options)
}

/// What became of one photo: its crop, or the reason why there is none.
type Cut = std::result::Result<Crop, String>;

struct Crop {
    pixels: Vec<u8>,
    /// Of the photo and of the crop.
    fingerprints: Vec<Fingerprint>,
    whole: bool,
}

fn cut(photo: &Path, detector: &dyn Detector, options: &CropOptions) -> Cut {
    let image = decode(photo, options.max_pixels).map_err(reason)?;
    let faces = detector.detect(&image).map_err(reason)?;
    let whole = faces.is_empty() && options.whole && is_head_shot(&image, options.size);
    let crop = match faces.as_slice() {
        [face] => {
            let CropOptions { size, margin, align, .. } = *options;
            face_crop(&image, face, CropStyle { size, margin, align })
        }
        [] if whole => whole_crop(&image, options.size),
        [] => {
            return Err(
                "no face found; use a photo that shows the face from the front, and larger".to_owned()
            );
        }
        several => return Err(format!("{} faces found; cut out the one that is meant", several.len())),
    };
    let fingerprints =
        [&image, &crop].map(|image| Fingerprint::new(image.pixels(), image.width(), image.height()));
    Ok(Crop { pixels: crop.pixels().to_vec(), fingerprints: fingerprints.into(), whole })
}

/// The error's text, without the path that the list names already.
fn reason(error: Error) -> String {
    match error {
        Error::Format { problem, .. } => problem,
        Error::Io { source, advice, .. } => format!("{source}; {advice}"),
        other => other.to_string(),
    }
}

/// Puts the crops, in the order of the people's photos, into a dataset.
fn gather(people: &[Person], cuts: Vec<Cut>, options: &CropOptions) -> Result<CropReport> {
    let size = options.size;
    let used = cuts.iter().filter(|cut| cut.is_ok()).count();
    let pixels = Vec::with_capacity(used * size * size * 3);
    let mut dataset =
        Dataset { size, pixels, labels: vec![], names: vec![], groups: vec![], sources: vec![] };
    let (mut skipped, mut whole, mut fingerprints) = (vec![], vec![], vec![]);
    let mut cuts = cuts.into_iter();
    for person in people {
        if person.photos.is_empty() {
            let reason = "holds no photo; put jpg, png or webp files into this person's folder".to_owned();
            skipped.push(Skipped { photo: person.name.clone().into(), reason });
        }
        let label = dataset.names.len();
        for (photo, cut) in person.photos.iter().zip(cuts.by_ref()) {
            match cut {
                Ok(crop) => {
                    dataset.pixels.extend(crop.pixels);
                    dataset.labels.push(label);
                    dataset.sources.push(person.source(photo));
                    fingerprints.push(crop.fingerprints);
                    whole.extend(crop.whole.then(|| photo.clone()));
                }
                Err(reason) => skipped.push(Skipped { photo: photo.clone(), reason }),
            }
        }
        if dataset.labels.last() == Some(&label) {
            dataset.names.push(person.name.clone());
        }
    }
    if dataset.classes() < options.least_people.max(1) {
        return Err(too_few(&dataset, &skipped, options.least_people));
    }
    dataset.groups = near_duplicate_groups(&fingerprints);
    Ok(CropReport { dataset, skipped, whole })
}

fn too_few(dataset: &Dataset, skipped: &[Skipped], least: usize) -> Error {
    let found = dataset.names.first().map_or("of nobody".to_owned(), |name| format!("only of '{name}'"));
    let example = skipped.first().map_or(String::new(), |first| {
        format!("; {} skipped, the first: {}: {}", skipped.len(), first.photo.display(), first.reason)
    });
    let wanted = if least > 1 { "two or more people" } else { "people the model knows" };
    Error::Input(format!("faces found {found}{example}. Give photos of {wanted}, each of one clear face"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::*;
    use crate::data::people::find_people;
    use crate::detect::Face;
    use crate::vision::{Rect, RgbImage, encode_png};

    const OPTIONS: CropOptions =
        CropOptions { size: 32, margin: 0.0, align: true, whole: false, max_pixels: 10_000, least_people: 2 };

    /// Finds as many faces as the red of the first pixel says, each in the middle of the picture.
    struct Told;

    impl Detector for Told {
        fn name(&self) -> &'static str {
            "told"
        }

        fn detect(&self, image: &RgbImage) -> Result<Vec<Face>> {
            let (width, height) = (image.width() as f32 / 2.0, image.height() as f32 / 2.0);
            let rect = Rect { x: width / 2.0, y: height / 2.0, width, height };
            Ok(vec![Face { rect, score: 1.0, landmarks: None }; usize::from(image.pixel(0, 0)[0])])
        }
    }

    /// A PNG of one colour with a bright bar at `bar`, in which [`Told`] finds `faces` faces.
    fn photo(faces: u8, width: usize, height: usize, bar: usize) -> Vec<u8> {
        let mut pixels: Vec<u8> = (0..width * height)
            .flat_map(|i| if i % width / 8 == bar { [250, 240, 230] } else { [9, 20, 30] })
            .collect();
        pixels[0] = faces;
        encode_png(&RgbImage::new(width, height, pixels).unwrap()).unwrap()
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        root
    }

    fn crop(root: &Path, options: &CropOptions) -> Result<CropReport> {
        crop_people(&find_people(root, 1).unwrap(), &Told, options, &|_, _| ())
    }

    #[test]
    fn photos_that_cannot_be_used_are_listed_and_the_others_used() {
        let good = photo(1, 64, 64, 2);
        let root = folder(&[
            ("anna/1.png", good.clone()),
            ("anna/2.png", photo(0, 64, 64, 3)),
            ("anna/3.png", photo(2, 64, 64, 4)),
            ("anna/4.jpg", b"no picture".to_vec()),
            ("anna/5.png", good[..good.len() / 2].to_vec()),
            ("anna/6.png", photo(1, 200, 64, 5)),
            ("ben/1.png", photo(0, 64, 64, 6)),
            ("carl/notes.txt", vec![]),
            ("zoe/masked/1.png", photo(1, 64, 64, 3)),
            ("zoe/2.png", photo(1, 64, 64, 5)),
        ]);
        let report = crop(root.path(), &OPTIONS).unwrap();
        let dataset = &report.dataset;
        assert_eq!(dataset.names, ["anna", "zoe"], "ben and carl have no face");
        assert_eq!(dataset.sources, ["anna/1.png", "zoe/2.png", "zoe/masked/1.png"]);
        assert_eq!(dataset.labels, [0, 1, 1]);
        assert_eq!(dataset.groups, [0, 1, 2]);
        assert_eq!(dataset.pixels.len(), 3 * 32 * 32 * 3);
        assert_eq!(
            dataset.image(0)[..3],
            [250, 240, 230],
            "the bar at columns 16 to 24 begins the crop of 16 to 48"
        );

        let listed: Vec<_> =
            report.skipped.iter().map(|s| s.photo.strip_prefix(root.path()).unwrap_or(&s.photo)).collect();
        let photos =
            ["anna/2.png", "anna/3.png", "anna/4.jpg", "anna/5.png", "anna/6.png", "ben/1.png", "carl"];
        assert_eq!(listed, photos.map(Path::new));
        for (skipped, expected) in
            report.skipped.iter().zip(["no face", "2 faces", "", "", "", "no face", "no photo"])
        {
            assert!(skipped.reason.contains(expected) && !skipped.reason.is_empty(), "{skipped:?}");
            assert!(!skipped.reason.contains("anna/"), "the list names the photo already: {skipped:?}");
        }
    }

    #[test]
    fn head_shots_without_a_face_are_used_whole_on_request() {
        let root = folder(&[
            ("anna/large.png", photo(0, 33, 33, 1)),
            ("anna/long.png", photo(0, 16, 26, 1)),
            ("anna/small.png", photo(0, 24, 32, 1)),
            ("ben/1.png", photo(1, 64, 64, 3)),
        ]);
        let report = crop(root.path(), &CropOptions { whole: true, ..OPTIONS }).unwrap();
        assert_eq!(report.dataset.sources, ["anna/small.png", "ben/1.png"]);
        assert_eq!(report.whole, [root.path().join("anna/small.png")]);
        assert_eq!(report.skipped.len(), 2);

        let message = crop(root.path(), &OPTIONS).unwrap_err().to_string();
        assert!(message.contains("only of 'ben'") && message.contains("3 skipped, the first: "), "{message}");
        let one = crop(root.path(), &CropOptions { least_people: 1, ..OPTIONS }).unwrap();
        assert_eq!(one.dataset.names, ["ben"]);
    }

    #[test]
    fn copies_share_a_group() {
        let root = folder(&[
            ("anna/1.png", photo(1, 64, 64, 2)),
            ("anna/2.png", photo(1, 64, 64, 5)),
            ("anna/3.png", photo(1, 96, 64, 2)),
            ("ben/1.png", photo(1, 64, 64, 5)),
            ("ben/2.png", photo(1, 64, 64, 3)),
        ]);
        let dataset = crop(root.path(), &OPTIONS).unwrap().dataset;
        assert_eq!(dataset.groups, [0, 1, 2, 1, 3]);
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let photos: Vec<_> =
            (0..24).map(|i| (format!("p{}/{i}.png", i % 3), photo(i % 4, 64, 64, i as usize % 8))).collect();
        let files: Vec<_> = photos.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let root = folder(&files);
        let people = find_people(root.path(), 2).unwrap();
        let told = Mutex::new(Vec::new());
        let [one, many] = [1, 8].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                crop_people(&people, &Told, &OPTIONS, &|done, of| told.lock().unwrap().push((done, of)))
            })
            .unwrap()
        });
        assert_eq!((one.dataset, one.skipped), (many.dataset, many.skipped));
        let mut told = told.into_inner().unwrap();
        told.sort_unstable();
        assert_eq!(told, (1..=24).flat_map(|done| [(done, 24); 2]).collect::<Vec<_>>());
    }
}
