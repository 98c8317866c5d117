//! How faces are cut out of photos.

/// How faces are cut out of photos.
#[derive(Clone, Debug, PartialEq)]
pub struct CropOptions {
    /// Width and height of a crop in pixels.
    pub size: usize,
    /// What is added around the face's box on each side, as a part of the box.
    pub margin: f32,
    /// Turn faces upright whose eyes the detector has found.
    pub align: bool,
    /// Use a picture in which no face is found whole, if it
    /// [is a tight head shot](crate::detect::is_head_shot) already.
    pub whole: bool,
    /// Photos with more pixels are skipped before they are decoded.
    pub max_pixels: u64,
    /// Fewest people that faces must be found of: 2 to learn telling them apart, 1 to test a model.
    pub least_people: usize,
}
