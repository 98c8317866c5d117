//! How much training pictures may change: what `train` and `augment` share.

use clap::{Args, ValueEnum};
use lookalike::data::Dataset;
use lookalike::ops::{Augment, Fill};
use serde_json::{Value, json};

use super::display::note;
use super::number::change;

const DEFAULT: Augment = Augment::usual();

/// The largest change of each kind; what is drawn for a picture lies evenly up to it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Random changes of training pictures, each up to this; 0 for none")]
pub struct Changes {
    /// Mirror no picture; without it half of them are
    #[arg(long)]
    no_flip: bool,
    /// Enlarge or shrink, by up to this share
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.zoom, value_parser = |t: &str| change(t, 0.99))]
    zoom: f32,
    /// Rotation to either side, in full turns: 0.03 is 11 degrees
    #[arg(long, value_name = "TURNS", default_value_t = DEFAULT.rotation, value_parser = |t: &str| change(t, 0.5))]
    rotation: f32,
    /// Shift to each side, as a share of it
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.shift, value_parser = |t: &str| change(t, 1.0))]
    shift: f32,
    /// Shear: sideways by up to this share of the height
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.shear, value_parser = |t: &str| change(t, 1.0))]
    shear: f32,
    /// What is seen beyond a picture's edge
    #[arg(long, value_enum, default_value_t)]
    fill: FillKind,
    /// Brightness, as a share of white that is added
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.brightness, value_parser = |t: &str| change(t, 1.0))]
    brightness: f32,
    /// Contrast, as a share
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.contrast, value_parser = |t: &str| change(t, 1.0))]
    contrast: f32,
    /// Saturation, as a share: 0.2 is 2/3 to 3/2 times as much
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.saturation, value_parser = |t: &str| change(t, 0.99))]
    saturation: f32,
    /// Hue: 1 is half of the circle of colours to either side
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.hue, value_parser = |t: &str| change(t, 1.0))]
    hue: f32,
    /// Blur, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = DEFAULT.blur, value_parser = |t: &str| change(t, 3.0))]
    blur: f32,
    /// Noise, as a share of white
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.noise, value_parser = |t: &str| change(t, 1.0))]
    noise: f32,
    /// Share of the pictures on which a face mask is drawn, where the detector told where eyes, nose and mouth are [default: 0; train
    /// vgg16 with the honest split: 0.3; of what a network made for faces learns 0.5, and never more than 0.9]
    #[arg(long, value_name = "SHARE", value_parser = |t: &str| change(t, 1.0))]
    pub masks: Option<f32>,
    /// Share of the pictures on which sunglasses are drawn
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.glasses, value_parser = |t: &str| change(t, 1.0))]
    glasses: f32,
    /// Share of the pictures in which a rectangle is painted over
    #[arg(long, value_name = "SHARE", default_value_t = DEFAULT.erase, value_parser = |t: &str| change(t, 1.0))]
    erase: f32,
}

/// Says on how many pictures masks and glasses cannot be drawn, if any are to be.
pub fn note_unknown_faces(dataset: &Dataset, augment: Augment) {
    let unknown = (0..dataset.len()).filter(|&at| !dataset.knows_face(at)).count();
    if augment.needs_faces() && unknown > 0 {
        note(format_args!(
            "{unknown} of {} pictures get no mask or glasses: it is not known where eyes, nose and mouth are (crop with MTCNN), or \
             they show a real mask",
            dataset.len()
        ));
    }
}

/// What is seen beyond a picture's edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FillKind {
    /// The colour of the nearest edge
    #[default]
    Edge,
    /// The picture, mirrored
    Reflect,
}

impl Changes {
    /// As the library takes them.
    pub fn augment(&self, seed: u32) -> Augment {
        Augment {
            seed,
            flip: !self.no_flip,
            zoom: self.zoom,
            rotation: self.rotation,
            shift: self.shift,
            shear: self.shear,
            fill: match self.fill {
                FillKind::Edge => Fill::Edge,
                FillKind::Reflect => Fill::Reflect,
            },
            brightness: self.brightness,
            contrast: self.contrast,
            saturation: self.saturation,
            hue: self.hue,
            blur: self.blur,
            noise: self.noise,
            erase: self.erase,
            masks: self.masks.unwrap_or(DEFAULT.masks),
            glasses: self.glasses,
        }
    }

    /// As the model file keeps them.
    pub fn json(&self) -> Value {
        let a = self.augment(0);
        json!({
            "flip": a.flip,
            "zoom": a.zoom,
            "rotation": a.rotation,
            "shift": a.shift,
            "shear": a.shear,
            "reflect": a.fill == Fill::Reflect,
            "brightness": a.brightness,
            "contrast": a.contrast,
            "saturation": a.saturation,
            "hue": a.hue,
            "blur": a.blur,
            "noise": a.noise,
            "erase": a.erase,
            "masks": a.masks,
            "glasses": a.glasses,
        })
    }
}
