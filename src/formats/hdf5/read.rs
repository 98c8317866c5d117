//! What an HDF5 file holds: datasets, their sizes, and texts that stand beside groups.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, File, FloatingPointLayout, Group, Layout};

use super::source::Metered;
use crate::caught::caught;
use crate::{Error, Result};

/// Groups inside each other, and objects in a file: no file of weights comes near.
const MAX_DEPTH: usize = 32;
const MAX_OBJECTS: usize = 20_000;
/// What a chunk may hold beyond its dataset: one that may grow has chunks larger than itself.
const MAX_SPARE_CHUNK: u64 = 1 << 20;
/// Deflate, shuffle and Fletcher's checksum, by their numbers: whatever h5py and Keras use.
const FILTERS: [u16; 3] = [1, 2, 3];

const DAMAGED: &str = "the file is damaged or cut short; copy or download it again";

type Readable<T> = std::result::Result<T, String>;

/// A file that is open for reading. It is read where it lies: only what is asked for comes to memory.
#[derive(Debug)]
pub struct Hdf5File {
    name: PathBuf,
    file: File,
}

/// A dataset, before its elements are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Hdf5Dataset {
    /// Names of the groups it lies in and its own, with `/` between them.
    pub path: String,
    /// Sizes of its axes, as declared.
    pub shape: Vec<u64>,
    /// Bytes of an element, as declared.
    pub element_size: u64,
}

impl Hdf5File {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be opened; [`Error::Format`] if it is no HDF5 file, cut short or damaged.
    pub fn open(path: &Path) -> Result<Hdf5File> {
        let file =
            fs::File::open(path).map_err(|source| Error::io(path, source, "check the name of the file"))?;
        Hdf5File::new(path, file)
    }

    /// [`Hdf5File::open`] of bytes that lie elsewhere, as a [`Cursor`](std::io::Cursor) has them; errors call them
    /// `name`.
    ///
    /// # Errors
    /// [`Error::Format`], as [`Hdf5File::open`].
    pub fn new(name: &Path, bytes: impl Read + Seek + Send + 'static) -> Result<Hdf5File> {
        let open =
            || Metered::new(bytes).map_err(damaged).and_then(|s| File::from_source(s).map_err(damaged));
        let whole = || open().and_then(check_length);
        Ok(Hdf5File { file: guarded(name, whole)?, name: name.to_path_buf() })
    }

    /// All datasets, group by group. None is read.
    ///
    /// # Errors
    /// [`Error::Format`] if the file is damaged, or its groups lie too deep in each other.
    pub fn datasets(&self) -> Result<Vec<Hdf5Dataset>> {
        guarded(&self.name, || {
            let mut walk = Walk::default();
            walk.group(&self.file.root(), "", 0)?;
            Ok(walk.found)
        })
    }

    /// The text or texts under the key `key` of the group at `path` (`""` is the root), of fixed or variable length.
    /// `None` where there is no such group or key, or no text under it.
    ///
    /// # Errors
    /// [`Error::Format`] if the group is damaged.
    pub fn texts(&self, path: &str, key: &str) -> Result<Option<Vec<String>>> {
        guarded(&self.name, || {
            let Some(group) = self.group(path) else { return Ok(None) };
            let mut attributes = group.attrs().map_err(|e| format!("group '{path}': {}", damaged(e)))?;
            Ok(attributes.remove(key).as_ref().and_then(AttrValue::as_strings).map(<[String]>::to_vec))
        })
    }

    /// The elements of the dataset at `path`, which has to have this shape, in row-major order: 16-, 32- and 64-bit
    /// floats of either byte order, and Keras's bfloat16.
    ///
    /// # Errors
    /// [`Error::Format`] if it is missing, has another shape or type, is damaged, or a part of it was never written.
    pub fn read_f32(&self, path: &str, shape: &[usize]) -> Result<Vec<f32>> {
        guarded(&self.name, || {
            let dataset = self.file.dataset(path).map_err(|_| format!("tensor '{path}': is missing"))?;
            elements(&dataset, shape).map_err(|problem| format!("tensor '{path}': {problem}"))
        })
    }

