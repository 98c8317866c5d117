//! The C interface (feature `capi`): a recogniser behind a handle, for programs in C and whatever can call C.
//!
//! cbindgen makes `include/lookalike.h` of this room, and its comments of the comments here. No panic gets out, and no argument is
//! believed: what cannot be used is an error.

mod error;
mod faces;
mod given;
mod recognizer;

pub use error::lookalike_error;
pub use faces::{
    LookalikeFace, LookalikeFaces, lookalike_faces_at, lookalike_faces_count, lookalike_faces_free,
};
pub use recognizer::{
    LookalikeRecognizer, lookalike_close, lookalike_open, lookalike_recognize_bytes,
    lookalike_recognize_file, lookalike_recognize_rgb, lookalike_version,
};
