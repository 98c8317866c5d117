//! Which photos show a real mask: those in a person's folder `masked`, and those that `masks.csv` names.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::people::MASKED_FOLDER;
use crate::{Error, Result};

/// The list beside the people's folders.
const LIST: &str = "masks.csv";
/// What the list says of a bare face.
const BARE: &str = "no-mask";

/// What is known about the masks in a folder of people.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Masks {
    /// What the list says, by [`Person::source`](super::people::Person::source).
    listed: HashMap<String, bool>,
}

impl Masks {
    /// Reads `masks.csv` in `folder`, if there is one: a header `file,mask`, then a line per photo, as
    /// `anna/3.png,surgical` or `anna/4.png,no-mask`.
    ///
    /// # Errors
    /// [`Error::Io`] if it is there but cannot be read, [`Error::Format`] if a line has no such form.
    pub fn read(folder: &Path) -> Result<Masks> {
        let path = folder.join(LIST);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Masks::default()),
            Err(source) => return Err(Error::io(&path, source, "make it readable, or move it away")),
        };
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line.trim_start_matches('\u{feff}').trim());
        if header != "file,mask" {
            return Err(Error::format(&path, "does not begin with the line 'file,mask'; add it"));
        }
        let mut listed = HashMap::new();
        for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let Some((file, mask)) = line.rsplit_once(',') else {
                let problem = format!("line {} is not 'file,mask': {line}", number + 1);
                return Err(Error::format(&path, problem));
            };
            listed.insert(file.trim().replace('\\', "/"), mask.trim() != BARE);
        }
        Ok(Masks { listed })
    }

    /// Whether the photo of this [source](super::people::Person::source) shows a real mask.
    pub fn is_masked(&self, source: &str) -> bool {
        let in_folder = matches!(source.split('/').collect::<Vec<_>>()[..], [_, MASKED_FOLDER, _]);
        self.listed.get(source).copied().unwrap_or(in_folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Masks> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LIST), text).unwrap();
        Masks::read(folder.path())
    }

    #[test]
    fn a_photo_is_masked_by_its_folder_or_by_the_list() {
        let masks = read("file,mask\nanna/1.png,surgical_blue\r\nanna/2.png,no-mask\n\nanna/a,b.png,cloth\n")
            .unwrap();
        for (source, masked) in [
            ("anna/1.png", true),
            ("anna/2.png", false),
            ("anna/3.png", false),
            ("anna/a,b.png", true),
            ("anna/masked/1.png", true),
            ("masked/1.png", false),
        ] {
            assert_eq!(masks.is_masked(source), masked, "{source}");
        }
    }

    #[test]
    fn no_list_is_fine_and_a_wrong_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Masks::read(folder.path()).unwrap(), Masks::default());
        assert!(read("anna/1.png,cloth\n").unwrap_err().to_string().contains("'file,mask'"));
        assert!(read("file,mask\nanna/1.png\n").unwrap_err().to_string().contains("line 2"));
    }
}
