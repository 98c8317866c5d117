//! What a run wrote into the folder, as `review.json` keeps it.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZero;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Aside, Decision, Why};
use crate::formats::atomic::write_atomically;
use crate::{Error, Result};

/// Its name in the folder.
pub(super) const FILE: &str = "review.json";
const VERSION: u64 = 1;

/// Bytes of a photo's name in the names of its crops; the whole name has to stay below 255.
const LONGEST_NAME: usize = 120;

/// What a run wrote into the folder.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: u64,
    /// Whether all of it was written. If not, where the files lie says nothing.
    pub complete: bool,
    /// Number of contact sheets.
    pub sheets: usize,
    pub photos: Vec<Photo>,
}

/// A photo that shows several faces. Equal photos of one person are one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Photo {
    pub person: String,
    /// SHA-256 of its file, which finds it under another name too.
    content: String,
    /// How its faces were found and cut.
    pub settings: String,
    /// Names of the crops, the largest face first.
    pub crops: Vec<String>,
    /// Index of the face that was taken.
    #[serde(serialize_with = "write_counted", deserialize_with = "read_counted")]
    pub used: Option<usize>,
    /// Whether the user wanted it so.
    chosen: bool,
}

impl Record {
    pub fn new(complete: bool, sheets: usize, photos: Vec<Photo>) -> Record {
        Record { version: VERSION, complete, sheets, photos }
    }

    /// That of the last run in this folder; an empty one if there was none.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read.
    pub fn open(folder: &Path) -> Result<Record> {
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Record::new(false, 0, vec![])),
            bytes => bytes
                .map_err(|error| Error::io(&path, error, "give a folder for the review that can be read"))?,
        };
        let record: Option<Record> = serde_json::from_slice(&bytes).ok();
        record.filter(Record::is_sound).ok_or_else(|| {
            Error::format(&path, "is damaged or of another version; remove the folder to begin anew")
        })
    }

    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<()> {
        write_atomically(&folder.join(FILE), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            writeln!(file)
        })
    }

    fn is_sound(&self) -> bool {
        self.version == VERSION && self.photos.iter().all(Photo::is_sound)
    }
}

impl Photo {
    pub fn new(aside: &Aside, settings: &str) -> Photo {
        Photo {
            person: aside.person.clone(),
            content: aside.content.clone(),
            settings: settings.to_owned(),
            crops: (1..=aside.faces.len())
                .map(|face| crop_name(&aside.photo, &aside.content, face))
                .collect(),
            used: aside.used,
            chosen: aside.why == Why::Chosen,
        }
    }

    pub fn is(&self, person: &str, content: &str) -> bool {
        self.person == person && self.content == content
    }

    /// Whether it is what the record holds of this photo.
    pub fn is_that_of(&self, aside: &Aside) -> bool {
        self.is(&aside.person, &aside.content)
    }

    /// What the user wanted of it when it was written.
    pub fn decided(&self) -> Option<Decision> {
        self.chosen.then_some(Decision { used: self.used, why: Why::Chosen })
    }

    /// Whether it names one of its own crops, and no file outside its folder.
    fn is_sound(&self) -> bool {
        self.used.is_none_or(|face| face < self.crops.len())
            && self.crops.iter().chain([&self.person]).all(|name| is_plain(name))
    }
}

/// Faces are counted from 1, as in the names of their crops.
fn write_counted<S: Serializer>(face: &Option<usize>, file: S) -> std::result::Result<S::Ok, S::Error> {
    face.map(|face| face + 1).serialize(file)
}

fn read_counted<'de, D: Deserializer<'de>>(file: D) -> std::result::Result<Option<usize>, D::Error> {
    let counted = Option::<NonZero<usize>>::deserialize(file)?;
    Ok(counted.map(|face| face.get() - 1))
}

/// The name of a crop: the photo's, without what some file systems refuse, then what tells it from photos of the same
/// name, and the number of the face, the largest being 1.
fn crop_name(photo: &Path, content: &str, face: usize) -> String {
    let name = photo.file_name().unwrap_or_default().to_string_lossy();
    let refused = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    let mut name: String = name.chars().map(|c| if refused(c) { '_' } else { c }).collect();
    name.truncate(name.floor_char_boundary(LONGEST_NAME));
    format!("{name}-{}-face{face}.png", &content[..8])
}

/// Whether this is a name and no way to somewhere else.
fn is_plain(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by version 0.1.0.
    const WRITTEN: &str = r#"{
  "complete": true,
  "photos": [
    {
      "chosen": true,
      "content": "3fa2b1c0",
      "crops": [
        "party.jpg-3fa2b1c0-face1.png",
        "party.jpg-3fa2b1c0-face2.png"
      ],
      "person": "anna",
      "settings": "0123456789abcdef",
      "used": 2
    },
    {
      "chosen": false,
      "content": "4fa2b1c0",
      "crops": [
        "zoo.jpg-4fa2b1c0-face1.png"
      ],
      "person": "ben",
      "settings": "0123456789abcdef",
      "used": null
    }
  ],
  "sheets": 1,
  "version": 1
}
"#;

    #[test]
    fn records_of_earlier_versions_are_read_and_written_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, WRITTEN).unwrap();
        let record = Record::open(folder.path()).unwrap();
        assert_eq!((record.complete, record.sheets, record.photos.len()), (true, 1, 2));
        let [anna, ben] = &record.photos[..] else { unreachable!("two photos") };
        assert!(anna.is("anna", "3fa2b1c0") && anna.crops[1] == "party.jpg-3fa2b1c0-face2.png");
        assert_eq!(anna.decided(), Some(Decision { used: Some(1), why: Why::Chosen }));
        assert_eq!((ben.used, ben.decided()), (None, None));

        record.save(folder.path()).unwrap();
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(json(&fs::read_to_string(&path).unwrap()), json(WRITTEN));
    }

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        let name =
            crop_name(Path::new(&format!("a/{}.jpg", "ß".repeat(120))), &"0123456789abcdef".repeat(4), 2);
        assert!(name.len() < 160 && name.ends_with("ß-01234567-face2.png"), "{name}");
    }
}
