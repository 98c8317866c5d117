//! A folder with one sub-folder per person: who is there, and with which photos.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::masks::Masks;
use crate::{Error, Result};

/// Endings of photos, in small letters. Which format a file really has, its content says.
const PHOTO_ENDINGS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// Sub-folder of a person for photos that show a real mask.
pub const MASKED_FOLDER: &str = "masked";

/// A person and the photos that show this person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name of the person's folder.
    pub name: String,
    /// The photos, sorted by path; none if the folder holds no photo.
    pub photos: Vec<PathBuf>,
    /// Those of them that show a real mask.
    pub masked: BTreeSet<PathBuf>,
}

impl Person {
    /// What a dataset calls one of this person's photos: `name/file` or `name/masked/file`, wherever the folder of
    /// all people lies.
    pub fn source(&self, photo: &Path) -> String {
        source(&self.name, photo)
    }
}

/// The people in `folder`, which has one sub-folder per person, sorted by name.
///
/// A person's photos are the files that end in jpg, jpeg, png or webp (in capitals too) in the sub-folder and in
/// its sub-folder `masked`, which shows real masks; a file `masks.csv` beside the people's folders may say of single photos
/// whether they do. Hidden files and folders and all other files are left out. A person without a photo
/// stays in the list, so that the caller can say so.
///
/// # Errors
/// [`Error::Io`] if a folder or the list of masks cannot be read, [`Error::Format`] if that list is none, [`Error::Input`] if
/// fewer than `least` people have photos.
pub fn find_people(folder: &Path, least: usize) -> Result<Vec<Person>> {
    let entries = visible_entries(folder)?;
    let masks = Masks::read(folder)?;
    let mut people = Vec::new();
    for path in entries.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut photos = photos_in(&path)?;
        let masked = path.join(MASKED_FOLDER);
        if masked.is_dir() {
            photos.extend(photos_in(&masked)?);
        }
        let masked = photos.iter().filter(|photo| masks.is_masked(&source(&name, photo))).cloned().collect();
        people.push(Person { name, photos, masked });
    }
    let with_photos: Vec<_> = people.iter().filter(|person| !person.photos.is_empty()).collect();
    if with_photos.len() >= least.max(1) {
        return Ok(people);
    }
    let found = match with_photos[..] {
        [only] => format!("only one person with photos ('{}')", only.name),
        _ => "no person with photos".to_owned(),
    };
    let wanted = if least > 1 { ", two or more," } else { "" };
    Err(Error::Input(format!(
        "{}: {found}; make one sub-folder per person{wanted} with that person's photos (jpg, png or webp) in it",
        folder.display()
    )))
}

fn source(name: &str, photo: &Path) -> String {
    let folder = photo.parent();
    let own = folder.and_then(Path::parent).is_some_and(|parent| parent.ends_with(name));
    let masked = own && folder.is_some_and(|folder| folder.ends_with(MASKED_FOLDER));
    let file = photo.file_name().unwrap_or_default().to_string_lossy();
    if masked { format!("{name}/{MASKED_FOLDER}/{file}") } else { format!("{name}/{file}") }
}

/// Photos right in `folder`, sorted.
fn photos_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_photo = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        PHOTO_ENDINGS.contains(&ending.as_str()) && !path.is_dir()
    };
    Ok(visible_entries(folder)?.into_iter().filter(is_photo).collect())
}

/// What lies in `folder` and is not hidden, sorted.
fn visible_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| {
        Error::io(
            folder,
            source,
            "give a folder with one sub-folder per person, each with that person's photos",
        )
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these empty files; names ending in a slash are folders.
    fn tree(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            if name.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
        }
        root
    }

    fn message(root: &Path) -> String {
        find_people(root, 2).expect_err("no people").to_string()
    }

    #[test]
    fn real_masks_are_told_by_the_folder_and_by_the_list() {
        let root = tree(&["anna/1.png", "anna/2.png", "anna/masked/3.png", "ben/1.png"]);
        fs::write(root.path().join("masks.csv"), "file,mask\nanna/2.png,cloth\n").unwrap();
        let people = find_people(root.path(), 2).unwrap();
        let masked: Vec<String> = people[0].masked.iter().map(|photo| people[0].source(photo)).collect();
        assert_eq!(masked, ["anna/2.png", "anna/masked/3.png"]);
        assert!(people[1].masked.is_empty());
        fs::write(root.path().join("masks.csv"), "no list").unwrap();
        assert!(message(root.path()).contains("file,mask"));
    }

    #[test]
    fn people_and_photos_are_found_in_order() {
        let root = tree(&[
            "Zoë/b.JPG",
            "Zoë/a.jpeg",
            "Zoë/masked/0.png",
            "Zoë/deeper/9.png",
            "Zoë/odd.jpg/",
            "anna/2.WebP",
            "anna/10.png",
            "anna/.hidden.png",
            "anna/README",
            "anna/notes.txt",
            "anna/anna.csv",
            "empty/",
            ".cache/x.png",
            "group.jpg",
        ]);
        fs::write(root.path().join("masks.csv"), "file,mask\n").unwrap();
        let people = find_people(root.path(), 2).unwrap();
        let found: Vec<_> = people
            .iter()
            .map(|p| (p.name.as_str(), p.photos.iter().map(|photo| p.source(photo)).collect()))
            .collect();
        let expected: [(_, Vec<_>); 3] = [
            ("Zoë", vec!["Zoë/a.jpeg", "Zoë/b.JPG", "Zoë/masked/0.png"]),
            ("anna", vec!["anna/10.png", "anna/2.WebP"]),
            ("empty", vec![]),
        ];
        assert_eq!(
            found,
            expected.map(|(name, photos)| (name, photos.into_iter().map(str::to_owned).collect::<Vec<_>>()))
        );
        assert_eq!(people[0].photos[2], root.path().join("Zoë/masked/0.png"));
    }

    #[test]
    fn a_person_may_be_called_masked() {
        let root = tree(&["masked/1.png", "masked/masked/2.png", "x/1.png"]);
        let masked = &find_people(root.path(), 2).unwrap()[0];
        let sources: Vec<_> = masked.photos.iter().map(|photo| masked.source(photo)).collect();
        assert_eq!(sources, ["masked/1.png", "masked/masked/2.png"]);
    }

    #[test]
    fn too_few_people_are_refused_with_what_to_do() {
        let cases: [(&[&str], _); 4] = [
            (&[], "no person with photos"),
            (&["1.jpg", "2.jpg"], "no person with photos"),
            (&["anna/1.jpg"], "only one person with photos ('anna')"),
            (&["anna/1.jpg", "ben/notes.txt"], "only one person with photos ('anna')"),
        ];
        for (names, expected) in cases {
            let root = tree(names);
            let message = message(root.path());
            assert!(message.starts_with(root.path().to_str().unwrap()), "{message}");
            assert!(message.contains(expected) && message.contains("one sub-folder per person"), "{message}");
        }
    }

    #[test]
    fn a_missing_folder_and_a_file_are_refused_with_what_to_do() {
        let root = tree(&["file"]);
        for name in ["missing", "file"] {
            let message = message(&root.path().join(name));
            assert!(message.contains(name) && message.contains("one sub-folder per person"), "{message}");
        }
    }
}
