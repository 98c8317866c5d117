//! Named arrays in NumPy's compressed `.npz`: plain arrays only, never pickled objects.
//!
//! `npyz` knows the `.npy` headers and `zip` the archive; what lies between, the elements, is read and written
//! here in one piece each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use half::f16;
use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, TypeStr, WriteOptions, WriterBuilder};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::atomic::write_atomically;
use crate::{Error, Result};

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

    /// NumPy's name of the type, and the elements as the file holds them. Every target of wgpu is little-endian,
    /// as memory is then.
    fn to_file(&self) -> (String, Cow<'_, [u8]>) {
        match self {
            NpzData::F32(v) => ("<f4".into(), bytemuck::cast_slice(v).into()),
            NpzData::F64(v) => ("<f8".into(), bytemuck::cast_slice(v).into()),
            NpzData::U8(v) => ("|u1".into(), (&v[..]).into()),
            NpzData::U32(v) => ("<u4".into(), bytemuck::cast_slice(v).into()),
            NpzData::I64(v) => ("<i8".into(), bytemuck::cast_slice(v).into()),
            NpzData::Text(v) => {
                let width = v.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
                let padded = |text: &String| {
                    text.chars().map(u32::from).chain(std::iter::repeat(0)).take(width).collect()
                };
                let characters: Vec<u32> = v.iter().flat_map(|text| -> Vec<u32> { padded(text) }).collect();
                (format!("<U{width}"), bytemuck::cast_slice(&characters).to_vec().into())
            }
        }
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
    let path = path.as_ref();
    let opened = |source| Error::io(path, source, "check the name of the file");
    let file = File::open(path).map_err(opened)?;
    let file_size = file.metadata().map_err(opened)?.len();
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| Error::format(path, format!("no .npz file, or cut short ({error})")))?;

    let mut arrays = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index);
        let damaged = |error| Error::format(path, format!("entry {index}: {error}; {DAMAGED}"));
        let mut entry = entry.map_err(damaged)?;
        let file_name = entry.name().map_err(damaged)?.into_owned();
        let Some(name) = array_name_from_file_name(&file_name) else { continue };
        let compressed = entry.compressed_size().min(file_size);
        let array = read_array(&mut entry, compressed)
            .map_err(|problem| Error::format(path, format!("array '{name}': {problem}")))?;
        arrays.insert(name.to_owned(), array);
    }
    Ok(arrays)
}

/// Writes these arrays, compressed, to the file at `path`, whole or not at all. Equal arrays give equal bytes.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write(path: impl AsRef<Path>, arrays: &[(&str, NpzArray<'_>)]) -> Result<()> {
    write_atomically(path.as_ref(), |out| {
        let mut archive = ZipWriter::new_stream(out);
        for (name, array) in arrays {
            write_array(&mut archive, name, array)?;
        }
        archive.finish()?.flush()
    })
}

const DAMAGED: &str = "the file is damaged; make or copy it again";
/// The longest header NumPy itself accepts from strangers.
const MAX_HEADER_BYTES: usize = 10_000;
/// More than 25,000 crops of 224 × 224 pixels.
const MAX_ARRAY_BYTES: u64 = 1 << 32;
/// Deflate cannot do better: 258 bytes from two bits.
const MAX_COMPRESSION: u64 = 1032;

type Readable<T> = std::result::Result<T, String>;

