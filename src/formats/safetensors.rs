//! Named arrays with one JSON document beside them, in a `.safetensors` file.
//!
//! The format: eight bytes with the header's length, the header in JSON, then the tensors' bytes end to end,
//! little-endian. Here all metadata stand under the one key `lookalike`, as JSON text with sorted keys, so that
//! equal content gives equal files.

#[cfg(feature = "train")]
mod pick;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{TensorInfo, TensorView, serialize};
use serde_json::{Map, Value};

use super::atomic::write_atomically;
use crate::tensor::{Data, HostTensor, Shape};
use crate::{Error, Result};

#[cfg(feature = "train")]
pub use pick::SafetensorsFile;

/// The key under which our metadata stand.
const METADATA_KEY: &str = "lookalike";
/// The key under which the format keeps everybody's metadata, beside the names of the tensors.
const ALL_METADATA: &str = "__metadata__";
/// Bytes of the header's length at the start of the file.
const LENGTH_BYTES: usize = 8;
/// Bytes that are read at a time: a multiple of every element's, and few enough for a cache.
const PIECE: usize = 1 << 18;

/// The content of a `.safetensors` file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// The arrays by name.
    pub tensors: BTreeMap<String, HostTensor>,
    /// Our metadata; null in a file without them, as other programs write.
    pub metadata: Value,
}

/// Reads the file at `path`. Half floats (F16, BF16) come as 32-bit floats.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Format`] if it is cut short or no such file.
pub fn read(path: impl AsRef<Path>) -> Result<TensorFile> {
    let path = path.as_ref();
    let (mut file, size) = open(path)?;
    read_from(path, &mut file, size)
}

/// [`read`] of a file that is in memory already; errors call it `name`.
///
/// # Errors
/// [`Error::Format`] if the bytes are cut short or no such file.
pub fn read_bytes(name: &Path, mut bytes: &[u8]) -> Result<TensorFile> {
    let size = bytes.len() as u64;
    read_from(name, &mut bytes, size)
}

/// The file at `path`, and its size in bytes.
fn open(path: &Path) -> Result<(File, u64)> {
    let unusable = |source| Error::io(path, source, "check the name of the file");
    let file = File::open(path).map_err(unusable)?;
    let metadata = file.metadata().map_err(unusable)?;
    match metadata.is_file() {
        true => Ok((file, metadata.len())),
        // The size of a pipe is not known.
        false => Err(unusable(io::Error::other("it is no regular file"))),
    }
}

/// The content of `source`, which has `size` bytes; errors call it `name`.
fn read_from(name: &Path, source: &mut impl Read, size: u64) -> Result<TensorFile> {
    let Header { mut entries, data_len, .. } = header(name, source, size)?;
    let wrong = |problem| Error::format(name, problem);
    let metadata = match entries.remove(ALL_METADATA) {
        Some(all) => our_metadata(&all).map_err(wrong)?,
        None => Value::Null,
    };
    let mut tensors = BTreeMap::new();
    for (tensor, info) in infos(entries, data_len).map_err(wrong)? {
        let array = array(name, &tensor, &info, source)?;
        tensors.insert(tensor, array);
    }
    Ok(TensorFile { tensors, metadata })
}

/// Writes the file at `path`, whole or not at all; equal content gives equal bytes. An array of 32-bit floats that are all
/// 16-bit ones too, as the weights that ship with the program are, takes 16 bits for each; [`read`] gives the same array.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write(path: impl AsRef<Path>, file: &TensorFile) -> Result<()> {
    let path = path.as_ref();
    let bytes = to_bytes(path, file)?;
    write_atomically(path, |out| out.write_all(&bytes))
}

/// [`write()`], where the file that was there is kept [beside it](super::atomic::previous_of).
///
/// # Errors
/// As [`write()`].
#[cfg(feature = "train")]
pub fn write_keeping_previous(path: &Path, file: &TensorFile) -> Result<()> {
    let bytes = to_bytes(path, file)?;
    super::atomic::write_keeping_previous(path, |out| out.write_all(&bytes))
}

fn to_bytes(path: &Path, file: &TensorFile) -> Result<Vec<u8>> {
    let refused =
        |error: safetensors::SafeTensorError| Error::format(path, format!("cannot be written: {error}"));
    let halves: Vec<_> = file.tensors.values().map(|tensor| as_halves(tensor.data())).collect();
    let mut views = Vec::with_capacity(file.tensors.len());
    for ((name, tensor), halves) in file.tensors.iter().zip(&halves) {
        let (dtype, bytes) = match halves {
            Some(halves) => (Dtype::F16, bytemuck::cast_slice(halves)),
            None => little_endian(tensor.data()),
        };
        views.push((name, TensorView::new(dtype, tensor.shape().to_vec(), bytes).map_err(refused)?));
    }
    let metadata = match &file.metadata {
        Value::Null => None,
        value => Some(HashMap::from([(METADATA_KEY.to_owned(), value.to_string())])),
    };
    serialize(views, metadata).map_err(refused)
}

