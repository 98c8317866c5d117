//! Element types, and a tensor's type: element type with shape.

use std::fmt;

use super::Shape;

/// Element type of a tensor on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float; the reference device computes it in 64 bits.
    F32,
    /// 16-bit float, in which tensors are kept to save memory; kernels compute in 32 bits. What is too large becomes the
    /// largest one, ±65504. Hosts write and read them as 32-bit floats.
    F16,
    /// 32-bit unsigned integer.
    U32,
    /// Bytes, packed four to a `u32` in device memory, the lowest first.
    U8,
}

impl DType {
    /// Bytes of one element in device memory.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::U32 => 4,
            DType::F16 => 2,
            DType::U8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::U32 => "u32",
            DType::U8 => "u8",
        })
    }
}

/// Shape and element type of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Sizes of the axes, the last varying fastest.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
}

impl TensorType {
    /// A tensor of 32-bit floats.
    pub fn f32(shape: impl Into<Shape>) -> TensorType {
        TensorType { shape: shape.into(), dtype: DType::F32 }
    }

    /// A tensor of 16-bit floats.
    pub fn f16(shape: impl Into<Shape>) -> TensorType {
        TensorType { shape: shape.into(), dtype: DType::F16 }
    }

    /// A tensor of 32-bit unsigned integers.
    pub fn u32(shape: impl Into<Shape>) -> TensorType {
        TensorType { shape: shape.into(), dtype: DType::U32 }
    }

    /// A tensor of bytes.
    pub fn u8(shape: impl Into<Shape>) -> TensorType {
        TensorType { shape: shape.into(), dtype: DType::U8 }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in device memory, rounded up to whole 32-bit words.
    pub fn bytes(&self) -> u64 {
        (self.len() as u64 * self.dtype.size() as u64).next_multiple_of(4)
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dtype, self.shape)
    }
}
