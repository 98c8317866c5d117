//! One array as NumPy keeps it: a header, then the elements. Nothing in it is believed before it is checked.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use half::f16;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, TypeStr, WriteOptions, WriterBuilder};

use super::npz::{DAMAGED, NpzArray, NpzData};

/// The longest header NumPy itself accepts from strangers.
const MAX_HEADER_BYTES: usize = 10_000;
/// What an allocation can hold. No smaller limit is needed: a header is refused that promises more than the file's bytes can
/// unpack to, and memory is taken only as elements arrive.
const MAX_ARRAY_BYTES: u64 = isize::MAX as u64;
/// Deflate cannot do better: 258 bytes from two bits.
const MAX_COMPRESSION: u64 = 1032;

type Readable<T> = std::result::Result<T, String>;

/// The array in `entry`, which takes `compressed` bytes of the file and, where that is given, has to have this shape.
pub(super) fn read(
    entry: &mut impl Read,
    compressed: u64,
    expected: Option<&[usize]>,
) -> Readable<NpzArray<'static>> {
    let broken = |error: io::Error| format!("{error}; {DAMAGED}");
    let header = read_header(entry)?;
    let DType::Plain(ty) = header.dtype() else { return Err(NOT_PLAIN.into()) };
    if ty.type_char() == TypeChar::Object {
        return Err("holds Python objects, which only pickle can read; save plain arrays".into());
    }
    if let Some(expected) = expected
        && !header.shape().iter().copied().eq(expected.iter().map(|&size| size as u64))
    {
        return Err(format!("has shape {:?}, expected {expected:?}", header.shape()));
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
        // Any number of strings of no width would fit into no bytes.
        (TypeChar::UnicodeStr, width @ 1..) => {
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

/// Writes the header and the elements.
pub(super) fn write(out: &mut impl Write, array: &NpzArray<'_>) -> io::Result<()> {
    let (ty, bytes) = encode(array.data());
    let dtype = DType::new_scalar(ty.parse().expect("a type NumPy knows"));
    let shape: Vec<u64> = array.shape().iter().map(|&size| size as u64).collect();
    WriteOptions::new_header_only().dtype(dtype).shape(&shape).writer(&mut *out).write_header_only()?;
    out.write_all(&bytes)
}

/// NumPy's name of the type, and the elements as the file holds them. Every target of wgpu is little-endian, as
/// memory is then.
fn encode<'a>(data: &'a NpzData<'_>) -> (String, Cow<'a, [u8]>) {
    match data {
        NpzData::F32(v) => ("<f4".into(), bytemuck::cast_slice(v).into()),
        NpzData::F64(v) => ("<f8".into(), bytemuck::cast_slice(v).into()),
        NpzData::U8(v) => ("|u1".into(), (&v[..]).into()),
        NpzData::U32(v) => ("<u4".into(), bytemuck::cast_slice(v).into()),
        NpzData::I64(v) => ("<i8".into(), bytemuck::cast_slice(v).into()),
        NpzData::Text(texts) => {
            // NumPy has no strings of width zero.
            let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
            let mut characters = vec![0; texts.len() * width];
            for (row, text) in characters.chunks_exact_mut(width).zip(texts.iter()) {
                row.iter_mut().zip(text.chars()).for_each(|(code, character)| *code = u32::from(character));
            }
            (format!("<U{width}"), bytemuck::cast_slice(&characters).to_vec().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header that promises 40,000 crops of 224 × 224 pixels, 6 GB.
    fn many_faces() -> Vec<u8> {
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (40000, 224, 224, 3), }\n";
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    }

    #[test]
    fn an_array_may_be_as_large_as_its_file_can_hold_and_takes_memory_as_it_arrives() {
        let needed = 40_000 * 224 * 224 * 3;
        let problem = |compressed| read(&mut &many_faces()[..], compressed, None).unwrap_err();
        let short = problem(needed / MAX_COMPRESSION);
        assert!(short.contains("cannot hold them"), "{short}");
        let ended = problem(needed / MAX_COMPRESSION + 1);
        assert!(ended.contains("there are fewer or more"), "{ended}");
    }
}
