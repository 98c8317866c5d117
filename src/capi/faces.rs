//! Faces with their names, as C sees them.

use std::ffi::{CString, c_char};
use std::ptr;

use super::error::{c_string, guarded};
use super::given;
use crate::Error;
use crate::recognize::Recognition;
use crate::vision::Rect;

/// A face and who it shows. Its strings are UTF-8, and live as long as the faces they came with.
#[repr(C)]
#[derive(Debug)]
pub struct LookalikeFace {
    /// Left edge of the face's box, in pixels from the photo's left; may lie outside.
    pub x: f32,
    /// Upper edge, in pixels from the photo's top; may lie outside.
    pub y: f32,
    /// Width of the box in pixels.
    pub width: f32,
    /// Height of the box in pixels.
    pub height: f32,
    /// How sure the detector is that it is a face, in 0..=1.
    pub score: f32,
    /// The most probable person; NULL for a face of nobody whom the model knows.
    pub name: *const c_char,
    /// The most probable person, never NULL.
    pub nearest: *const c_char,
    /// Probability of the most probable person, in 0..=1.
    pub confidence: f32,
    /// How far the face is from the nearest person, in 0..=2; NaN if the model does not know strangers.
    pub distance: f32,
}

/// The faces of a photo.
#[derive(Debug)]
pub struct LookalikeFaces {
    faces: Vec<LookalikeFace>,
    /// What the pointers of the faces point to.
    _names: Vec<CString>,
}

impl LookalikeFaces {
    pub(super) fn new(people: &[Recognition]) -> LookalikeFaces {
        let names: Vec<CString> = people.iter().map(|person| c_string(&person.nearest)).collect();
        let face = |(person, nearest): (&Recognition, &CString)| {
            let Rect { x, y, width, height } = person.rect;
            LookalikeFace {
                x,
                y,
                width,
                height,
                score: person.score,
                name: if person.name.is_some() { nearest.as_ptr() } else { ptr::null() },
                nearest: nearest.as_ptr(),
                confidence: person.confidence,
                distance: person.distance.unwrap_or(f32::NAN),
            }
        };
        LookalikeFaces { faces: people.iter().zip(&names).map(face).collect(), _names: names }
    }
}

/// How many faces there are; 0 for NULL.
///
/// # Safety
/// `faces` is NULL, or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_faces_count(faces: *const LookalikeFaces) -> usize {
    // SAFETY: the caller promises it.
    guarded(0, || Ok(unsafe { given::handle("faces", faces) }?.faces.len()))
}

/// The face at `index`, the surest is the first; it lives as long as `faces`. NULL if there is none.
///
/// # Safety
/// `faces` is NULL, or came from this library and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_faces_at(
    faces: *const LookalikeFaces,
    index: usize,
) -> *const LookalikeFace {
    guarded(ptr::null(), || {
        // SAFETY: the caller promises it.
        let faces = &unsafe { given::handle("faces", faces) }?.faces;
        let none = || Error::Input(format!("there is no face {index} of {}", faces.len()));
        faces.get(index).map(ptr::from_ref).ok_or_else(none)
    })
}

/// Frees faces and their strings. NULL is ignored.
///
/// # Safety
/// `faces` is NULL, or came from this library, and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lookalike_faces_free(faces: *mut LookalikeFaces) {
    guarded((), || {
        // SAFETY: the caller promises it.
        unsafe { given::take_back(faces) };
        Ok(())
    });
}