    fn group(&self, path: &str) -> Option<Group> {
        if path.is_empty() { Some(self.file.root()) } else { self.file.group(path).ok() }
    }
}

/// What `work` gives; its panic is an error too.
fn guarded<T>(name: &Path, work: impl FnOnce() -> Readable<T>) -> Result<T> {
    let outcome = caught(work).unwrap_or_else(|| Err(format!("the decoder failed on it; {DAMAGED}")));
    outcome.map_err(|problem| Error::format(name, problem))
}

/// The file, if it is as long as it says: what is missing could be something that nobody asks for.
fn check_length(file: File) -> Readable<File> {
    let (stated, found) = (file.superblock().eof_address, file.file_size());
    match stated <= found {
        true => Ok(file),
        false => Err(format!("has {found} bytes, should have {stated}; {DAMAGED}")),
    }
}

fn damaged(error: impl Display) -> String {
    format!("{error}; {DAMAGED}")
}

/// Datasets found so far, and objects seen.
#[derive(Default)]
struct Walk {
    found: Vec<Hdf5Dataset>,
    objects: usize,
}

impl Walk {
    fn group(&mut self, group: &Group, path: &str, depth: usize) -> Readable<()> {
        if depth > MAX_DEPTH {
            return Err(format!("groups lie more than {MAX_DEPTH} deep in each other; {DAMAGED}"));
        }
        let inside = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
        let broken = |e: hdf5_pure::Error| format!("group '{path}': {}", damaged(e));
        for (name, dataset) in group.iter_datasets().map_err(broken)? {
            self.count()?;
            let path = inside(&name);
            let described = dataset.shape().and_then(|shape| Ok((shape, dataset.element_size()?)));
            let (shape, element_size) = described.map_err(|e| format!("tensor '{path}': {}", damaged(e)))?;
            self.found.push(Hdf5Dataset { path, shape, element_size });
        }
        for (name, child) in group.iter_groups().map_err(broken)? {
            self.count()?;
            self.group(&child, &inside(&name), depth + 1)?;
        }
        Ok(())
    }

    fn count(&mut self) -> Readable<()> {
        self.objects += 1;
        match self.objects <= MAX_OBJECTS {
            true => Ok(()),
            false => Err(format!("holds more than {MAX_OBJECTS} groups and tensors; {DAMAGED}")),
        }
    }
}

/// How the bytes of an element become a number.
#[derive(Clone, Copy)]
enum Element {
    Half,
    BrainHalf,
    Single,
    Double,
}

impl Element {
    fn size(self) -> u64 {
        match self {
            Element::Half | Element::BrainHalf => 2,
            Element::Single => 4,
            Element::Double => 8,
        }
    }
}

/// The elements, after everything declared about them is checked.
fn elements(dataset: &Dataset, shape: &[usize]) -> Readable<Vec<f32>> {
    let found = dataset.shape().map_err(damaged)?;
    if !found.iter().copied().eq(shape.iter().map(|&size| size as u64)) {
        return Err(format!("has shape {found:?}, expected {shape:?}"));
    }
    let (element, order) = element_type(dataset)?;
    let bytes = shape.iter().map(|&size| size as u64).product::<u64>() * element.size();
    check_storage(dataset, shape, bytes, element.size())?;
    let raw = dataset.read_raw().map_err(damaged)?;
    if raw.len() as u64 != bytes {
        return Err(format!("holds {} bytes, expected {bytes}; {DAMAGED}", raw.len()));
    }
    let big = order == DatatypeByteOrder::BigEndian;
    Ok(match element {
        Element::Half => decode(&raw, big, |b| f16::from_le_bytes(b).to_f32()),
        Element::BrainHalf => decode(&raw, big, |b| bf16::from_le_bytes(b).to_f32()),
        Element::Single => decode(&raw, big, f32::from_le_bytes),
        Element::Double => decode(&raw, big, |b| f64::from_le_bytes(b) as f32),
    })
}