/// The array in `entry`, which takes `compressed` bytes of the file.
fn read_array(entry: &mut impl Read, compressed: u64) -> Readable<NpzArray<'static>> {
    let broken = |error: io::Error| format!("{error}; {DAMAGED}");
    let header = read_header(entry)?;
    let DType::Plain(ty) = header.dtype() else { return Err(NOT_PLAIN.into()) };
    if ty.type_char() == TypeChar::Object {
        return Err("holds Python objects, which only pickle can read; save plain arrays".into());
    }
    let item = ty.num_bytes().unwrap_or(usize::MAX) as u64;
    let needed = header.len().checked_mul(item).filter(|&bytes| bytes <= MAX_ARRAY_BYTES);
    let (Some(needed), shape) = (needed, header.shape()) else {
        return Err(format!("shape {:?} of '{ty}' needs more than {MAX_ARRAY_BYTES} bytes", header.shape()));
    };
    if needed > compressed.saturating_mul(MAX_COMPRESSION) {
        return Err(format!(
            "shape {shape:?} of '{ty}' needs {needed} bytes, {compressed} cannot hold them; {DAMAGED}"
        ));
    }
    let mut bytes = Vec::new();
    entry.take(needed).read_to_end(&mut bytes).map_err(broken)?;
    // Reading on past the elements also makes the archive compare its checksum.
    let extra = entry.read(&mut [0]).map_err(broken)?;
    if bytes.len() as u64 != needed || extra != 0 {
        return Err(format!(
            "shape {shape:?} of '{ty}' needs {needed} bytes, there are fewer or more; {DAMAGED}"
        ));
    }
    if header.order() == Order::Fortran {
        bytes = row_major(&bytes, item as usize, shape, header.strides());
    }
    let data = decode(bytes, &ty, header.len() as usize)?;
    Ok(NpzArray::new(shape.iter().map(|&size| size as usize).collect::<Vec<_>>(), data))
}

const NOT_PLAIN: &str = "is no plain array; save it with numpy.savez_compressed";

/// The header at the start of an array.
///
/// `npyz` parses it as a Python expression, by recursion, and multiplies the sizes unchecked. So what could
/// overflow either does not get there: a plain array's header has one dictionary with one tuple in it, and
/// numbers of 19 digits in all have a product below 2^64.
fn read_header(entry: &mut impl Read) -> Readable<NpyHeader> {
    let mut next = |length: usize| {
        let mut bytes = Vec::new();
        let read = entry.take(length as u64).read_to_end(&mut bytes);
        read.map(|_| bytes).map_err(|error| format!("{error}; {DAMAGED}"))
    };
    let start = next(8)?;
    let length = match start.as_slice() {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => next(2)?,
        [0x93, b'N', b'U', b'M', b'P', b'Y', _, _] => next(4)?,
        _ => return Err(format!("does not begin as a .npy file; {DAMAGED}")),
    };
    let text_length = length.iter().rev().fold(0, |length, &byte| length << 8 | usize::from(byte));
    if text_length > MAX_HEADER_BYTES {
        return Err(format!("has a header of {text_length} bytes, at most {MAX_HEADER_BYTES} are read"));
    }
    let text = next(text_length)?;
    let count = |wanted: fn(&u8) -> bool| text.iter().filter(|&byte| wanted(byte)).count();
    if count(|byte| b"([{".contains(byte)) > 2 || count(u8::is_ascii_digit) > 19 {
        return Err(NOT_PLAIN.into());
    }
    NpyHeader::from_reader(&[start, length, text].concat()[..]).map_err(|error| format!("{error}; {DAMAGED}"))
}

/// Items of `item` bytes, ordered by `strides`, in row-major order.
fn row_major(bytes: &[u8], item: usize, shape: &[u64], strides: &[u64]) -> Vec<u8> {
    let mut ordered = Vec::with_capacity(bytes.len());
    for index in 0..bytes.len().checked_div(item).unwrap_or(0) as u64 {
        let (mut rest, mut at) = (index, 0);
        for (size, stride) in shape.iter().zip(strides).rev() {
            at += rest % size * stride;
            rest /= size;
        }
        ordered.extend_from_slice(&bytes[at as usize * item..][..item]);
    }
    ordered
}

