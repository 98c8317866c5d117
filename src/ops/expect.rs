//! Checks of inputs that several operators share.

use crate::tensor::{DType, TensorType};
use crate::{Error, Result};

/// Checks that an input holds elements of type `expected`.
pub(super) fn dtype(op: &'static str, inputs: &[TensorType], input: usize, expected: DType) -> Result<()> {
    match inputs[input].dtype {
        found if found == expected => Ok(()),
        found => Err(Error::Type { op, input, found, expected }),
    }
}

/// Checks that an input, called `name` in the message, has exactly the type `expected`.
pub(super) fn ty(
    op: &'static str,
    name: &str,
    inputs: &[TensorType],
    input: usize,
    expected: &TensorType,
) -> Result<()> {
    dtype(op, inputs, input, expected.dtype)?;
    if inputs[input] == *expected {
        return Ok(());
    }
    Err(Error::shape(op, format!("{name} is {}, expected {expected}", inputs[input])))
}

/// Checks that an input is a counter: `u32 [1]`.
pub(super) fn counter(op: &'static str, name: &str, inputs: &[TensorType], input: usize) -> Result<()> {
    ty(op, name, inputs, input, &TensorType::u32([1]))
}
