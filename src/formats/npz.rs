//! Named arrays in NumPy's compressed `.npz`: plain arrays only, never pickled objects.
//!
//! The file is a zip archive with one `.npy` file per array, which the private module `npy` reads and writes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::atomic::write_atomically;
use super::npy;
use crate::{Error, Result};

pub(super) const DAMAGED: &str = "the file is damaged; make or copy it again";

/// The elements of an [`NpzArray`]: its own where it was read, borrowed or its own where it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum NpzData<'a> {
    /// 32-bit floats; 16-bit floats are read as these.
    F32(Cow<'a, [f32]>),
    /// 64-bit floats.
    F64(Cow<'a, [f64]>),
    /// Bytes.
    U8(Cow<'a, [u8]>),
    /// 32-bit unsigned integers.
    U32(Cow<'a, [u32]>),
    /// 64-bit signed integers; 32-bit ones are read as these.
    I64(Cow<'a, [i64]>),
    /// Strings, NumPy's `U` types.
    Text(Cow<'a, [String]>),
}

impl NpzData<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            NpzData::F32(v) => v.len(),
            NpzData::F64(v) => v.len(),
            NpzData::U8(v) => v.len(),
            NpzData::U32(v) => v.len(),
            NpzData::I64(v) => v.len(),
            NpzData::Text(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An array with a shape, its elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct NpzArray<'a> {
    shape: Vec<usize>,
    data: NpzData<'a>,
}

impl<'a> NpzArray<'a> {
    /// An array of shape `shape` with these elements in row-major order.
    ///
    /// # Panics
    /// If the number of elements is not that of the shape.
    pub fn new(shape: impl Into<Vec<usize>>, data: NpzData<'a>) -> NpzArray<'a> {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "elements of an array of shape {shape:?}");
        NpzArray { shape, data }
    }

    /// Sizes of the axes, the last varying fastest.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &NpzData<'a> {
        &self.data
    }

    /// The elements, without the shape.
    pub fn into_data(self) -> NpzData<'a> {
        self.data
    }
}

/// Reads all arrays of the file at `path`, of either byte order, in C or Fortran order.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened; [`Error::Format`] if it is cut short, no `.npz`, or an array in it
/// has a type or size that cannot be read.
pub fn read(path: impl AsRef<Path>) -> Result<BTreeMap<String, NpzArray<'static>>> {
    let mut file = NpzFile::open(path.as_ref())?;
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    names.into_iter().map(|name| Ok((name.clone(), file.array(&name, None)?))).collect()
}

/// A file of which arrays are read one by one.
pub struct NpzFile {
    path: PathBuf,
    archive: ZipArchive<BufReader<File>>,
    size: u64,
    /// Where each array is in the archive.
    entries: BTreeMap<String, usize>,
}

impl NpzFile {
    /// Opens the file at `path` and lists its arrays.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be opened; [`Error::Format`] if it is cut short or no `.npz`.
    pub fn open(path: &Path) -> Result<NpzFile> {
        let opened = |source| Error::io(path, source, "check the name of the file");
        let file = File::open(path).map_err(opened)?;
        let size = file.metadata().map_err(opened)?.len();
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
            Error::format(path, format!("no .npz file, or cut short ({error}); make or copy it again"))
        })?;
        let mut entries = BTreeMap::new();
        for index in 0..archive.len() {
            let damaged = |error| Error::format(path, format!("entry {index}: {error}; {DAMAGED}"));
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            if let Some(name) = array_name_from_file_name(&entry.name().map_err(damaged)?) {
                entries.insert(name.to_owned(), index);
            }
        }
        Ok(NpzFile { path: path.to_path_buf(), archive, size, entries })
    }

    /// Names of the arrays.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The array of this name. Where a shape is expected, another one is refused before anything is read.
    ///
    /// # Errors
    /// [`Error::Format`] if there is none, it has another shape than expected, or a type or size that cannot be read.
    pub fn array(&mut self, name: &str, expected: Option<&[usize]>) -> Result<NpzArray<'static>> {
        let wrong = |problem: String| Error::format(&self.path, format!("array '{name}': {problem}"));
        let index = *self.entries.get(name).ok_or_else(|| wrong("is missing".into()))?;
        let mut entry = self.archive.by_index(index).map_err(|error| wrong(format!("{error}; {DAMAGED}")))?;
        let compressed = entry.compressed_size().min(self.size);
        npy::read(&mut entry, compressed, expected).map_err(wrong)
    }
}

