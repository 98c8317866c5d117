//! Where a network looks: heat maps of a crop, for any of the people that a model knows.
//!
//! Two ways that know nothing of each other, so that one can be held against the other. [`GradCam`] asks the network's own
//! gradients and takes about as long as an answer; [`occlusion()`] covers one part of the picture after the other, sees what that
//! does to the answer, and takes some hundred answers. Where the crop came from is none of this room's business.

mod area;
mod grad_cam;
mod heat_map;
mod layer;
mod occlusion;
mod overlay;

pub use area::{hull, share_of_picture};
pub use grad_cam::{Explained, GradCam};
pub use heat_map::{Coarse, HeatMap};
pub use occlusion::{Occluded, Occlusion, occlusion};
pub use overlay::{legend, overlay};
