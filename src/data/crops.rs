//! From photos to a dataset: each decoded, searched and cut, then one face of each taken.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::aside::Aside;
use super::choose::{Decision, Embed, decide};
use super::cut::{Cut, FaceCrop, Outcome, cut, reason};
use super::dataset::{CutStyle, Dataset};
use super::duplicates::{Fingerprint, near_duplicate_groups};
use super::journal::{self, Journal};
use super::people::Person;
use super::review::Review;
use crate::detect::{CropStyle, Detector, landmarks_in_crop};
use crate::vision::read_photo;
use crate::{Error, Result, workers};

pub use super::crop_options::CropOptions;
pub use super::cut::MOST_FACES;

/// What a run may lean on. The default is nothing.
#[derive(Default)]
pub struct Aids<'a> {
    /// Is told after each photo how many of how many are done.
    pub progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
    /// Folder that keeps what is finished, so that a run that was interrupted goes on where it was. See
    /// [`remove_journal`](super::remove_journal).
    pub journal: Option<&'a Path>,
    /// What the user wants of photos that show several faces.
    pub review: Option<&'a Review>,
    /// Tells which face of such a photo is the most like the person's other photos; without it the largest is taken.
    pub embed: Option<Box<Embed<'a>>>,
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
    /// Photos that show several faces, in the same order.
    pub aside: Vec<Aside>,
    /// Number of photos that an earlier run had finished.
    pub resumed: usize,
    /// Equal for runs that find and cut faces in the same way; for [`Review::write`].
    pub settings: String,
}

/// Cuts a face out of every photo that shows one. Of a photo that shows several, up to [`MOST_FACES`] are cut out and
/// one of them is taken: the user's choice, else the one most like the person's photos of a single face, else the
/// largest.
///
/// Works on several photos at once, and gives the same result however many; these are in memory in full, of the
/// others only the crops.
///
/// # Errors
/// [`Error::Input`] if faces of fewer people than [`CropOptions::least_people`] were found; [`Error::Io`] if the
/// journal cannot be written; [`Error::Gpu`] and the like if the detector's device fails. A photo that cannot be used is
/// no error, it is listed.
pub fn crop_people(
    people: &[Person],
    detector: &dyn Detector,
    options: &CropOptions,
    aids: Aids<'_>,
) -> Result<CropReport> {
    crop_with(workers::usual(), people, detector, options, aids)
}

fn crop_with(
    workers: usize,
    people: &[Person],
    detector: &dyn Detector,
    options: &CropOptions,
    mut aids: Aids<'_>,
) -> Result<CropReport> {
    let settings = journal::settings(detector, options);
    let journal = aids.journal.map(|folder| Journal::new(folder, &settings, options.size));
    let photos: Vec<&PathBuf> = people.iter().flat_map(|person| &person.photos).collect();
    let done = AtomicUsize::new(0);
    let finished = workers::in_order(photos.len(), workers, |index| {
        let finished = finish(photos[index], detector, options, journal.as_ref())?;
        if let Some(progress) = aids.progress {
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, photos.len());
        }
        Ok(finished)
    })?;
    let resumed = finished.iter().filter(|photo| photo.resumed).count();
    let usable = finished.iter().filter(|photo| photo.outcome.is_ok()).count();
    let mut gathered = Gathered::new(usable, detector, options);
    let mut finished = finished.into_iter();
    for person in people {
        let photos: Vec<Finished> = finished.by_ref().take(person.photos.len()).collect();
        let chosen = |photo: &Finished| aids.review?.decision(&person.name, &photo.content, &settings);
        let chosen: Vec<Option<Decision>> = photos.iter().map(chosen).collect();
        let cuts: Vec<Option<&Cut>> = photos.iter().map(|photo| photo.outcome.as_ref().ok()).collect();
        let decisions = decide(&cuts, &chosen, aids.embed.as_deref_mut())?;
        gathered.add(person, photos, &decisions);
    }
    if let Some(journal) = &journal {
        journal.remove_others()?;
    }
    gathered.report(options.least_people, resumed, settings)
}

