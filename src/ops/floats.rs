//! In which floats a kernel reads and writes the tensors whose type its shader leaves open.

use std::borrow::Cow;

use crate::gpu::{Kernel, Piece, piece};
use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

/// A piece that declares `In` and `Out`, the first of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Floats {
    /// `common/float.wgsl`.
    Float,
    /// `common/half.wgsl`.
    Half,
    /// `common/half_in.wgsl`.
    HalfIn,
    /// `common/half_out.wgsl`.
    HalfOut,
}

impl Floats {
    /// Of an operator that reads and writes such tensors.
    pub fn of(read: &TensorType, written: &TensorType) -> Floats {
        match (read.dtype, written.dtype) {
            (DType::F16, DType::F16) => Floats::Half,
            (DType::F16, _) => Floats::HalfIn,
            (_, DType::F16) => Floats::HalfOut,
            _ => Floats::Float,
        }
    }

    /// The declarations.
    pub const fn piece(self) -> Piece {
        match self {
            Floats::Float => piece!("common/float.wgsl"),
            Floats::Half => piece!("common/half.wgsl"),
            Floats::HalfIn => piece!("common/half_in.wgsl"),
            Floats::HalfOut => piece!("common/half_out.wgsl"),
        }
    }

    /// The kernel, of a module with this piece.
    pub const fn mark(self, kernel: Kernel) -> Kernel {
        if matches!(self, Floats::Float) { kernel } else { kernel.halves() }
    }
}

/// What a choice between kernels is remembered under: those of 16-bit floats are others.
pub(super) fn problem(operator: &'static str, read: &TensorType) -> Cow<'static, str> {
    match read.dtype {
        DType::F16 => format!("{operator} f16").into(),
        _ => operator.into(),
    }
}

/// Checks that the first `count` inputs of an operator hold floats of one width, and the others 32-bit floats; gives the
/// first ones' type.
pub(super) fn expect(op: &'static str, inputs: &[TensorType], count: usize) -> Result<DType> {
    let first = match inputs[0].dtype {
        DType::F16 => DType::F16,
        _ => DType::F32,
    };
    for (input, found) in inputs.iter().map(|input| input.dtype).enumerate() {
        let expected = if input < count { first } else { DType::F32 };
        if found != expected {
            return Err(Error::Type { op, input, found, expected });
        }
    }
    Ok(first)
}
