//! Choice of the detector that finds the faces, and how it searches.

use clap::Args;
use lookalike::detect::{Detector, DetectorChoice, MtcnnOptions};
use lookalike::{Device, Result};

/// Which detector, and how it searches.
#[derive(Args, Clone, Debug)]
pub struct DetectorArguments {
    /// What finds the faces: mtcnn (turned and small ones too), lbp (frontal ones only), or auto (lbp where mtcnn finds
    /// none)
    #[arg(long, value_name = "NAME", default_value_t, value_parser = choice)]
    pub detector: DetectorChoice,
    /// Smallest face that mtcnn looks for, in pixels of the photo
    #[arg(long, value_name = "PIXELS", default_value_t = MtcnnOptions::default().min_face, value_parser = min_face)]
    min_face: f64,
    /// Probabilities from which mtcnn's three networks take a box for a face
    #[arg(long, value_name = "P,P,P", default_value = "0.6,0.7,0.7", value_parser = thresholds)]
    thresholds: [f32; 3],
    /// Ratio of one size of the photo that mtcnn searches to the next larger one
    #[arg(long, value_name = "RATIO", default_value_t = MtcnnOptions::default().factor, value_parser = factor)]
    factor: f64,
}

impl DetectorArguments {
    /// The detector, on `device`.
    pub fn open(&self, device: &Device) -> Result<Box<dyn Detector>> {
        self.detector.open(device, &self.options())
    }

    /// How MTCNN searches.
    pub fn options(&self) -> MtcnnOptions {
        let DetectorArguments { min_face, thresholds, factor, .. } = *self;
        MtcnnOptions { min_face, thresholds, factor, ..MtcnnOptions::default() }
    }
}

impl Default for DetectorArguments {
    fn default() -> DetectorArguments {
        let MtcnnOptions { min_face, thresholds, factor, .. } = MtcnnOptions::default();
        DetectorArguments { detector: DetectorChoice::default(), min_face, thresholds, factor }
    }
}

fn choice(name: &str) -> std::result::Result<DetectorChoice, String> {
    name.parse().map_err(|error: lookalike::Error| error.to_string())
}

/// A number for which `set` makes valid options.
fn number<T: std::str::FromStr>(
    text: &str,
    set: impl FnOnce(&mut MtcnnOptions, &T),
) -> std::result::Result<T, String> {
    let number = text.parse().map_err(|_| "give a number".to_owned())?;
    let mut options = MtcnnOptions::default();
    set(&mut options, &number);
    options.check().map(|()| number).map_err(|error| error.to_string())
}

/// The size of a face that MTCNN can look for.
pub fn min_face(text: &str) -> std::result::Result<f64, String> {
    number(text, |options, &min_face| options.min_face = min_face)
}

fn factor(text: &str) -> std::result::Result<f64, String> {
    number(text, |options, &factor| options.factor = factor)
}

fn thresholds(text: &str) -> std::result::Result<[f32; 3], String> {
    let three = || "give three numbers, such as 0.6,0.7,0.7".to_owned();
    let numbers: Vec<f32> = text
        .split(',')
        .map(|part| part.trim().parse().map_err(|_| three()))
        .collect::<std::result::Result<_, _>>()?;
    let thresholds: [f32; 3] = numbers.try_into().map_err(|_| three())?;
    let options = MtcnnOptions { thresholds, ..MtcnnOptions::default() };
    options.check().map(|()| thresholds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_say_what_to_give() {
        assert_eq!(min_face("40"), Ok(40.0));
        assert!(min_face("1").unwrap_err().contains("usually 20"));
        assert!(factor("1").unwrap_err().contains("0.709") && factor("x").is_err());
        assert_eq!(thresholds("0.5, 0.6,0.9"), Ok([0.5, 0.6, 0.9]));
        for wrong in ["0.5", "0.5,0.6,0.7,0.8", "0.5,x,0.7", "0.5,0.6,1"] {
            assert!(thresholds(wrong).unwrap_err().contains("three numbers"), "{wrong}");
        }
    }
}
