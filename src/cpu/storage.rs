//! The memory of one buffer on the CPU.

use half::f16;

use super::Float;
use crate::tensor::{DType, Data};

/// A buffer's elements. It may be longer than the tensor it holds, like a buffer on a GPU.
#[derive(Clone, Debug)]
pub(crate) enum Storage<T> {
    /// Tensors of `f32` elements, computed in `T`; also of `f16`, whose values are rounded.
    Float(Vec<T>),
    U32(Vec<u32>),
    U8(Vec<u8>),
}

/// The nearest 16-bit float; what is too large becomes the largest one.
pub(crate) fn half(x: f64) -> f16 {
    f16::from_f64(x.clamp(f16::MIN.to_f64(), f16::MAX.to_f64()))
}

impl<T: Float> Storage<T> {
    /// `len` zeros of type `dtype`.
    pub fn zeros(dtype: DType, len: usize) -> Storage<T> {
        match dtype {
            DType::F32 | DType::F16 => Storage::Float(vec![T::zero(); len]),
            DType::U32 => Storage::U32(vec![0; len]),
            DType::U8 => Storage::U8(vec![0; len]),
        }
    }

    /// Overwrites the first elements with `data`, whose type has been checked.
    pub fn write(&mut self, data: &Data) {
        match (self, data) {
            (Storage::Float(to), Data::F32(from)) => {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = T::of(f64::from(from));
                }
            }
            (Storage::Float(to), Data::F64(from)) => {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = T::of(from);
                }
            }
            (Storage::U32(to), Data::U32(from)) => to[..from.len()].copy_from_slice(from),
            (Storage::U8(to), Data::U8(from)) => to[..from.len()].copy_from_slice(from),
            _ => unreachable!("element types are checked before data reaches a buffer"),
        }
    }

    /// Overwrites the first of the bytes that it holds.
    pub fn write_bytes(&mut self, from: &[u8]) {
        match self {
            Storage::U8(to) => to[..from.len()].copy_from_slice(from),
            _ => unreachable!("element types are checked before data reaches a buffer"),
        }
    }

    /// The first `len` elements; floats come in 64 bits if `wide`, else in 32.
    pub fn read(&self, len: usize, wide: bool) -> Data {
        match self {
            Storage::Float(v) if wide => Data::F64(v[..len].iter().map(|x| x.wide()).collect()),
            Storage::Float(v) => Data::F32(v[..len].iter().map(|x| x.wide() as f32).collect()),
            Storage::U32(v) => Data::U32(v[..len].to_vec()),
            Storage::U8(v) => Data::U8(v[..len].to_vec()),
        }
    }

    /// Rounds the first `len` floats to what 16 bits can hold.
    pub fn round_to_half(&mut self, len: usize) {
        let Storage::Float(v) = self else { unreachable!("a tensor of halves lies in floats") };
        v[..len].iter_mut().for_each(|x| *x = T::of(half(x.wide()).to_f64()));
    }

    /// Fills the whole buffer with values that no kernel should leave behind: NaN, or large integers.
    #[cfg(feature = "check")]
    pub fn poison(&mut self) {
        match self {
            Storage::Float(v) => v.fill(T::nan()),
            Storage::U32(v) => v.fill(0x7fc0_dead),
            Storage::U8(v) => v.fill(0xad),
        }
    }
}