const DAMAGED: &str = "the file is damaged or no safetensors file";
const CUT_SHORT: &str = "the file is cut short; copy or download it again";

/// The longest header read, that of the crate `safetensors`.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// What stands before the tensors.
struct Header {
    /// What the header says of each tensor, and everybody's metadata.
    entries: Map<String, Value>,
    /// Where the tensors begin.
    #[cfg_attr(
        not(feature = "train"),
        expect(dead_code, reason = "single tensors are read with that feature")
    )]
    start: u64,
    /// Bytes of all tensors.
    data_len: usize,
}

/// The header of a file of `size` bytes, from its start.
fn header(name: &Path, source: &mut impl Read, size: u64) -> Result<Header> {
    let wrong = |problem| Error::format(name, problem);
    let Some(rest) = size.checked_sub(LENGTH_BYTES as u64) else {
        return Err(wrong(format!("has only {size} bytes; {DAMAGED}")));
    };
    let mut length = [0; LENGTH_BYTES];
    source.read_exact(&mut length).map_err(|error| unreadable(name, error))?;
    let length = u64::from_le_bytes(length);
    let Some(data_len) = rest.checked_sub(length) else {
        return Err(wrong(format!(
            "the header should have {length} bytes, only {rest} are there; the file is cut short or no safetensors file"
        )));
    };
    if length > MAX_HEADER_BYTES {
        return Err(wrong(format!(
            "has a header of {length} bytes, at most {MAX_HEADER_BYTES} are read; is it a safetensors file?"
        )));
    }
    let mut text = vec![0; length as usize];
    source.read_exact(&mut text).map_err(|error| unreadable(name, error))?;
    let entries =
        serde_json::from_slice(&text).map_err(|error| wrong(format!("header: {error}; {DAMAGED}")))?;
    let data_len = usize::try_from(data_len).unwrap_or(usize::MAX);
    Ok(Header { entries, start: LENGTH_BYTES as u64 + length, data_len })
}

fn unreadable(name: &Path, source: io::Error) -> Error {
    Error::io(name, source, "copy or download the file again")
}

/// What stands under our key, if anything does.
fn our_metadata(all: &Value) -> std::result::Result<Value, String> {
    match all.get(METADATA_KEY) {
        None => Ok(Value::Null),
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|error| format!("metadata '{METADATA_KEY}': {error}; {DAMAGED}")),
        Some(_) => Err(format!("metadata '{METADATA_KEY}' is no text; {DAMAGED}")),
    }
}

/// What the header says of each tensor, in the order of their bytes. They lie end to end and fill the `data_len`
/// bytes behind the header.
fn infos(
    header: Map<String, Value>,
    data_len: usize,
) -> std::result::Result<Vec<(String, TensorInfo)>, String> {
    let mut infos = Vec::with_capacity(header.len());
    for (tensor, info) in header {
        let info: TensorInfo =
            serde_json::from_value(info).map_err(|error| format!("tensor '{tensor}': {error}; {DAMAGED}"))?;
        infos.push((tensor, info));
    }
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let mut last_end = 0;
    for (tensor, TensorInfo { dtype, shape, data_offsets: (start, end) }) in &infos {
        let size = shape.iter().try_fold(1, |product: usize, &axis| product.checked_mul(axis));
        let size = size.and_then(|elements| elements.checked_mul(dtype.bitsize())).map(|bits| bits / 8);
        if *start != last_end || end.checked_sub(*start) != size {
            return Err(format!(
                "tensor '{tensor}': bytes {start} to {end} do not fit {dtype} {shape:?} after byte {last_end}; {DAMAGED}"
            ));
        }
        if *end > data_len {
            return Err(format!(
                "tensor '{tensor}': ends at byte {end} of the data, only {data_len} are there; {CUT_SHORT}"
            ));
        }
        last_end = *end;
    }
    match data_len - last_end {
        0 => Ok(infos),
        extra => Err(format!("{extra} bytes follow the last tensor; {DAMAGED}")),
    }
}