/// What became of one photo.
struct Finished {
    /// Hash of its file; empty if that could not be read.
    content: String,
    outcome: Outcome,
    /// Whether an earlier run did the work.
    resumed: bool,
}

/// Reads the photo, and does what no earlier run has done.
fn finish(
    photo: &Path,
    detector: &dyn Detector,
    options: &CropOptions,
    journal: Option<&Journal<'_>>,
) -> Result<Finished> {
    let bytes = match read_photo(photo) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Ok(Finished { content: String::new(), outcome: Err(reason(error)), resumed: false });
        }
    };
    let content = journal::hash(&bytes);
    if let Some(outcome) = journal.and_then(|journal| journal.read(&content)) {
        return Ok(Finished { content, outcome, resumed: true });
    }
    let outcome = cut(photo, &bytes, detector, options)?;
    if let Some(journal) = journal {
        journal.write(&content, &outcome)?;
    }
    Ok(Finished { content, outcome, resumed: false })
}

/// The dataset as it grows, person by person.
struct Gathered {
    dataset: Dataset,
    skipped: Vec<Skipped>,
    whole: Vec<PathBuf>,
    aside: Vec<Aside>,
    /// Of each photo in the dataset and of its crop.
    fingerprints: Vec<Vec<Fingerprint>>,
}

impl Gathered {
    fn new(photos: usize, detector: &dyn Detector, options: &CropOptions) -> Gathered {
        let CropOptions { size, margin, align, whole, .. } = *options;
        let pixels = Vec::with_capacity(photos * size * size * 3);
        let cut = CutStyle { detector: detector.name().to_owned(), margin, align, whole };
        let dataset = Dataset {
            size,
            pixels,
            labels: vec![],
            names: vec![],
            groups: vec![],
            sources: vec![],
            masked: vec![],
            landmarks: vec![],
            cut,
        };
        Gathered { dataset, skipped: vec![], whole: vec![], aside: vec![], fingerprints: vec![] }
    }

    fn add(&mut self, person: &Person, photos: Vec<Finished>, decisions: &[Option<Decision>]) {
        if photos.is_empty() {
            self.skip(
                person.name.as_ref(),
                "holds no photo; put jpg, png or webp files into this person's folder",
            );
        }
        let label = self.dataset.names.len();
        for ((photo, finished), decision) in person.photos.iter().zip(photos).zip(decisions) {
            let (source, masked) = (person.source(photo), person.masked.contains(photo));
            let mut cut = match finished.outcome {
                Ok(cut) => cut,
                Err(reason) => {
                    self.skip(photo, &reason);
                    continue;
                }
            };
            self.whole.extend(cut.whole.then(|| photo.clone()));
            let Some(Decision { used, why }) = *decision else {
                self.take(label, source, masked, cut.faces.swap_remove(0), cut.fingerprint);
                continue;
            };
            match used {
                Some(face) => {
                    self.take(label, source.clone(), masked, cut.faces[face].clone(), cut.fingerprint)
                }
                None => self.skip(photo, "left out in the review; move one of its crops to 'used' to use it"),
            }
            self.aside.push(Aside {
                photo: photo.clone(),
                source,
                person: person.name.clone(),
                content: finished.content,
                faces: cut.faces,
                found: cut.found,
                used,
                why,
            });
        }
        if self.dataset.labels.last() == Some(&label) {
            self.dataset.names.push(person.name.clone());
        }
    }

    fn skip(&mut self, photo: &Path, reason: &str) {
        self.skipped.push(Skipped { photo: photo.to_owned(), reason: reason.to_owned() });
    }

    fn take(&mut self, label: usize, source: String, masked: bool, face: FaceCrop, photo: Fingerprint) {
        self.dataset.pixels.extend(face.pixels);
        self.dataset.labels.push(label);
        self.dataset.sources.push(source);
        self.dataset.masked.push(masked);
        let style = CropStyle {
            size: self.dataset.size,
            margin: self.dataset.cut.margin,
            align: self.dataset.cut.align,
        };
        self.dataset.landmarks.push(landmarks_in_crop(&face.face, style));
        self.fingerprints.push(vec![photo, face.fingerprint]);
    }

