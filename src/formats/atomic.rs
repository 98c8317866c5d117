//! Writing a file whole or not at all: to a neighbour first, then renamed over the old one.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
#[cfg(feature = "train")]
use std::path::PathBuf;

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result};

/// What the names of temporary files begin with. Only a run that is killed while it writes leaves one.
pub(crate) const TEMPORARY: &str = ".lookalike-";

/// Writes the file at `path` through `write`, so that a reader sees the old content or the new, never a part.
///
/// The bytes go to a hidden temporary file in the same folder, which is flushed to the disk and renamed over
/// `path` when `write` has succeeded. On an error the old file is as it was, and nothing is left behind.
///
/// # Errors
/// [`Error::Io`] if the folder is missing or may not be written to, if the disk is full, or with what `write`
/// returns.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    write_through(path, |file| Box::new(file), write)
}

/// [`write_atomically`], where the file that was there is kept as [`previous_of`] it: at every moment one of the two is whole.
///
/// The bytes go to a neighbour whose name ends in `.part`, which a run that is killed while it writes leaves to the next.
///
/// # Errors
/// As [`write_atomically`].
#[cfg(feature = "train")]
pub fn write_keeping_previous(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let part = part_of(path);
    let written = (|| {
        let mut buffer = BufWriter::new(File::create(&part)?);
        write(&mut buffer)?;
        buffer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        if path.is_file() {
            std::fs::rename(path, previous_of(path))?;
        }
        std::fs::rename(&part, path)?;
        sync_folder(folder_of(path))
    })();
    written.map_err(|source| {
        let _ = std::fs::remove_file(&part);
        let advice = advice(source.kind());
        Error::io(path, source, advice)
    })
}

/// Where [`write_keeping_previous`] keeps the file that was there.
#[cfg(feature = "train")]
pub fn previous_of(path: &Path) -> PathBuf {
    with_ending(path, ".previous")
}

/// Where [`write_keeping_previous`] writes.
#[cfg(feature = "train")]
pub fn part_of(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

#[cfg(feature = "train")]
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether a file could be written at `path`, tried before long work. Leaves nothing behind.
///
/// # Errors
/// [`Error::Io`] as [`write_atomically`] would give, but for a full disk.
pub fn check_writable(path: &Path) -> Result<()> {
    let failed = |source: io::Error| {
        let advice = advice(source.kind());
        Error::io(path, source, advice)
    };
    if path.is_dir() {
        return Err(failed(ErrorKind::IsADirectory.into()));
    }
    temporary_file(folder_of(path)).map(drop).map_err(failed)
}

/// [`write_atomically`], with `sink` between the buffer and the file: where tests put a full disk.
fn write_through(
    path: &Path,
    sink: impl for<'f> FnOnce(&'f File) -> Box<dyn Write + 'f>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let failed = |source: io::Error| {
        let advice = advice(source.kind());
        Error::io(path, source, advice)
    };
    let folder = folder_of(path);
    let temporary = temporary_file(folder).map_err(failed)?;
    {
        let mut buffer = BufWriter::new(sink(temporary.as_file()));
        write(&mut buffer).and_then(|()| buffer.flush()).map_err(failed)?;
    }
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|refused| failed(refused.error))?;
    sync_folder(folder).map_err(failed)
}

/// The folder a file lies in; the current one for a bare name.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY);
    // Left alone, a temporary file is its owner's only; a result is like any new file, less the user's mask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    // The error would show the temporary name, which the user has never heard of.
    builder.tempfile_in(folder).map_err(|error| error.kind().into())
}

/// Makes the new name itself survive a power cut. Elsewhere than on Unix a folder cannot be opened for this.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What the user can do about an error of this kind.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "create its folder first, or choose another one",
        ErrorKind::NotADirectory => "a part of this path is a file; choose a folder to write to",
        ErrorKind::IsADirectory => "this is a folder; give the name of a file",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "choose a folder you may write to",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full; free some space and run again"
        }
        _ => "the file was not written; check the disk and run again",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A disk with room for so many bytes.
    struct FullDisk<'f> {
        file: &'f File,
        room: usize,
    }

    impl Write for FullDisk<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let written = self.file.write(&bytes[..bytes.len().min(self.room)])?;
            self.room -= written;
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_cannot_be_written_is_known_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        check_writable(&file).unwrap();
        assert!(names(folder.path()).is_empty(), "nothing is left behind");
        fs::write(&file, "old").unwrap();
        check_writable(&file).unwrap();
        for path in [folder.path().to_path_buf(), file.join("model"), folder.path().join("none/model")] {
            let message = check_writable(&path).unwrap_err().to_string();
            assert!(message.contains("folder"), "{message}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }

    #[test]
    fn a_new_file_and_a_replaced_one_hold_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        for text in ["first, and longer", "second"] {
            write_atomically(&path, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_else() {
        const LENGTH: usize = 3 * 8192 + 5;
        let content = vec![7; LENGTH];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        fs::write(&path, "old").unwrap();
        let edges = [0, 1, 8191, 8192, 8193, 16383, 16384, 16385, 3 * 8192, LENGTH - 1];
        for room in edges {
            // In pieces, so that the buffer fills up; the last of them reaches the disk only with the flush.
            let error = write_through(
                &path,
                |file| Box::new(FullDisk { file, room }),
                |out| content.chunks(1000).try_for_each(|piece| out.write_all(piece)),
            )
            .expect_err("the disk is full");
            assert!(error.to_string().contains("free some space"), "room for {room}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "old", "room for {room}");
            assert_eq!(names(folder.path()), ["model"], "room for {room}");
        }
        write_through(&path, |file| Box::new(FullDisk { file, room: LENGTH }), |out| out.write_all(&content))
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
    }

    #[test]
    fn a_failing_writer_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let refused = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        };
        let error = write_atomically(&path, refused).unwrap_err();
        assert!(error.to_string().contains("no more"), "{error}");
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn errors_name_the_path_and_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        let cases = [
            ("file/a.txt", "is a file"),
            ("missing/a.txt", "create its folder"),
            ("folder", "name of a file"),
        ];
        for (name, advice) in cases {
            let path = folder.path().join(name);
            let message = write_atomically(&path, |out| out.write_all(b"x")).unwrap_err().to_string();
            assert!(message.starts_with(path.to_str().unwrap()), "{message}");
            assert!(message.contains(advice), "{message}");
            assert!(!message.contains(TEMPORARY), "{message}");
        }
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_result_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomically(&ours, |out| out.write_all(b"x")).unwrap();
        fs::write(&plain, "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[cfg(feature = "train")]
    #[test]
    fn a_write_that_fails_leaves_both_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.checkpoint");
        for content in ["first", "second"] {
            write_keeping_previous(&path, |out| out.write_all(content.as_bytes())).unwrap();
        }
        let full = write_keeping_previous(&path, |out| {
            out.write_all(b"half of the thi")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert!(full.unwrap_err().to_string().contains("the disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read(previous_of(&path)).unwrap(), b"first");
        assert!(!part_of(&path).exists());
        // What a killed run left is written over.
        fs::write(part_of(&path), b"left behind, and longer than the next").unwrap();
        write_keeping_previous(&path, |out| out.write_all(b"third")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::read(previous_of(&path)).unwrap(), b"second");
    }
}
