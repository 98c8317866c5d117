//! What may become of a training picture: the settings of augmentation, and their ranges.

use crate::{Error, Result};

/// Counts the versions of the kernels: equal settings and versions, equal pictures. What keeps changed pictures, or what was
/// made of them, has to keep it as well.
pub const AUGMENT_VERSION: u32 = 2;

/// How much a training picture may change. What is drawn for a picture lies evenly between the two extremes of each setting;
/// a setting of 0 leaves that property as it is.
///
/// The ranges are those of Keras's layers, whose names stand beside them. The default is a moderate set for faces: flip,
/// zoom, rotation, shift, brightness and saturation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// The run's seed.
    pub seed: u32,
    /// Whether half of the pictures are mirrored, left for right (`RandomFlip("horizontal")`).
    pub flip: bool,
    /// Largest change of size, as a share, in `[0, 1)`: the picture is shown `1 − zoom` to `1 + zoom` times as far away
    /// (`RandomZoom`).
    pub zoom: f32,
    /// Largest rotation in either direction, in full turns, in `[0, 0.5]` (`RandomRotation`): 0.03 is 11 degrees.
    pub rotation: f32,
    /// Largest shift up, down, left or right, as a share of the side, in `[0, 1]` (`RandomTranslation`).
    pub shift: f32,
    /// Largest shear along either axis, in `[0, 1]`: 1 moves the middle of an edge's corner by half the picture's side
    /// (`RandomShear`).
    pub shear: f32,
    /// What is seen beyond the picture's edge.
    pub fill: Fill,
    /// Largest change of brightness, as a share of 255 that is added, in `[0, 1]` (`RandomBrightness`).
    pub brightness: f32,
    /// Largest change of contrast, in `[0, 1]`: each channel's distance from its mean is multiplied by `1 − contrast` to
    /// `1 + contrast` (`RandomContrast`).
    pub contrast: f32,
    /// Largest change of saturation, in `[0, 1)`: it is multiplied by `(1 + s) / (1 − s)`, with s from −saturation to
    /// saturation (`RandomSaturation((0.5 − saturation / 2, 0.5 + saturation / 2))`). Pictures without colours keep having none.
    pub saturation: f32,
    /// Largest change of hue, in `[0, 1]`, of which 1 is half of the circle of colours in either direction (`RandomHue`).
    pub hue: f32,
    /// Largest blur: the deviation in pixels, in `[0, 3]` (`RandomGaussianBlur(kernel_size=3)`, though at any distance).
    pub blur: f32,
    /// Largest noise: its standard deviation as a share of 255, in `[0, 1]` (`GaussianNoise`, of which each picture gets some
    /// part).
    pub noise: f32,
    /// Share of the pictures in which a rectangle of random place, colour and size, 1/8 to 1/2 of either side, hides what is
    /// there, in `[0, 1]` (`RandomErasing`).
    pub erase: f32,
    /// Share of the pictures on which a face mask is drawn, where it is known where the face is, in `[0, 1]`. No layer of
    /// Keras does.
    pub masks: f32,
    /// Share of those on which sunglasses are, in `[0, 1]`.
    pub glasses: f32,
}

/// What is seen beyond a picture's edge, by its name in Keras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// The colour of the nearest edge goes on: `nearest`.
    #[default]
    Edge,
    /// The picture mirrored: `reflect`, `(d c b a | a b c d | d c b a)`.
    Reflect,
}

impl Default for Augment {
    fn default() -> Augment {
        Augment::usual()
    }
}

impl Augment {
    /// The default: flip, zoom, rotation, shift, brightness and saturation.
    pub const fn usual() -> Augment {
        Augment {
            flip: true,
            zoom: 0.1,
            rotation: 0.03,
            shift: 0.1,
            brightness: 0.1,
            saturation: 0.2,
            ..Augment::none()
        }
    }

    /// Settings that change nothing.
    pub const fn none() -> Augment {
        Augment {
            seed: 0,
            flip: false,
            zoom: 0.0,
            rotation: 0.0,
            shift: 0.0,
            shear: 0.0,
            fill: Fill::Edge,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            hue: 0.0,
            blur: 0.0,
            noise: 0.0,
            erase: 0.0,
            masks: 0.0,
            glasses: 0.0,
        }
    }

    /// Whether nothing can change, whatever is drawn.
    pub fn is_none(&self) -> bool {
        *self == Augment { seed: self.seed, fill: self.fill, ..Augment::none() }
    }

    /// Whether it has to be known where faces are.
    pub fn needs_faces(&self) -> bool {
        self.masks > 0.0 || self.glasses > 0.0
    }

    /// Each numeric setting with its name, its value, and its largest value; with `true` where that is excluded.
    fn settings(&self) -> [(&'static str, f32, f32, bool); 13] {
        [
            ("zoom", self.zoom, 1.0, true),
            ("rotation", self.rotation, 0.5, false),
            ("shift", self.shift, 1.0, false),
            ("shear", self.shear, 1.0, false),
            ("brightness", self.brightness, 1.0, false),
            ("contrast", self.contrast, 1.0, false),
            ("saturation", self.saturation, 1.0, true),
            ("hue", self.hue, 1.0, false),
            ("blur", self.blur, 3.0, false),
            ("noise", self.noise, 1.0, false),
            ("erase", self.erase, 1.0, false),
            ("masks", self.masks, 1.0, false),
            ("glasses", self.glasses, 1.0, false),
        ]
    }

    /// Checks that every setting lies in its range.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the first that does not.
    pub fn check(&self) -> Result<()> {
        let wrong = |&(_, value, most, open): &(_, f32, f32, bool)| {
            !((0.0..most).contains(&value) || (!open && value == most))
        };
        match self.settings().into_iter().find(wrong) {
            None => Ok(()),
            Some((name, value, most, open)) => {
                let end = if open { ')' } else { ']' };
                Err(Error::shape("augment", format!("{name} lies in [0, {most}{end}, given {value}")))
            }
        }
    }
}

/// A picture's key for [`Graph::augment`](crate::graph::Graph::augment): FNV-1a of its bytes.
pub fn picture_hash(pixels: &[u8]) -> u32 {
    pixels.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