/// The array that `info` describes, whose bytes come next.
fn array(name: &Path, tensor: &str, info: &TensorInfo, source: &mut impl Read) -> Result<HostTensor> {
    let (start, end) = info.data_offsets;
    let len = end - start;
    let data = match info.dtype {
        Dtype::F32 => elements(source, len, f32::from_le_bytes).map(Data::F32),
        Dtype::F64 => elements(source, len, f64::from_le_bytes).map(Data::F64),
        Dtype::U32 => elements(source, len, u32::from_le_bytes).map(Data::U32),
        Dtype::U8 => elements(source, len, u8::from_le_bytes).map(Data::U8),
        Dtype::F16 => elements(source, len, |b| f16::from_le_bytes(b).to_f32()).map(Data::F32),
        Dtype::BF16 => elements(source, len, |b| bf16::from_le_bytes(b).to_f32()).map(Data::F32),
        other => {
            let problem =
                format!("tensor '{tensor}': has type {other}; convert it to F32, F64, F16, BF16, U32 or U8");
            return Err(Error::format(name, problem));
        }
    };
    let data = data.map_err(|error| unreadable(name, error))?;
    Ok(HostTensor::new(Shape::from(info.shape.as_slice()), data))
}

/// The elements of `N` bytes each in the next `len` bytes. They are read piece by piece, so that all bytes never lie in memory
/// beside all elements: for a large file that takes as long as reading it.
fn elements<const N: usize, T>(
    source: &mut impl Read,
    len: usize,
    from_bytes: impl Fn([u8; N]) -> T,
) -> io::Result<Vec<T>> {
    let mut elements = Vec::with_capacity(len / N);
    let mut piece = vec![0; PIECE.min(len)];
    for start in (0..len).step_by(PIECE) {
        let piece = &mut piece[..PIECE.min(len - start)];
        source.read_exact(piece)?;
        elements.extend(piece.as_chunks().0.iter().map(|&chunk| from_bytes(chunk)));
    }
    Ok(elements)
}

/// The bits of the same numbers as 16-bit floats, if none is lost: a not-a-number's payload counts too.
fn as_halves(data: &Data) -> Option<Vec<u16>> {
    let Data::F32(floats) = data else { return None };
    let exact = |&float: &f32| {
        let half = f16::from_f32(float);
        (half.to_f32().to_bits() == float.to_bits()).then_some(half.to_bits())
    };
    floats.iter().map(exact).collect()
}

