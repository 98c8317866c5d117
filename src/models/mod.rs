//! Networks: what a model is, its Keras configuration, its file, and the architectures that are built in.

mod accuracy;
pub mod calibration;
mod chain;
mod config;
mod face;
mod file;
mod fold;
#[cfg(feature = "train")]
mod foreign;
mod judgement;
#[cfg(feature = "train")]
mod keras_archive;
mod model;
#[cfg(feature = "vision")]
pub mod mtcnn;
mod placement;
mod predictor;
mod scratch_cnn;
mod sface;
mod slot;
mod strangers;
pub(crate) mod summary;
mod upper_face;
mod vgg16;
mod vgg16_gap;
#[cfg(feature = "train")]
pub mod weights;
mod workload;

pub use accuracy::{Confusion, PersonScores, f1_interval, wilson};
pub use config::MAX_SIZE;
pub use face::{
    FACE_FEATURES, FACE_MASKED_STRANGERS, FACE_SCALE, FACE_STRANGERS, face, face_base, face_normalize,
    face_weights,
};
pub use file::{ModelFile, Preprocessing};
#[cfg(feature = "train")]
pub use foreign::Given;
pub use judgement::Judgement;
pub use model::{LayerShape, Model};
pub use placement::FacePlacement;
#[cfg(feature = "vision")]
pub(crate) use placement::frontal;
pub use predictor::{Judged, Predictor};
pub use scratch_cnn::{ScratchCnn, scratch_cnn};
pub use sface::{
    SFACE_FEATURES, SFACE_SCALE, SFACE_STRANGERS, sface, sface_base, sface_normalize, sface_weights,
};
pub use strangers::{Gallery, HeldOut, OpenSetPoint, Strangers, open_set_curve};
pub use summary::Summary;
#[cfg(feature = "vision")]
pub(crate) use upper_face::{UPPER, looks_masked, without_lower_half};
pub use vgg16::{Vgg16, vgg16, vgg16_base};
pub use vgg16_gap::{VGG16_GAP_STRANGERS, vgg16_gap, vgg16_gap_base};
pub use workload::Workload;
