//! A folder in which the user sees which face of a photo was taken, and takes another by moving a file.
//!
//! ```text
//! sheet.png                                  all of it at a glance
//! anna/used/party.jpg-3fa2b1c0-face2.png     the face taken of a photo of Anna
//! anna/aside/party.jpg-3fa2b1c0-face1.png    another that the photo shows
//! review.json                                what was written, to tell what the user has moved since
//! ```

mod record;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::aside::{Aside, sheet_name, sheets_of, write_sheets};
use super::choose::{Decision, Why};
use crate::formats::atomic::write_atomically;
use crate::vision::{RgbImage, encode_png};
use crate::{Error, Result};
use record::{Photo, Record};

const SHEET: &str = "sheet.png";
const USED: &str = "used";
const ASIDE: &str = "aside";

/// A folder of crops to look through.
#[derive(Debug)]
pub struct Review {
    folder: PathBuf,
    /// What the last run left.
    last: Record,
    /// What the user wants of each photo of it; none where nothing was said.
    decisions: Vec<Option<Decision>>,
    problems: Vec<String>,
}

impl Review {
    /// Reads what an earlier run left in the folder, and what the user has moved since. The folder need not be there.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if the record of the last run cannot be read.
    pub fn open(folder: &Path) -> Result<Review> {
        let last = Record::open(folder)?;
        let mut problems = Vec::new();
        let decisions = last
            .photos
            .iter()
            .map(|photo| if last.complete { photo.wanted(folder, &mut problems) } else { photo.decided() })
            .collect();
        Ok(Review { folder: folder.to_owned(), last, decisions, problems })
    }

    /// What the user has to be told: moves that contradict each other.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What the user wants of this photo; none if nothing was said, or if its faces are cut differently now.
    pub(super) fn decision(&self, person: &str, content: &str, settings: &str) -> Option<Decision> {
        let is = |photo: &Photo| photo.is(person, content) && photo.settings == settings;
        self.decisions[self.last.photos.iter().position(is)?]
    }

    /// Writes the crops and the sheets of the photos of a run with these `settings`, and puts away what is there of
    /// others. Returns the sheets. Touches no file but those that a run has written.
    ///
    /// # Errors
    /// [`Error::Io`] if something cannot be written.
    pub fn write(&self, aside: &[Aside], size: usize, settings: &str) -> Result<Vec<PathBuf>> {
        if aside.is_empty() && self.last.photos.is_empty() {
            return Ok(vec![]);
        }
        let mut photos: Vec<Photo> = Vec::new();
        let mut shown = Vec::new();
        for photo in aside {
            if !photos.iter().any(|known| known.is_that_of(photo)) {
                photos.push(Photo::new(photo, settings));
                shown.push(photo);
            }
        }
        make_folder(&self.folder)?;
        // A run that ends in between leaves a record that says so, and that names all that may lie here by then.
        let sheets = self.last.sheets.max(sheets_of(aside));
        Record::new(false, sheets, self.with_last(&photos)).save(&self.folder)?;
        self.put_away(&photos)?;
        for (photo, shown) in photos.iter().zip(shown) {
            let is_last = |last: &Photo| last.is_that_of(shown) && last.settings == settings;
            let fresh = !self.last.complete || !self.last.photos.iter().any(is_last);
            for (index, face) in shown.faces.iter().enumerate() {
                let [place, other] = photo.places(&self.folder, index);
                put(&place, &other, fresh, || encode_png(&RgbImage::new(size, size, face.pixels.clone())?))?;
            }
        }
        let sheets = write_sheets(aside, size, &self.folder.join(SHEET))?;
        for index in sheets.len()..self.last.sheets {
            remove(&sheet_name(&self.folder.join(SHEET), index))?;
        }
        Record::new(true, sheets.len(), photos).save(&self.folder)?;
        Ok(sheets)
    }

    /// `photos`, then those of the last run that have crops of their own.
    fn with_last(&self, photos: &[Photo]) -> Vec<Photo> {
        let mut all = photos.to_vec();
        for last in &self.last.photos {
            if !all.iter().any(|known| known.person == last.person && known.crops == last.crops) {
                all.push(last.clone());
            }
        }
        all
    }

