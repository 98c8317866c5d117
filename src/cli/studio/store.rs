//! Where projects lie: a folder each, in the user's data folder. Names on disk are drawn by the program and never come from the
//! page.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use lookalike::formats::checksum::hex;
use lookalike::vision::{MAX_PIXELS, RgbImage, decode, encode_png};
use lookalike::{Error, Result};

use super::message::Titled;
use super::project::Project;
use crate::cli::output::{make_folder, write};

/// Random bytes of a project's name on disk.
const NAME: usize = 8;

/// All projects. One program at a time may have them.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Held as long as the store is.
    _lock: File,
}

/// A project's folder.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// Its name.
    pub id: String,
    folder: PathBuf,
}

impl Store {
    /// The projects in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made or written to, [`Error::Input`] if another program has it.
    pub fn open(root: &Path) -> Result<Store> {
        make_folder(root)?;
        let path = root.join("lock");
        let refused = |source| Error::io(&path, source, "choose a folder you may write to (--folder)");
        let lock = File::options().create(true).append(true).open(&path).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => Ok(Store { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Input(format!(
                "the projects in {} are open in another studio; end it first, or choose another folder (--folder)",
                root.display()
            ))),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }

    /// The projects that can be read, the one changed last first.
    pub fn list(&self) -> Vec<Titled> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let shelf = self.shelf(entry.file_name().to_str()?)?;
                let changed = fs::metadata(shelf.project_path()).ok()?.modified().ok()?;
                Some((changed, Titled { title: shelf.project().ok()?.title, id: shelf.id }))
            })
            .collect();
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
        found.into_iter().map(|(_, titled)| titled).collect()
    }

    /// The folder of this name; none if no project can have it.
    pub fn shelf(&self, id: &str) -> Option<Shelf> {
        let is_name =
            id.len() == 2 * NAME && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_name.then(|| Shelf { id: id.to_owned(), folder: self.root.join(id) })
    }

    /// Makes a folder for a project and writes it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn add(&self, project: &Project) -> Result<Shelf> {
        let id = random_name::<NAME>()?;
        let folder = self.root.join(&id);
        let shelf = Shelf { id, folder };
        make_folder(&shelf.folder.join("faces"))?;
        shelf.save(project)?;
        Ok(shelf)
    }
}

/// So many random bytes in hexadecimal.
///
/// # Errors
/// [`Error::Input`] if the system gives none.
pub fn random_name<const N: usize>() -> Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|problem| Error::Input(format!("the system gives no random numbers: {problem}")))?;
    Ok(hex(&bytes))
}

impl Shelf {
    fn project_path(&self) -> PathBuf {
        self.folder.join("project.json")
    }

    fn face_path(&self, face: u32) -> PathBuf {
        self.folder.join("faces").join(format!("{face}.png"))
    }

    /// Where its model lies.
    pub fn model_path(&self) -> PathBuf {
        self.folder.join("model.safetensors")
    }

    /// Where a file of all its faces is made, to be handed out.
    pub fn faces_path(&self) -> PathBuf {
        self.folder.join("faces.npz")
    }

    /// The folder of its report.
    pub fn report_folder(&self) -> PathBuf {
        self.folder.join("model-report")
    }

    /// The project.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read.
    pub fn project(&self) -> Result<Project> {
        let path = self.project_path();
        let text = fs::read(&path).map_err(|source| Error::io(&path, source, "open another project"))?;
        serde_json::from_slice(&text)
            .map_err(|problem| Error::format(&path, format!("is damaged ({problem}); open another project")))
    }

    /// Writes the project, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, project: &Project) -> Result<()> {
        let text = serde_json::to_vec_pretty(project).expect("a project is plain data");
        write(&self.project_path(), &text)
    }

    /// Writes the picture of a face.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn add_face(&self, face: u32, picture: &RgbImage) -> Result<()> {
        write(&self.face_path(face), &encode_png(picture)?)
    }

    /// The picture of a face.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Format`] if it cannot be read.
    pub fn face(&self, face: u32) -> Result<RgbImage> {
        decode(&self.face_path(face), MAX_PIXELS)
    }

    /// Whether there is a picture of the face, which may be unreadable.
    pub fn has_face(&self, face: u32) -> bool {
        // What cannot be looked at may be there.
        self.face_path(face).try_exists().unwrap_or(true)
    }

    /// Removes the pictures of all faces but these. Only a program that was killed leaves some that its project does not know.
    pub fn keep_faces(&self, faces: &[u32]) {
        let kept: HashSet<u32> = faces.iter().copied().collect();
        let entries = fs::read_dir(self.folder.join("faces")).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let face = path.file_stem().and_then(|name| name.to_str()?.parse().ok());
            if !face.is_some_and(|face| kept.contains(&face)) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Removes the folder and all in it.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        fs::remove_dir_all(&self.folder)
            .map_err(|source| Error::io(&self.folder, source, "close what has its files open and try again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::studio::project::Face;

    #[test]
    fn what_was_saved_is_there_again_and_only_one_program_has_it() {
        let root = tempfile::tempdir().unwrap();
        let picture = RgbImage::filled(8, 8, [9, 8, 7]);
        let id = {
            let store = Store::open(root.path()).unwrap();
            let second = Store::open(root.path()).unwrap_err().to_string();
            assert!(second.contains("another studio"), "{second}");
            let mut project = Project::new("One").unwrap();
            let person = project.add_person("Anna").unwrap();
            let shelf = store.add(&project).unwrap();
            let face = Face { id: project.number(), person, recording: 1, landmarks: Some([[0.1, 2.5]; 5]) };
            shelf.add_face(face.id, &picture).unwrap();
            shelf.add_face(77, &picture).unwrap();
            project.add_face(face.clone());
            shelf.save(&project).unwrap();
            assert_eq!(shelf.project().unwrap(), project);
            shelf.keep_faces(&[face.id]);
            assert_eq!(shelf.face(face.id).unwrap(), picture);
            assert!(shelf.face(77).is_err());
            shelf.id
        };
        let store = Store::open(root.path()).unwrap();
        assert_eq!(store.list(), [Titled { id: id.clone(), title: "One".into() }]);
        let shelf = store.shelf(&id).unwrap();
        fs::write(shelf.project_path(), "{\"title\": ").unwrap();
        assert!(shelf.project().unwrap_err().to_string().contains("damaged"));
        assert!(store.list().is_empty());
        shelf.remove().unwrap();
        assert!(fs::read_dir(root.path()).unwrap().flatten().all(|entry| entry.file_name() == "lock"));
    }

    #[test]
    fn names_from_outside_are_no_paths() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("studio")).unwrap();
        assert!(store.shelf("0123456789abcdef").is_some());
        for wrong in [
            "",
            ".",
            "..",
            "../../../../etc/",
            "/etc/passwd/././",
            "0123456789abcde/",
            "0123456789ABCDEF",
            "0123456789abcdef0",
            "..\\..\\..\\..\\....",
            "0123456789abcde\0",
        ] {
            assert!(store.shelf(wrong).is_none(), "{wrong:?}");
        }
    }
}