/// The `count` elements of type `ty` in `bytes`.
fn decode(bytes: Vec<u8>, ty: &TypeStr, count: usize) -> Readable<NpzData<'static>> {
    let big = ty.endianness() == Endianness::Big;
    Ok(match (ty.type_char(), ty.size_field()) {
        (TypeChar::Float, 2) => NpzData::F32(elements(&bytes, big, |b| f16::from_le_bytes(b).to_f32())),
        (TypeChar::Float, 4) => NpzData::F32(elements(&bytes, big, f32::from_le_bytes)),
        (TypeChar::Float, 8) => NpzData::F64(elements(&bytes, big, f64::from_le_bytes)),
        (TypeChar::Uint, 1) => NpzData::U8(bytes.into()),
        (TypeChar::Uint, 4) => NpzData::U32(elements(&bytes, big, u32::from_le_bytes)),
        (TypeChar::Int, 4) => NpzData::I64(elements(&bytes, big, |b| i32::from_le_bytes(b).into())),
        (TypeChar::Int, 8) => NpzData::I64(elements(&bytes, big, i64::from_le_bytes)),
        (TypeChar::UnicodeStr, width) => {
            let characters = elements(&bytes, big, u32::from_le_bytes);
            let width = width as usize;
            let texts = (0..count).map(|i| text(&characters[i * width..][..width]));
            NpzData::Text(texts.collect::<Readable<Vec<_>>>()?.into())
        }
        _ => return Err(format!("has type '{ty}'; save it as f2, f4, f8, u1, u4, i4, i8 or U")),
    })
}

/// The elements of `N` bytes each.
fn elements<const N: usize, T: Clone>(
    bytes: &[u8],
    big: bool,
    from_bytes: impl Fn([u8; N]) -> T,
) -> Cow<'static, [T]> {
    let element = |&(mut chunk): &[u8; N]| {
        if big {
            chunk.reverse();
        }
        from_bytes(chunk)
    };
    bytes.as_chunks().0.iter().map(element).collect()
}

/// One string of fixed width, without the zeros that fill it up.
fn text(characters: &[u32]) -> Readable<String> {
    let length = characters.iter().rposition(|&code| code != 0).map_or(0, |last| last + 1);
    let invalid = |code| format!("{code:#x} is no character; {DAMAGED}");
    characters[..length].iter().map(|&code| char::from_u32(code).ok_or_else(|| invalid(code))).collect()
}

fn write_array(
    archive: &mut ZipWriter<impl Write + Seek>,
    name: &str,
    array: &NpzArray<'_>,
) -> io::Result<()> {
    let (ty, bytes) = array.data.to_file();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default()) // the same every time
        .large_file(bytes.len() >= 1 << 31);
    archive.start_file(file_name_from_array_name(name), options)?;
    let dtype = DType::new_scalar(ty.parse().expect("a type NumPy knows"));
    let shape: Vec<u64> = array.shape.iter().map(|&size| size as u64).collect();
    WriteOptions::new_header_only().dtype(dtype).shape(&shape).writer(&mut *archive).write_header_only()?;
    archive.write_all(&bytes)
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
            for flip in [1, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                // Names and times in the archive are not checksummed, so some changes are no error.
                let _ = read_bytes(&changed);
            }
        }
    }

    #[test]
    fn broken_and_absurd_arrays_are_refused_by_name() {
        let cases = [
            (archive(&header("<f4", "(3,)"), &[0; 11]), "needs 12 bytes, there are fewer or more"),
            (archive(&header("<f4", "(3,)"), &[0; 13]), "needs 12 bytes, there are fewer or more"),
            (archive(&header("|u1", "(4000000000,)"), &[0; 8]), "cannot hold them"),
            (archive(&header("|u1", "(1000000, 1000000)"), &[0; 8]), "needs more than"),
            (archive(&header("|u1", "(4294967296, 4294967296)"), &[0; 8]), "is no plain array"),
            (archive(&header("<f8", "(9999999999999999,)"), &[0; 8]), "needs more than"),
            (archive(&header("<f4", "(-1,)"), &[0; 8]), "dimension cannot be negative"),
            (archive(&header("<c8", "(1,)"), &[0; 8]), "has type '<c8'"),
            (archive(&header("|O", "(1,)"), b"\x80\x04N."), "only pickle can read"),
            (archive(&header("<U1", "(1,)"), &[0, 0, 0x11, 0]), "0x110000 is no character"),
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