    /// Removes the crops of the last run that are not among those of `photos`, and folders left empty.
    fn put_away(&self, photos: &[Photo]) -> Result<()> {
        for last in &self.last.photos {
            let stays = |crop: &String| {
                photos.iter().any(|photo| photo.person == last.person && photo.crops.contains(crop))
            };
            for index in (0..last.crops.len()).filter(|&index| !stays(&last.crops[index])) {
                last.places(&self.folder, index).iter().try_for_each(|place| remove(place))?;
            }
            let person = self.folder.join(&last.person);
            for folder in [person.join(USED), person.join(ASIDE), person] {
                // Refused where something lies in it.
                let _ = fs::remove_dir(folder);
            }
        }
        Ok(())
    }
}

impl Photo {
    /// What the user wants of it, from where its crops lie now.
    fn wanted(&self, folder: &Path, problems: &mut Vec<String>) -> Option<Decision> {
        let lies =
            |part: &str, face: usize| folder.join(&self.person).join(part).join(&self.crops[face]).is_file();
        let faces = 0..self.crops.len();
        if !faces.clone().any(|face| lies(USED, face) || lies(ASIDE, face)) {
            return None; // All thrown away: begun anew.
        }
        let moved: Vec<usize> = faces.filter(|&face| self.used != Some(face) && lies(USED, face)).collect();
        if let [first, _, ..] = moved[..] {
            problems.push(format!(
                "{}: {} crops of one photo were moved here; the largest of them is used, {}",
                folder.join(&self.person).join(USED).display(),
                moved.len(),
                self.crops[first]
            ));
        }
        match (moved.first(), self.used) {
            (Some(&face), _) => Some(Decision { used: Some(face), why: Why::Chosen }),
            (None, Some(face)) if lies(USED, face) => self.decided(),
            (None, _) => Some(Decision { used: None, why: Why::Chosen }),
        }
    }

    /// Where the crop of a face belongs, and where it may lie instead.
    fn places(&self, folder: &Path, face: usize) -> [PathBuf; 2] {
        let place = |part| folder.join(&self.person).join(part).join(&self.crops[face]);
        if self.used == Some(face) { [place(USED), place(ASIDE)] } else { [place(ASIDE), place(USED)] }
    }
}

