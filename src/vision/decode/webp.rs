//! What a WebP file says of itself in places where its decoder believes it: the decoder makes room for whatever a lossy
//! frame or an EXIF block claims to be, before it compares with the rest of the file.

use std::iter::from_fn;

/// Bytes before the first chunk: `RIFF`, a length, `WEBP`.
const HEADER: usize = 12;

/// Bytes of an animation's frame before its chunks: place, size, duration, flags.
const FRAME_HEADER: usize = 16;

/// Width and height in the headers of all lossy pictures, whatever their chunks are called: the decoder does not ask.
pub(super) fn lossy_sizes(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let outer = chunks(bytes.get(HEADER..).unwrap_or_default());
    let frames = outer.clone().filter(|(name, _)| *name == b"ANMF");
    let inner = frames.flat_map(|(_, frame)| chunks(frame.get(FRAME_HEADER..).unwrap_or_default()));
    outer.chain(inner).filter_map(|(_, data)| lossy_size(data))
}

/// The first EXIF block, as far as the file holds it.
pub(super) fn exif(bytes: &[u8]) -> Option<&[u8]> {
    chunks(bytes.get(HEADER..)?).find(|(name, _)| *name == b"EXIF").map(|(_, data)| data)
}

/// A key frame begins with three bytes of flags, a start code, and 14 bits each of width and height (RFC 6386, section
/// 9.1); the two bits above ask for scaling.
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let &[_, _, _, 0x9D, 0x01, 0x2A, a, b, c, d] = data.first_chunk::<10>()? else { return None };
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
    Some((side([a, b]), side([c, d])))
}

/// Name and content of the chunks in a row; an odd number of bytes is padded. The last may end where the file does.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> + Clone {
    let mut rest = bytes;
    from_fn(move || {
        let (name, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        rest = after.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some((name, &after[..length.min(after.len())]))
    })
}