/// Elements as the file holds them. Every target of wgpu is little-endian, as memory is then.
fn little_endian(data: &Data) -> (Dtype, &[u8]) {
    match data {
        Data::F32(v) => (Dtype::F32, bytemuck::cast_slice(v)),
        Data::F64(v) => (Dtype::F64, bytemuck::cast_slice(v)),
        Data::U32(v) => (Dtype::U32, bytemuck::cast_slice(v)),
        Data::U8(v) => (Dtype::U8, v),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::fs;

    use super::*;

    fn example() -> TensorFile {
        let tensors = [
            (
                "conv/kernel",
                HostTensor::new([2, 3], vec![1.5_f32, -0.0, f32::MAX, f32::INFINITY, 1e-40, 7.0]),
            ),
            ("mean", HostTensor::new([2], vec![1e300_f64, -2.0])),
            ("step", HostTensor::new([0_usize; 0], vec![u32::MAX])),
            ("pixels", HostTensor::new([3], vec![0_u8, 128, 255])),
            ("none", HostTensor::new([0, 4], Vec::<f32>::new())),
        ];
        let metadata = json!({"zebra": 1, "names": ["Zoë", "a\"b"], "alpha": {"y": null, "b": 0.5}});
        TensorFile { tensors: tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into(), metadata }
    }

    /// A file with this header and so many bytes of data.
    fn raw(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
    }

    fn problem(bytes: &[u8]) -> String {
        read_bytes(Path::new("m.safetensors"), bytes).expect_err("a broken file").to_string()
    }

    #[test]
    fn a_file_reads_back_as_written_and_equal_content_gives_equal_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        write(&a, &example()).unwrap();
        write(&b, &example()).unwrap();
        assert_eq!(read(&a).unwrap(), example());
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
    }

    #[test]
    fn floats_take_16_bits_where_that_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let halves = [1.5, -0.0, 65504.0, f32::INFINITY, 2.0_f32.powi(-24), f32::NAN];
        let wider = [1.5, 65505.0];
        let odd = [f32::from_bits(0x7f80_0001)];
        let arrays = [("halves", halves.to_vec()), ("odd", odd.to_vec()), ("wider", wider.to_vec())];
        let tensors = arrays.map(|(name, data)| (name.to_owned(), HostTensor::new([data.len()], data)));
        write(&path, &TensorFile { tensors: tensors.clone().into(), ..TensorFile::default() }).unwrap();
        let (mut file, size) = open(&path).unwrap();
        let Header { entries, .. } = header(&path, &mut file, size).unwrap();
        let types = ["halves", "odd", "wider"].map(|name| entries[name]["dtype"].as_str().unwrap());
        assert_eq!(types, ["F16", "F32", "F32"]);
        let back = read(&path).unwrap().tensors;
        let bits =
            |tensor: &HostTensor| tensor.to_f32().iter().map(|float| float.to_bits()).collect::<Vec<_>>();
        for (name, tensor) in &tensors {
            assert_eq!(bits(&back[name]), bits(tensor), "{name}");
        }
    }

    #[test]
    fn metadata_stand_under_one_key_with_sorted_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, &example()).unwrap();
        let (mut file, size) = open(&path).unwrap();
        let Header { entries, .. } = header(&path, &mut file, size).unwrap();
        let all = entries[ALL_METADATA].as_object().unwrap();
        let text = r#"{"alpha":{"b":0.5,"y":null},"names":["Zoë","a\"b"],"zebra":1}"#;
        assert_eq!(all.iter().collect::<Vec<_>>(), [(&METADATA_KEY.to_owned(), &json!(text))]);
    }

    #[test]
    fn half_floats_come_as_f32_and_foreign_metadata_as_null() {
        let header = r#"{"__metadata__":{"format":"pt"},
            "a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},
            "b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}}"#;
        let bytes = raw(header, &[0x00, 0x3e, 0x01, 0x00, 0xc0, 0x3f]);
        let file = read_bytes(Path::new("m"), &bytes).unwrap();
        assert_eq!(file.tensors["a"], HostTensor::new([2], vec![1.5_f32, 2.0_f32.powi(-24)]));
        assert_eq!(file.tensors["b"], HostTensor::new([1], vec![1.5_f32]));
        assert_eq!(file.metadata, Value::Null);
    }

    #[test]
    fn no_beginning_of_a_file_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, &example()).unwrap();
        let bytes = fs::read(path).unwrap();
        for length in 0..bytes.len() {
            let message = problem(&bytes[..length]);
            assert!(message.starts_with("m.safetensors: "), "{length} bytes: {message}");
        }
        let message = problem(&bytes[..bytes.len() - 1]);
        assert!(message.contains("tensor 'pixels'") && message.contains("cut short"), "{message}");
        assert!(problem(&[&bytes[..], &[0]].concat()).contains("1 bytes follow"));
    }

    #[test]
    fn a_changed_byte_never_panics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, &example()).unwrap();
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            for flip in [1, 0x10, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                // Most changes are in elements or names, and no error.
                let _ = read_bytes(&path, &changed);
            }
        }
    }

    #[test]
    fn absurd_headers_are_refused_by_name() {
        let tensor = |dtype: &str, shape: &str, offsets: &str| {
            format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
        };
        let cases = [
            (raw("{", b""), "header: "),
            (u64::MAX.to_le_bytes().to_vec(), "only 0 are there"),
            (raw(&"[".repeat(100_000), b""), "header: "),
            (raw(&tensor("F32", "[4294967296,4294967296]", "[0,4]"), &[0; 4]), "tensor 'w': bytes 0 to 4"),
            (
                raw(&tensor("F32", "[1000000000000]", "[0,4000000000000]"), &[0; 4]),
                "tensor 'w': ends at byte",
            ),
            (raw(&tensor("F32", "[1]", "[4,8]"), &[0; 8]), "tensor 'w': bytes 4 to 8"),
            (raw(&tensor("F32", "[1]", "[4,0]"), &[0; 4]), "tensor 'w': bytes 4 to 0"),
            (raw(&tensor("F32", "[-1]", "[0,4]"), &[0; 4]), "tensor 'w': invalid value"),
            (raw(&tensor("X7", "[1]", "[0,4]"), &[0; 4]), "tensor 'w': unknown variant"),
            (raw(&tensor("I64", "[1]", "[0,8]"), &[0; 8]), "tensor 'w': has type I64; convert it"),
            (raw(r#"{"__metadata__":{"lookalike":"{"}}"#, b""), "metadata 'lookalike'"),
            (raw(r#"{"__metadata__":{"lookalike":7}}"#, b""), "is no text"),
        ];
        for (bytes, expected) in cases {
            let message = problem(&bytes);
            assert!(message.contains(expected), "expected '{expected}' in: {message}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let message = read("no/such.safetensors").unwrap_err().to_string();
        assert!(message.starts_with("no/such.safetensors: "), "{message}");
        let message = read("src").unwrap_err().to_string();
        assert!(message.starts_with("src: ") && message.contains("check the name"), "{message}");
    }
}