/// Writes these arrays, compressed, to the file at `path`, whole or not at all. Equal arrays give equal bytes.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write(path: impl AsRef<Path>, arrays: &[(&str, NpzArray<'_>)]) -> Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default()) // the same every time
        .large_file(true); // 4 GiB and more, as NumPy does
    write_atomically(path.as_ref(), |out| {
        let mut archive = ZipWriter::new_stream(out);
        for (name, array) in arrays {
            archive.start_file(file_name_from_array_name(name), options)?;
            npy::write(&mut archive, array)?;
        }
        archive.finish()?.flush()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Cursor;

    use super::*;

    fn example() -> [(&'static str, NpzArray<'static>); 6] {
        [
            ("x", NpzArray::new([2, 3], NpzData::U8(vec![0, 1, 127, 128, 254, 255].into()))),
            ("y", NpzArray::new([2, 2], NpzData::F32(vec![1.0, -0.0, f32::INFINITY, 1e-40].into()))),
            ("mean", NpzArray::new([1], NpzData::F64(vec![1e300].into()))),
            ("group", NpzArray::new([2], NpzData::I64(vec![i64::MIN, 7].into()))),
            ("step", NpzArray::new([], NpzData::U32(vec![u32::MAX].into()))),
            (
                "names",
                NpzArray::new([3], NpzData::Text(vec!["Zoë".into(), String::new(), "𝄞 clef".into()].into())),
            ),
        ]
    }

    /// An archive of one array with this header and these bytes behind it.
    fn archive(header: &str, data: &[u8]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("a.npy", SimpleFileOptions::default()).unwrap();
        archive.write_all(b"\x93NUMPY\x02\x00").unwrap();
        archive.write_all(&(header.len() as u32).to_le_bytes()).unwrap();
        archive.write_all(header.as_bytes()).unwrap();
        archive.write_all(data).unwrap();
        archive.finish().unwrap().into_inner()
    }

    fn header(ty: &str, shape: &str) -> String {
        format!("{{'descr': '{ty}', 'fortran_order': False, 'shape': {shape}, }}")
    }

    fn read_bytes(bytes: &[u8]) -> Result<BTreeMap<String, NpzArray<'static>>> {
        let file = tempfile::Builder::new().suffix(".npz").tempfile().unwrap();
        fs::write(file.path(), bytes).unwrap();
        read(file.path())
    }

    #[test]
    fn a_file_reads_back_as_written_and_equal_arrays_give_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.npz", "b.npz"].map(|name| folder.path().join(name));
        write(&a, &example()).unwrap();
        write(&b, &example()).unwrap();
        assert_eq!(read(&a).unwrap(), example().map(|(name, array)| (name.to_owned(), array)).into());
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
    }

    /// Made by `kernels-tests/golden/numpy_npz.py`.
    #[test]
    fn what_numpy_writes_is_read() {
        let arrays = read_bytes(include_bytes!("../../kernels-tests/golden/numpy.npz")).unwrap();
        let counted = NpzData::I64((0..24).collect());
        let expected = [
            ("fortran", NpzArray::new([2, 3, 4], counted.clone())),
            ("int32", NpzArray::new([2, 3, 4], counted)),
            ("big_endian", NpzArray::new([3], NpzData::F64(vec![0.5, -2.0, 1e300].into()))),
            ("half", NpzArray::new([3], NpzData::F32(vec![1.5, -0.0, 65504.0].into()))),
            ("empty", NpzArray::new([0, 5], NpzData::F32(vec![].into()))),
            ("scalar", NpzArray::new([], NpzData::U32(vec![7].into()))),
            ("names", NpzArray::new([2, 1], NpzData::Text(vec!["Zoë".into(), "𝄞 clef".into()].into()))),
        ];
        assert_eq!(arrays, expected.map(|(name, array)| (name.to_owned(), array)).into());
    }

    #[test]
    fn no_beginning_of_a_file_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        write(&path, &example()).unwrap();
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            let message = read_bytes(&bytes[..length]).expect_err("a file cut short").to_string();
            assert!(message.contains("cut short"), "{length} bytes: {message}");
        }
    }

    #[test]
    fn a_changed_byte_never_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        write(&path, &example()).unwrap();
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            // Names and times in the archive are not checksummed, so some changes are no error.
            let _ = read_bytes(&changed);
        }
    }

    #[test]
    fn broken_and_absurd_arrays_are_refused_by_name() {
        let cases = [
            (archive(&header("<f4", "(3,)"), &[0; 11]), "needs 12 bytes, there are fewer or more"),
            (archive(&header("<f4", "(3,)"), &[0; 13]), "needs 12 bytes, there are fewer or more"),
            (archive(&header("|u1", "(4000000000,)"), &[0; 8]), "cannot hold them"),
            (archive(&header("|u1", "(1000000, 1000000)"), &[0; 8]), "cannot hold them"),
            (archive(&header("|u1", "(4294967296, 4294967296)"), &[0; 8]), "is no plain array"),
            (archive(&header("<f8", "(9999999999999999,)"), &[0; 8]), "cannot hold them"),
            (archive(&header("<U9999", "(999999999999999,)"), &[0; 8]), "needs more than"),
            (archive(&header("<f4", "(-1,)"), &[0; 8]), "dimension cannot be negative"),
            (archive(&header("<c8", "(1,)"), &[0; 8]), "has type '<c8'"),
            (archive(&header("|O", "(1,)"), b"\x80\x04N."), "only pickle can read"),
            (archive(&header("<U1", "(1,)"), &[0, 0, 0x11, 0]), "0x110000 is no character"),
            (archive(&header("<U0", "(9999999999,)"), &[]), "has type '<U0'"),
            (archive(&header("<zz", "(1,)"), &[0; 8]), "invalid type string"),
            (archive(&"[".repeat(9_000), b""), "is no plain array"),
            (archive(&"-".repeat(9_000), b""), "could not parse"),
            (archive(&" ".repeat(10_001), b""), "has a header of 10001 bytes"),
            (archive("{}", b""), "dict is missing key"),
        ];
        for (bytes, expected) in cases {
            let message = read_bytes(&bytes).expect_err(expected).to_string();
            assert!(message.contains(".npz: array 'a': "), "{message}");
            assert!(message.contains(expected), "expected '{expected}' in: {message}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = read("no/such.npz").unwrap_err().to_string();
        assert!(message.starts_with("no/such.npz: "), "{message}");
    }
}
