//! The one error type of the library. A message says where, what was given, what was expected, what to do.

use std::path::{Path, PathBuf};

use crate::tensor::{DType, Shape};

/// A `Result` whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong, with the facts as fields.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operator was given shapes it cannot work with.
    #[error("{op}: {problem}")]
    Shape {
        /// Name of the operator, as in a profile.
        op: &'static str,
        /// What was given and what is wanted, with the shapes in full.
        problem: String,
    },

    /// A tensor of one element type was given where another is needed.
    #[error("{op}: input {input} is {found}, expected {expected}")]
    Type {
        /// Name of the operator.
        op: &'static str,
        /// Position of the input.
        input: usize,
        /// Element type that was given.
        found: DType,
        /// Element type that is needed.
        expected: DType,
    },

    /// Host data whose length or type does not fit the tensor it is written to.
    #[error("{tensor}: given {found}, expected {expected}")]
    HostData {
        /// Name of the tensor.
        tensor: String,
        /// What was given.
        found: String,
        /// What is needed.
        expected: String,
    },

    /// The gradient was asked of an operator that has none.
    #[error("{0}: has no gradient; take gradients before it, or leave it out of the loss")]
    NotDifferentiable(&'static str),

    /// The loss does not depend on this parameter.
    #[error("the loss does not depend on '{0}'; leave it out of the parameters to train")]
    NoGradient(String),

    /// Two states of one name and different types, or a state that is not there.
    #[error("state '{name}': {problem}")]
    State {
        /// Name of the state.
        name: String,
        /// What is wrong with it.
        problem: String,
    },

    /// No adapter matches what the user asked for.
    #[error("no adapter named '{wanted}'; found: {}. Leave out --adapter to take the best", found.join(", "))]
    NoAdapter {
        /// What was asked for.
        wanted: String,
        /// Names of what is there.
        found: Vec<String>,
    },

    /// The driver refused something.
    #[error("gpu: {0}")]
    Gpu(String),

    /// The device was lost: its driver was reset or updated, or the machine slept.
    #[error("gpu: the device was lost ({0}); run again, and update the driver if it happens often")]
    DeviceLost(String),

    /// The device has no room left.
    #[error(
        "gpu: no room for {needed} bytes more ({what}); close other programs that use the GPU, or use a smaller batch"
    )]
    OutOfMemory {
        /// Tensor or buffer.
        what: String,
        /// Its bytes.
        needed: u64,
    },

    /// A kernel was refused by the driver's validation.
    #[error("kernel {kernel}: {problem}")]
    Kernel {
        /// `shader/entry_point`.
        kernel: String,
        /// The validation message.
        problem: String,
    },

    /// A tensor or the whole plan is larger than the device allows.
    #[error("{what} needs {needed} bytes, the device allows {allowed}; {advice}")]
    TooLarge {
        /// Tensor, kernel or plan.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
        /// What to do.
        advice: &'static str,
    },

    /// A file could not be read or written.
    #[error("{}: {source}; {advice}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
        /// What to do.
        advice: &'static str,
    },

    /// A file was read, but its content is not what it should be.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },

    /// The input is well formed but leaves nothing to do.
    #[error("{0}")]
    Input(String),

    /// Training cannot go on.
    #[error("training stopped: {0}")]
    Training(String),
}

impl Error {
    /// A shape error of the operator `op`.
    pub fn shape(op: &'static str, problem: impl Into<String>) -> Error {
        Error::Shape { op, problem: problem.into() }
    }

    /// A format error of the file at `path`.
    pub fn format(path: impl AsRef<Path>, problem: impl Into<String>) -> Error {
        Error::Format { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// Whether the device failed, or is too small: then nothing else will run on it either.
    pub fn is_of_device(&self) -> bool {
        matches!(
            self,
            Error::Gpu(_)
                | Error::DeviceLost(_)
                | Error::OutOfMemory { .. }
                | Error::Kernel { .. }
                | Error::TooLarge { .. }
        )
    }

    /// An input or output error at `path`, with what the user can do about it.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error, advice: &'static str) -> Error {
        Error::Io { path: path.as_ref().to_path_buf(), source, advice }
    }
}

/// Checks that an operator's input has rank `rank`.
pub(crate) fn expect_rank(op: &'static str, name: &str, shape: &Shape, rank: usize) -> Result<()> {
    if shape.rank() == rank {
        return Ok(());
    }
    Err(Error::shape(op, format!("{name} has rank {}, expected {rank} ({name}: {shape})", shape.rank())))
}