fn element_type(dataset: &Dataset) -> Readable<(Element, DatatypeByteOrder)> {
    const HALF: FloatingPointLayout = FloatingPointLayout {
        bit_offset: 0,
        bit_precision: 16,
        exponent_location: 10,
        exponent_size: 5,
        mantissa_location: 0,
        mantissa_size: 10,
        exponent_bias: 15,
    };
    let layouts = [
        (2, HALF, Element::Half),
        (4, FloatingPointLayout::IEEE754_BINARY32, Element::Single),
        (8, FloatingPointLayout::IEEE754_BINARY64, Element::Double),
    ];
    let datatype = dataset.datatype().map_err(damaged)?;
    let known = match &datatype {
        Datatype::FloatingPoint { size, byte_order, layout } if *byte_order != DatatypeByteOrder::Vax => {
            let element = layouts.iter().find(|known| (known.0, known.1) == (*size, *layout));
            element.map(|known| (known.2, *byte_order))
        }
        // HDF5 knows no bfloat16: Keras writes two bytes of unknown meaning and says beside them what they are.
        Datatype::Opaque { size: 2, .. } => {
            let named = dataset.attrs().map_err(damaged)?;
            let is_brain = named.get("dtype").and_then(AttrValue::as_str) == Some("bfloat16");
            is_brain.then_some((Element::BrainHalf, DatatypeByteOrder::LittleEndian))
        }
        _ => None,
    };
    known.ok_or_else(|| "holds no 16-, 32- or 64-bit floats; save it as float32".into())
}

/// Checks that all of the dataset's `bytes` bytes were written, in pieces no larger than they have to be.
fn check_storage(dataset: &Dataset, shape: &[usize], bytes: u64, element: u64) -> Readable<()> {
    let unwritten = || format!("was never written, or not to its end; {DAMAGED}");
    if let Some(filter) = dataset.filters().into_iter().find(|filter| !FILTERS.contains(filter)) {
        return Err(format!("is compressed by filter {filter}; save it with gzip or uncompressed"));
    }
    let chunk = match dataset.layout().map_err(damaged)? {
        Layout::Compact { size } | Layout::Contiguous { address: Some(_), size } if size == bytes => {
            return Ok(());
        }
        Layout::Chunked { chunk_shape, .. } => chunk_shape,
        Layout::Virtual => return Err("lies in other files; save it as one file".into()),
        _ => return Err(unwritten()),
    };
    let chunk_bytes = chunk.iter().try_fold(element, |product, &size| product.checked_mul(size));
    let fits = chunk_bytes.is_some_and(|size| (1..=bytes.saturating_add(MAX_SPARE_CHUNK)).contains(&size));
    if chunk.len() != shape.len() || !fits {
        return Err(format!("has shape {shape:?} in chunks of {chunk:?}; {DAMAGED}"));
    }
    // A chunk that is missing, or there twice in another's place, would read as zeros.
    let stored = dataset.chunks().map_err(damaged)?;
    let places: HashSet<&[u64]> = stored.iter().map(|chunk| chunk.offset.as_slice()).collect();
    let inside = |offset: &[u64]| {
        let axes = offset.iter().zip(&chunk).zip(shape);
        offset.len() == shape.len()
            && axes.into_iter().all(|((&at, &step), &size)| at % step == 0 && at < size as u64)
    };
    let wanted: u64 = shape.iter().zip(&chunk).map(|(&size, &step)| (size as u64).div_ceil(step)).product();
    let whole = places.len() as u64 == wanted && places.iter().all(|offset| inside(offset));
    if whole { Ok(()) } else { Err(unwritten()) }
}

