//! Pictures on the CPU: reading and writing files, resampling, drawing. Knows no face and no network.

pub mod decode;
pub mod draw;
pub mod encode;
pub mod image;
pub mod resize;
pub mod sheet;

pub use decode::{MAX_PIXELS, decode, decode_bytes, read_photo};
pub use draw::{draw_face, draw_points};
pub use encode::{encode_jpeg, encode_png};
pub use image::{Rect, RgbImage};
pub use resize::{Turned, crop_resize, crop_turned};
