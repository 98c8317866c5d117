//! What a twin sees of a dispatch: its parameters, the tensors it reads, the tensors it writes.

use bytemuck::AnyBitPattern;

use super::{Float, Storage};

/// A kernel's Rust function: the bytes of its `Params` struct and its slots.
pub(crate) type Twin<T> = fn(&[u8], &mut Slots<'_, T>);

/// The bound tensors of one dispatch, in the order of the shader's bindings.
pub(crate) struct Slots<'a, T> {
    reads: Vec<(&'a Storage<T>, usize)>,
    writes: Vec<(&'a mut Storage<T>, usize)>,
}

impl<'a, T: Float> Slots<'a, T> {
    /// Slots over these buffers; each comes with the length of the tensor it holds.
    pub fn new(
        reads: Vec<(&'a Storage<T>, usize)>,
        writes: Vec<(&'a mut Storage<T>, usize)>,
    ) -> Slots<'a, T> {
        Slots { reads, writes }
    }

    /// The float tensor that is read at position `i` among the tensors read.
    pub fn float(&self, i: usize) -> &'a [T] {
        match self.reads[i] {
            (Storage::Float(v), len) => &v[..len],
            _ => panic!("read slot {i} does not hold floats"),
        }
    }

    /// The integer tensor that is read at position `i`.
    pub fn u32(&self, i: usize) -> &'a [u32] {
        match self.reads[i] {
            (Storage::U32(v), len) => &v[..len],
            _ => panic!("read slot {i} does not hold u32"),
        }
    }

    /// The byte tensor that is read at position `i`.
    pub fn u8(&self, i: usize) -> &'a [u8] {
        match self.reads[i] {
            (Storage::U8(v), len) => &v[..len],
            _ => panic!("read slot {i} does not hold u8"),
        }
    }

    /// The only tensor that is written, or updated in place.
    pub fn out(&mut self) -> &mut [T] {
        let [out] = self.outs();
        out
    }

    /// All tensors that are written, or updated in place; there are `N`.
    pub fn outs<const N: usize>(&mut self) -> [&mut [T]; N] {
        let mut writes = self.writes.iter_mut();
        let outs = std::array::from_fn(|i| match writes.next() {
            Some((Storage::Float(v), len)) => &mut v[..*len],
            _ => panic!("write slot {i} does not hold floats"),
        });
        assert!(writes.next().is_none(), "more than {N} tensors are written");
        outs
    }

    /// The two tensors that are written, floats and bytes.
    pub fn out_and_bytes(&mut self) -> (&mut [T], &mut [u8]) {
        match self.writes.as_mut_slice() {
            [(Storage::Float(v), len), (Storage::U8(bytes), count)] => (&mut v[..*len], &mut bytes[..*count]),
            _ => panic!("the dispatch does not write floats and bytes"),
        }
    }

    /// The only tensor that is written, where it holds integers.
    pub fn out_u32(&mut self) -> &mut [u32] {
        match self.writes.as_mut_slice() {
            [(Storage::U32(v), len)] => &mut v[..*len],
            _ => panic!("the dispatch does not write one u32 tensor"),
        }
    }
}

/// The `Params` struct in `bytes`.
pub(crate) fn params<P: AnyBitPattern>(bytes: &[u8]) -> P {
    bytemuck::pod_read_unaligned(bytes)
}