fn decode<const N: usize>(bytes: &[u8], big: bool, from_bytes: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let element = |&(mut element): &[u8; N]| {
        if big {
            element.reverse();
        }
        from_bytes(element)
    };
    bytes.as_chunks().0.iter().map(element).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels-tests/weights").join(name)
    }

    #[test]
    fn floats_of_every_kind_are_read() {
        let file = Hdf5File::open(&fixture("h5py_types.h5")).unwrap();
        let numbers: Vec<f32> = (0..12_u8).map(|i| f32::from(i) / 4.0).collect();
        for path in ["half", "single", "double", "brain", "growing"] {
            assert_eq!(file.read_f32(path, &[3, 4]).unwrap(), numbers, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_right_is_refused_by_name() {
        let file = Hdf5File::open(&fixture("h5py_types.h5")).unwrap();
        let cases = [
            ("half", &[4, 3][..], "has shape [3, 4], expected [4, 3]"),
            ("integer", &[3, 4], "holds no 16-, 32- or 64-bit floats"),
            ("long_double", &[3, 4], "holds no 16-, 32- or 64-bit floats"),
            ("opaque", &[3, 4], "holds no 16-, 32- or 64-bit floats"),
            ("lzf", &[3, 4], "is compressed by filter 32000"),
            ("never_written", &[3, 4], "was never written"),
            ("never_chunked", &[3, 4], "was never written"),
            ("half_written", &[3, 4], "was never written"),
            ("huge", &[3, 4], "has shape [1099511627776], expected [3, 4]"),
            ("huge", &[1 << 40], "was never written"),
            ("huge_chunk", &[3, 4], "in chunks of [16384, 16384]"),
            ("group", &[3, 4], "is missing"),
            ("nothing", &[3, 4], "is missing"),
        ];
        for (path, shape, words) in cases {
            let message = file.read_f32(path, shape).expect_err(path).to_string();
            assert!(message.contains(&format!("h5py_types.h5: tensor '{path}': ")), "{message}");
            assert!(message.contains(words), "'{words}' in: {message}");
        }
    }

    #[test]
    fn datasets_and_texts_are_listed_unread() {
        let file = Hdf5File::open(&fixture("h5py_types.h5")).unwrap();
        let datasets = file.datasets().unwrap();
        assert_eq!(datasets.len(), 14);
        let huge = datasets.iter().find(|dataset| dataset.path == "huge").unwrap();
        assert_eq!((&huge.shape[..], huge.element_size), (&[1 << 40][..], 4));
        let texts = |group, key| file.texts(group, key).unwrap();
        assert_eq!(texts("group", "one").unwrap(), ["text"]);
        assert_eq!(texts("group", "fixed").unwrap(), ["a", "bcd"]);
        assert_eq!(texts("group", "variable").unwrap(), ["a", "b\u{e9}"]);
        for (group, key) in [("group", "number"), ("group", "none"), ("none", "one"), ("", "one")] {
            assert_eq!(texts(group, key), None);
        }
    }

    #[test]
    fn groups_without_end_are_refused() {
        let message = Hdf5File::open(&fixture("h5py_cycle.h5")).unwrap().datasets().unwrap_err().to_string();
        assert!(message.contains("deep in each other") || message.contains("more than"), "{message}");
    }

    #[test]
    fn other_bytes_are_no_hdf5_file() {
        for bytes in [&b""[..], b"\x89HDF\r\n\x1a\n", &[0; 4096]] {
            let message = Hdf5File::new(Path::new("w.h5"), Cursor::new(bytes)).unwrap_err().to_string();
            assert!(message.starts_with("w.h5: "), "{message}");
        }
        let message = Hdf5File::open(Path::new("no/such.h5")).unwrap_err().to_string();
        assert!(message.starts_with("no/such.h5: "), "{message}");
    }
}