/// Brings a crop to its place: from the other place, else from `png`; anew if it is `fresh`. Its name holds the photo's
/// hash, so a file of this name is one that we wrote.
fn put(place: &Path, other: &Path, fresh: bool, png: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
    make_folder(place.parent().expect("a crop lies in a folder"))?;
    if !fresh && place.is_file() {
        return remove(other);
    }
    if !fresh && other.is_file() {
        return fs::rename(other, place)
            .map_err(|error| Error::io(other, error, "it could not be moved; run again"));
    }
    let png = png()?;
    write_atomically(place, |file| file.write_all(&png))?;
    remove(other)
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io(path, error, "choose another folder for the review"))
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(Error::io(path, error, "it could not be removed; remove it and run again"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::data::crops::{Aids, CropOptions, CropReport};
    use crate::data::testing::{OPTIONS, colours, crop, faces_of, folder};

    const RED: [u8; 3] = [200, 30, 30];
    const GREEN: [u8; 3] = [30, 200, 30];
    const BLUE: [u8; 3] = [30, 30, 200];

    /// Photos, and a folder to review them in.
    struct Scene {
        photos: tempfile::TempDir,
        review: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Scene {
            let photos = folder(&[
                ("anna/1.png", faces_of(&[BLUE])),
                ("anna/two ü?.png", faces_of(&[RED, BLUE])),
                ("anna/masked/two ü?.png", faces_of(&[GREEN, BLUE, RED])),
                ("ben/1.png", faces_of(&[RED, BLUE])),
            ]);
            Scene { photos, review: tempfile::tempdir().unwrap() }
        }

        fn run(&self, options: &CropOptions, alike: bool) -> (CropReport, Vec<String>) {
            let review = Review::open(self.review.path()).unwrap();
            let embed: Option<Box<crate::data::Embed<'_>>> =
                if alike { Some(Box::new(colours)) } else { None };
            let aids = Aids { review: Some(&review), embed, ..Aids::default() };
            let report = crop(self.photos.path(), options, aids).unwrap();
            review.write(&report.aside, options.size, &report.settings).unwrap();
            (report, review.problems)
        }

        /// The faces used, numbered from 1 as in the files, and which of them the user chose.
        fn used(&self) -> Vec<(Option<usize>, bool)> {
            let (report, problems) = self.run(&OPTIONS, false);
            assert_eq!(problems, [""; 0]);
            report
                .aside
                .iter()
                .map(|aside| (aside.used.map(|face| face + 1), aside.why == Why::Chosen))
                .collect()
        }

        fn files(&self) -> BTreeSet<String> {
            let mut files = BTreeSet::new();
            let mut folders = vec![self.review.path().to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    let name = path.strip_prefix(self.review.path()).unwrap().to_str().unwrap().to_owned();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        files.insert(name);
                    }
                }
            }
            files
        }

        /// The crop of a face of this photo, as `anna/aside`.
        fn find(&self, part: &str, photo: &str, face: usize) -> PathBuf {
            let content = crate::data::journal::hash(&fs::read(self.photos.path().join(photo)).unwrap());
            let ending = format!("-{}-face{face}.png", &content[..8]);
            let found =
                self.files().into_iter().find(|name| name.starts_with(part) && name.ends_with(&ending));
            self.review.path().join(found.unwrap_or_else(|| panic!("{part}/…{ending} in {:?}", self.files())))
        }

        fn rename(&self, crop: &Path, part: &str) {
            let target = self.review.path().join(part);
            fs::create_dir_all(&target).unwrap();
            fs::rename(crop, target.join(crop.file_name().unwrap())).unwrap();
        }
    }

    const TWO: &str = "anna/two ü?.png";
    const THREE: &str = "anna/masked/two ü?.png";

    #[test]
    fn crops_lie_where_they_are_seen_and_a_second_run_changes_nothing() {
        let scene = Scene::new();
        assert_eq!(scene.used(), [(Some(1), false), (Some(1), false), (Some(1), false)]);
        let files = scene.files();
        assert_eq!(files.len(), 2 + 2 + 3 + 2, "record, sheet, crops: {files:?}");
        for (part, photo, face) in [
            ("anna/used", TWO, 1),
            ("anna/aside", TWO, 2),
            ("anna/used", THREE, 1),
            ("anna/aside", THREE, 3),
            ("ben/used", "ben/1.png", 1),
        ] {
            scene.find(part, photo, face);
        }
        assert!(files.iter().all(|name| !name.contains('?')), "{files:?}");
        assert_eq!(scene.used(), [(Some(1), false), (Some(1), false), (Some(1), false)]);
        assert_eq!(scene.files(), files);
    }

    #[test]
    fn a_crop_that_is_moved_is_used_and_the_other_gives_way() {
        let scene = Scene::new();
        scene.used();
        scene.rename(&scene.find("anna/aside", THREE, 3), "anna/used");
        let expected = [(Some(1), false), (Some(3), true), (Some(1), false)];
        assert_eq!(scene.used(), expected);
        scene.find("anna/used", THREE, 3);
        scene.find("anna/aside", THREE, 1);
        assert_eq!(scene.used(), expected, "it stays so");
        let (report, _) = scene.run(&OPTIONS, true);
        assert_eq!(report.aside[1].used, Some(2), "also when the others are chosen by likeness");
        assert_eq!(report.aside[0].used, Some(1));

        // Back again, also as a swap by hand; the photo may have another name by now.
        scene.rename(&scene.find("anna/used", THREE, 3), "anna/aside");
        scene.rename(&scene.find("anna/aside", THREE, 1), "anna/used");
        let photo = |name: &str| scene.photos.path().join(name);
        fs::rename(photo(THREE), photo("anna/zz.png")).unwrap();
        assert_eq!(scene.used()[1], (Some(1), true));
    }

    #[test]
    fn a_photo_with_no_crop_in_used_is_left_out() {
        let scene = Scene::new();
        scene.used();
        scene.rename(&scene.find("anna/used", TWO, 1), "anna/aside");
        fs::remove_file(scene.find("ben/used", "ben/1.png", 1)).unwrap();
        scene.rename(&scene.find("anna/aside", THREE, 2), "anna/used");
        let review = Review::open(scene.review.path()).unwrap();
        let aids = Aids { review: Some(&review), ..Aids::default() };
        let error = crop(scene.photos.path(), &OPTIONS, aids).unwrap_err().to_string();
        assert!(error.contains("only of 'anna'") && error.contains("left out in the review"), "{error}");

        let options = CropOptions { least_people: 1, ..OPTIONS };
        let used = |report: &CropReport| report.aside.iter().map(|aside| aside.used).collect::<Vec<_>>();
        for _ in 0..2 {
            let (report, _) = scene.run(&options, true);
            assert_eq!(used(&report), [None, Some(1), None]);
            assert_eq!(report.dataset.sources, ["anna/1.png", THREE]);
            assert_eq!(report.skipped.len(), 2);
        }
        scene.find("ben/aside", "ben/1.png", 1);
        scene.rename(&scene.find("ben/aside", "ben/1.png", 2), "ben/used");
        let (report, _) = scene.run(&options, true);
        assert_eq!(used(&report), [None, Some(1), Some(1)]);
    }

    #[test]
    fn of_two_crops_moved_at_once_the_larger_is_used_and_it_is_said() {
        let scene = Scene::new();
        scene.used();
        scene.rename(&scene.find("anna/aside", THREE, 3), "anna/used");
        scene.rename(&scene.find("anna/aside", THREE, 2), "anna/used");
        let (report, problems) = scene.run(&OPTIONS, false);
        assert_eq!(report.aside[1].used, Some(1));
        assert!(problems.len() == 1 && problems[0].contains("2 crops of one photo"), "{problems:?}");
        assert_eq!(scene.used()[1], (Some(2), true), "afterwards all is in order");
        scene.find("anna/aside", THREE, 3);
    }

    #[test]
    fn other_settings_and_a_cleared_folder_begin_anew_and_strangers_files_stay() {
        let scene = Scene::new();
        scene.used();
        let mine = ["anna/used/mine.png", "anna/notes.txt", "ben/aside/x.png"];
        for name in mine {
            fs::write(scene.review.path().join(name), "mine").unwrap();
        }
        scene.rename(&scene.find("anna/aside", TWO, 2), "anna/used");
        let wider = CropOptions { margin: 0.5, ..OPTIONS };
        let before = fs::read(scene.find("anna/used", TWO, 2)).unwrap();
        let (report, _) = scene.run(&wider, false);
        assert_eq!(report.aside[0].used, Some(0), "cut differently: decided anew");
        assert_ne!(fs::read(scene.find("anna/aside", TWO, 2)).unwrap(), before, "and drawn anew");

        scene.rename(&scene.find("anna/aside", TWO, 2), "anna/used");
        for part in ["used", "aside"] {
            for entry in fs::read_dir(scene.review.path().join("anna").join(part)).unwrap() {
                let path = entry.unwrap().path();
                if !path.ends_with("mine.png") {
                    fs::remove_file(path).unwrap();
                }
            }
        }
        let (report, _) = scene.run(&wider, false);
        assert_eq!(report.aside[0].used, Some(0), "all crops of the photo were thrown away");

        // Photos that show one face again: nothing is left but what is not ours.
        for name in [TWO, THREE, "ben/1.png"] {
            fs::write(scene.photos.path().join(name), faces_of(&[RED])).unwrap();
        }
        scene.run(&OPTIONS, false);
        assert_eq!(
            scene.files(),
            [&mine[..], &["review.json"]].concat().iter().map(|name| name.to_string()).collect()
        );
    }

    #[test]
    fn one_photo_of_two_people_is_two_decisions() {
        let both = faces_of(&[RED, BLUE]);
        let photos =
            folder(&[("anna/1.png", both.clone()), ("anna/copy.png", both.clone()), ("ben/1.png", both)]);
        let scene = Scene { photos, review: tempfile::tempdir().unwrap() };
        scene.used();
        assert_eq!(
            scene.files().len(),
            2 + 2 + 2,
            "a copy in one folder is the same photo: {:?}",
            scene.files()
        );
        scene.rename(&scene.find("anna/aside", "anna/1.png", 2), "anna/used");
        assert_eq!(scene.used(), [(Some(2), true), (Some(2), true), (Some(1), false)]);
    }

    #[test]
    fn a_run_that_ended_while_it_wrote_does_not_count_as_moves() {
        let scene = Scene::new();
        scene.used();
        scene.rename(&scene.find("anna/aside", THREE, 3), "anna/used");
        scene.used();
        let record = scene.review.path().join(record::FILE);
        let text = fs::read_to_string(&record).unwrap().replace("\"complete\": true", "\"complete\": false");
        fs::write(&record, text).unwrap();
        scene.rename(&scene.find("anna/aside", TWO, 2), "anna/used");
        assert_eq!(scene.used(), [(Some(1), false), (Some(3), true), (Some(1), false)]);
        scene.find("anna/aside", TWO, 2);
    }

    /// A folder in place of a crop cannot be removed as a file: there the run ends.
    #[test]
    fn crops_of_photos_that_are_gone_go_even_if_a_run_ended_before_it_removed_them() {
        let scene = Scene::new();
        scene.used();
        let in_the_way = scene.find("anna/used", TWO, 1);
        for name in [TWO, "ben/1.png"] {
            fs::write(scene.photos.path().join(name), faces_of(&[RED])).unwrap();
        }
        fs::remove_file(&in_the_way).unwrap();
        fs::create_dir(&in_the_way).unwrap();
        let review = Review::open(scene.review.path()).unwrap();
        let report = crop(scene.photos.path(), &OPTIONS, Aids::default()).unwrap();
        assert!(review.write(&report.aside, OPTIONS.size, &report.settings).is_err());
        assert_eq!(scene.files().iter().filter(|name| name.starts_with("ben")).count(), 2);

        fs::remove_dir(&in_the_way).unwrap();
        scene.run(&OPTIONS, false);
        let files = scene.files();
        assert_eq!(files.len(), 2 + 3, "record, sheet, crops of one photo: {files:?}");
    }

    #[test]
    fn crops_are_drawn_anew_if_a_run_ended_before_it_did() {
        let scene = Scene::new();
        scene.used();
        let path = scene.find("anna/used", TWO, 1);
        let narrow = fs::read(&path).unwrap();
        let wider = CropOptions { margin: 0.5, ..OPTIONS };
        let in_the_way = scene.find("anna/used", THREE, 1);
        fs::remove_file(&in_the_way).unwrap();
        fs::create_dir(&in_the_way).unwrap();
        let review = Review::open(scene.review.path()).unwrap();
        let report = crop(scene.photos.path(), &wider, Aids::default()).unwrap();
        assert!(review.write(&report.aside, wider.size, &report.settings).is_err());
        fs::write(&path, &narrow).unwrap();
        fs::remove_dir(&in_the_way).unwrap();
        scene.run(&wider, false);
        assert_ne!(fs::read(&path).unwrap(), narrow);
    }

    #[test]
    fn a_damaged_record_is_told() {
        let scene = Scene::new();
        scene.used();
        let path = scene.review.path().join(record::FILE);
        let good = fs::read_to_string(&path).unwrap();
        for bad in [
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\": 1", "\"version\": 2"),
            good.replace("\"used\": 1", "\"used\": 4"),
            good.replace("\"person\": \"anna\"", "\"person\": \"../anna\""),
        ] {
            fs::write(&path, bad).unwrap();
            let error = Review::open(scene.review.path()).unwrap_err().to_string();
            assert!(error.contains("review.json") && error.contains("begin anew"), "{error}");
        }
    }
}
