//! Arrays in host memory: what crosses between files, devices and users.

use std::fmt;

use super::{DType, Shape};

/// The elements of a [`HostTensor`].
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats: what the reference device computes with.
    F64(Vec<f64>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
    /// Bytes.
    U8(Vec<u8>),
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::U32(v) => v.len(),
            Data::U8(v) => v.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a tensor of type `dtype` can hold these elements. Floats of 32 and 64 bits fit floats of any width.
    pub fn fits(&self, dtype: DType) -> bool {
        matches!(
            (self, dtype),
            (Data::F32(_) | Data::F64(_), DType::F32 | DType::F16)
                | (Data::U32(_), DType::U32)
                | (Data::U8(_), DType::U8)
        )
    }

    /// Name of the element type, as NumPy writes it without the byte order.
    pub fn type_name(&self) -> &'static str {
        match self {
            Data::F32(_) => "f32",
            Data::F64(_) => "f64",
            Data::U32(_) => "u32",
            Data::U8(_) => "u8",
        }
    }
}

macro_rules! from_vec {
    ($($element:ty => $variant:ident),*) => {$(
        impl From<Vec<$element>> for Data {
            fn from(elements: Vec<$element>) -> Data {
                Data::$variant(elements)
            }
        }
        impl From<&[$element]> for Data {
            fn from(elements: &[$element]) -> Data {
                Data::$variant(elements.to_vec())
            }
        }
    )*};
}
from_vec!(f32 => F32, f64 => F64, u32 => U32, u8 => U8);

/// An array in host memory: a shape and its elements in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    shape: Shape,
    data: Data,
}

impl HostTensor {
    /// An array of shape `shape` with these elements in row-major order.
    ///
    /// # Panics
    /// If the number of elements is not that of the shape.
    pub fn new(shape: impl Into<Shape>, data: impl Into<Data>) -> HostTensor {
        let (shape, data) = (shape.into(), data.into());
        assert_eq!(shape.len(), data.len(), "elements of a host tensor of shape {shape}");
        HostTensor { shape, data }
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements, without the shape.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// Whether no element is infinite, as a 32-bit float, or not a number.
    pub fn is_finite(&self) -> bool {
        match &self.data {
            Data::F32(v) => all_of(v, |x| x.is_finite()),
            Data::F64(v) => all_of(v, |x| (x as f32).is_finite()),
            Data::U32(_) | Data::U8(_) => true,
        }
    }

    /// The elements as 32-bit floats; integers and 64-bit floats are converted.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            Data::F32(v) => v.clone(),
            Data::F64(v) => v.iter().map(|&x| x as f32).collect(),
            Data::U32(v) => v.iter().map(|&x| x as f32).collect(),
            Data::U8(v) => v.iter().map(|&x| f32::from(x)).collect(),
        }
    }

    /// The elements as 64-bit floats; all other types are converted without loss.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Data::F64(v) => v.clone(),
            Data::U32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Data::U8(v) => v.iter().map(|&x| f64::from(x)).collect(),
        }
    }
}

impl fmt::Display for HostTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.data.type_name(), self.shape)
    }
}

/// Whether all elements are so. A piece is looked at as a whole, in which elements go side by side: one after the other takes
/// as long as reading them from a file.
fn all_of<T: Copy>(elements: &[T], is_so: impl Fn(T) -> bool) -> bool {
    elements.chunks(4096).all(|piece| piece.iter().fold(true, |all, &element| all & is_so(element)))
}