    fn report(self, least_people: usize, resumed: usize, settings: String) -> Result<CropReport> {
        let Gathered { mut dataset, skipped, whole, aside, fingerprints } = self;
        if dataset.classes() < least_people.max(1) {
            return Err(too_few(&dataset, &skipped, least_people));
        }
        dataset.groups = near_duplicate_groups(&fingerprints);
        Ok(CropReport { dataset, skipped, whole, aside, resumed, settings })
    }
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
    use crate::data::Why;
    use crate::data::people::find_people;
    use crate::data::testing::{OPTIONS, Told, colours, crop, faces_of, folder, photo};

    #[test]
    fn photos_that_cannot_be_used_are_listed_and_the_others_used() {
        let good = photo(1, 64, 64, 2);
        let root = folder(&[
            ("anna/1.png", good.clone()),
            ("anna/2.png", photo(0, 64, 64, 3)),
            ("anna/4.jpg", b"no picture".to_vec()),
            ("anna/5.png", good[..good.len() / 2].to_vec()),
            ("anna/6.png", photo(1, 200, 64, 5)),
            ("ben/1.png", photo(0, 64, 64, 6)),
            ("carl/notes.txt", vec![]),
            ("zoe/masked/1.png", photo(1, 64, 64, 3)),
            ("zoe/2.png", photo(1, 64, 64, 5)),
        ]);
        let report = crop(root.path(), &OPTIONS, Aids::default()).unwrap();
        let dataset = &report.dataset;
        assert_eq!(dataset.names, ["anna", "zoe"], "ben and carl have no face");
        assert_eq!(dataset.sources, ["anna/1.png", "zoe/2.png", "zoe/masked/1.png"]);
        assert_eq!(dataset.masked, [false, false, true]);
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
        let photos = ["anna/2.png", "anna/4.jpg", "anna/5.png", "anna/6.png", "ben/1.png", "carl"];
        assert_eq!(listed, photos.map(Path::new));
        for (skipped, expected) in report.skipped.iter().zip(["no face", "", "", "", "no face", "no photo"]) {
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
        let report = crop(root.path(), &CropOptions { whole: true, ..OPTIONS }, Aids::default()).unwrap();
        assert_eq!(report.dataset.sources, ["anna/small.png", "ben/1.png"]);
        assert_eq!(report.whole, [root.path().join("anna/small.png")]);
        assert_eq!(report.skipped.len(), 2);

        let message = crop(root.path(), &OPTIONS, Aids::default()).unwrap_err().to_string();
        assert!(message.contains("only of 'ben'") && message.contains("3 skipped, the first: "), "{message}");
        let one = crop(root.path(), &CropOptions { least_people: 1, ..OPTIONS }, Aids::default()).unwrap();
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
        let dataset = crop(root.path(), &OPTIONS, Aids::default()).unwrap().dataset;
        assert_eq!(dataset.groups, [0, 1, 2, 1, 3]);
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_workers() {
        let photos: Vec<_> =
            (0..24).map(|i| (format!("p{}/{i}.png", i % 3), photo(i % 4, 64, 64, i as usize % 8))).collect();
        let files: Vec<_> = photos.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let root = folder(&files);
        let people = find_people(root.path(), 2).unwrap();
        let told = Mutex::new(Vec::new());
        let progress = |done, of| told.lock().unwrap().push((done, of));
        let [one, many] = [1, 8].map(|workers| {
            let aids = Aids { progress: Some(&progress), ..Aids::default() };
            crop_with(workers, &people, &Told::default(), &OPTIONS, aids).unwrap()
        });
        assert_eq!((one.dataset, one.skipped, one.aside), (many.dataset, many.skipped, many.aside));
        let mut told = told.into_inner().unwrap();
        told.sort_unstable();
        assert_eq!(told, (1..=24).flat_map(|done| [(done, 24); 2]).collect::<Vec<_>>());
    }

    const RED: [u8; 3] = [200, 30, 30];
    const GREEN: [u8; 3] = [30, 200, 30];
    const BLUE: [u8; 3] = [30, 30, 200];

    /// Colour in the middle of a picture of the dataset.
    fn middle(dataset: &Dataset, index: usize) -> [u8; 3] {
        let at = 3 * (OPTIONS.size * OPTIONS.size / 2 + OPTIONS.size / 2);
        dataset.image(index)[at..at + 3].try_into().unwrap()
    }

    #[test]
    fn of_several_faces_the_one_like_the_others_is_taken_or_the_largest() {
        let root = folder(&[
            ("anna/1.png", faces_of(&[BLUE])),
            ("anna/2.png", faces_of(&[RED, GREEN, BLUE])),
            ("anna/3.png", faces_of(&[[40, 40, 180], RED])),
            ("ben/1.png", faces_of(&[RED, BLUE])),
        ]);
        let largest = crop(root.path(), &OPTIONS, Aids::default()).unwrap();
        assert_eq!(
            (0..4).map(|i| middle(&largest.dataset, i)).collect::<Vec<_>>(),
            [BLUE, RED, [40, 40, 180], RED]
        );
        assert!(largest.aside.iter().all(|photo| (photo.used, photo.why) == (Some(0), Why::Largest)));

        let alike =
            crop(root.path(), &OPTIONS, Aids { embed: Some(Box::new(colours)), ..Aids::default() }).unwrap();
        assert_eq!(
            (0..4).map(|i| middle(&alike.dataset, i)).collect::<Vec<_>>(),
            [BLUE, BLUE, [40, 40, 180], RED]
        );
        let [of_three, of_two, bens] = &alike.aside[..] else { panic!("{:?}", alike.aside) };
        assert_eq!(
            (of_three.source.as_str(), of_three.used, of_three.why),
            ("anna/2.png", Some(2), Why::MostAlike)
        );
        assert_eq!((of_three.found, of_three.set_aside().collect::<Vec<_>>()), (3, vec![0, 1]));
        assert_eq!((of_two.used, of_two.why), (Some(0), Why::MostAlike));
        assert_eq!((bens.used, bens.why), (Some(0), Why::Largest), "Ben has no photo of one face");
        assert_eq!(alike.dataset.groups, [0, 1, 2, 3]);
    }

    #[test]
    fn faces_that_are_equally_alike_are_taken_by_size() {
        let root = folder(&[
            ("anna/1.png", faces_of(&[BLUE])),
            ("anna/2.png", faces_of(&[RED, GREEN])),
            ("ben/1.png", faces_of(&[RED])),
        ]);
        for value in [0.0, 1.0, f32::NAN] {
            let embed = move |crops: &[&FaceCrop]| Ok(vec![vec![value; 4]; crops.len()]);
            let aids = Aids { embed: Some(Box::new(embed)), ..Aids::default() };
            let report = crop(root.path(), &OPTIONS, aids).unwrap();
            assert_eq!(report.aside[0].used, Some(0), "all vectors are {value}");
        }
    }

    #[test]
    fn of_a_crowd_the_largest_faces_are_kept() {
        let crowd: Vec<_> = (0..12).map(|i| [10 * i, 90, 90]).collect();
        let root = folder(&[("anna/1.png", faces_of(&crowd)), ("ben/1.png", faces_of(&[RED]))]);
        let report = crop(root.path(), &OPTIONS, Aids::default()).unwrap();
        let [photo] = &report.aside[..] else { panic!("one photo") };
        assert_eq!((photo.faces.len(), photo.found), (MOST_FACES, 12));
        assert!(photo.faces.is_sorted_by(|a, b| a.face.rect.area() >= b.face.rect.area()));
    }

    #[test]
    fn a_lost_device_ends_the_run_and_another_problem_only_the_photo() {
        struct Fails(fn() -> Error);
        impl Detector for Fails {
            fn name(&self) -> &'static str {
                "fails"
            }
            fn detect(&self, _: &crate::vision::RgbImage) -> Result<Vec<crate::detect::Face>> {
                Err(self.0())
            }
        }
        let root = folder(&[("anna/1.png", faces_of(&[RED])), ("ben/1.png", faces_of(&[BLUE]))]);
        let people = find_people(root.path(), 2).unwrap();
        let error =
            |detector| crop_people(&people, &detector, &OPTIONS, Aids::default()).unwrap_err().to_string();
        assert_eq!(error(Fails(|| Error::Gpu("lost".into()))), "gpu: lost");
        let odd = error(Fails(|| Error::Input("too odd".into())));
        assert!(odd.contains("2 skipped") && odd.contains("too odd"), "{odd}");
    }

    /// A run with a journal in `folder`, and how many photos it searched.
    fn resumable(
        root: &Path,
        folder: &Path,
        options: &CropOptions,
        lost_at: usize,
    ) -> (Result<CropReport>, usize) {
        let told = Told { lost_at, ..Told::default() };
        let people = find_people(root, 2).unwrap();
        let report = crop_people(&people, &told, options, Aids { journal: Some(folder), ..Aids::default() });
        (report, told.searched.into_inner())
    }

    #[test]
    fn an_interrupted_run_goes_on_where_it_was() {
        let photos: Vec<_> = (0..30)
            .map(|i| (format!("p{}/{i}.png", i % 3), photo(i % 4, 64 + usize::from(i), 64, 3)))
            .collect();
        let mut files: Vec<_> = photos.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        files.push(("p0/no.png", b"\x89PNG\r\n\x1a\n and no more".to_vec()));
        let root = folder(&files);
        let out = tempfile::tempdir().unwrap();
        let journal = out.path().join("faces.npz.progress");
        let whole = crop(root.path(), &OPTIONS, Aids::default()).unwrap();

        let (lost, first) = resumable(root.path(), &journal, &OPTIONS, 12);
        assert_eq!(lost.unwrap_err().to_string(), "gpu: lost");
        let (again, second) = resumable(root.path(), &journal, &OPTIONS, 0);
        let again = again.unwrap();
        assert!(first >= 12 && again.resumed >= 11, "{first} photos, {} of them finished", again.resumed);
        // The photo that is none is in the journal too, and was never searched.
        assert!((30..=31).contains(&(second + again.resumed)), "{second} + {}", again.resumed);
        let saved = [&whole, &again].map(|report| {
            let path = out.path().join("faces.npz");
            report.dataset.save(&path).unwrap();
            fs::read(path).unwrap()
        });
        assert!(saved[0] == saved[1], "the same bytes");
        assert_eq!((&whole.skipped, &whole.aside), (&again.skipped, &again.aside));

        // Other settings, other crops; then damage.
        let (_, other) = resumable(root.path(), &journal, &CropOptions { margin: 0.5, ..OPTIONS }, 0);
        assert_eq!(other, 30);
        let name = fs::read_dir(&journal).unwrap().next().unwrap().unwrap().path();
        let bytes = fs::read(&name).unwrap();
        fs::write(&name, &bytes[..bytes.len() - 1]).unwrap();
        let (_, damaged) = resumable(root.path(), &journal, &CropOptions { margin: 0.5, ..OPTIONS }, 0);
        assert!(damaged <= 1, "{damaged} photos were searched again");
        assert_eq!(fs::read(&name).unwrap(), bytes, "written anew");

        fs::write(journal.join("notes.txt"), "mine").unwrap();
        crate::data::remove_journal(&journal).unwrap();
        let left: Vec<_> = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"], "what is not ours stays");
        fs::remove_file(journal.join("notes.txt")).unwrap();
        crate::data::remove_journal(&journal).unwrap();
        assert!(!journal.exists());
        crate::data::remove_journal(&journal).unwrap();
    }

    #[test]
    fn a_journal_that_cannot_be_written_ends_the_run() {
        let root =
            folder(&[("anna/1.png", faces_of(&[RED])), ("ben/1.png", faces_of(&[BLUE])), ("file", vec![])]);
        let (report, _) = resumable(root.path(), &root.path().join("file/journal"), &OPTIONS, 0);
        assert!(matches!(report, Err(Error::Io { .. })), "{report:?}");
    }
}
