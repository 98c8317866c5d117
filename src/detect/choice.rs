//! Which detector to search with: by the names of the command line.

use std::fmt;
use std::str::FromStr;

use super::{Cascade, Detection, Detector, Face, Mtcnn, MtcnnOptions};
use crate::gpu::block_on;
use crate::vision::RgbImage;
use crate::{Device, Error, Result};

/// The detectors that can be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DetectorChoice {
    /// [`Mtcnn`]: turned and small faces too, with landmarks.
    #[default]
    Mtcnn,
    /// [`Cascade`]: upright frontal faces, boxes only, no networks.
    Lbp,
    /// [`Mtcnn`], and the [`Cascade`] where it finds nothing.
    Auto,
}

impl DetectorChoice {
    /// All of them, the default first.
    pub const ALL: [DetectorChoice; 3] = [DetectorChoice::Mtcnn, DetectorChoice::Lbp, DetectorChoice::Auto];

    /// Its name on the command line and in model files: `mtcnn`, `lbp` or `auto`.
    pub fn name(self) -> &'static str {
        match self {
            DetectorChoice::Mtcnn => "mtcnn",
            DetectorChoice::Lbp => "lbp",
            DetectorChoice::Auto => "auto",
        }
    }

    /// The detector. Networks run on `device`, as `options` say.
    ///
    /// # Errors
    /// Those of [`Mtcnn::with_options`], where there are networks.
    pub fn open(self, device: &Device, options: &MtcnnOptions) -> Result<Box<dyn Detector>> {
        let mtcnn = || Mtcnn::with_options(device, options.clone());
        Ok(match self {
            DetectorChoice::Mtcnn => Box::new(mtcnn()?),
            DetectorChoice::Lbp => Box::new(Cascade::frontal()),
            DetectorChoice::Auto => Box::new(Auto { first: mtcnn()?, otherwise: Cascade::frontal() }),
        })
    }
}

impl fmt::Display for DetectorChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DetectorChoice {
    type Err = Error;

    fn from_str(name: &str) -> Result<DetectorChoice> {
        let known = DetectorChoice::ALL.into_iter().find(|choice| choice.name() == name);
        known.ok_or_else(|| {
            let names = DetectorChoice::ALL.map(DetectorChoice::name).join(", ");
            Error::Input(format!("there is no detector '{name}'; give one of {names}"))
        })
    }
}

/// A detector, and another for the photos in which it finds nothing.
#[derive(Debug)]
struct Auto<A, B> {
    first: A,
    otherwise: B,
}

impl<A: Detector, B: Detector> Detector for Auto<A, B> {
    fn name(&self) -> &'static str {
        DetectorChoice::Auto.name()
    }

    fn settings(&self) -> String {
        format!("{}, else {}", self.first.settings(), self.otherwise.settings())
    }

    fn detect(&self, image: &RgbImage) -> Result<Vec<Face>> {
        block_on(self.detect_async(image))
    }

    fn detect_async<'a>(&'a self, image: &'a RgbImage) -> Detection<'a> {
        Box::pin(async {
            let faces = self.first.detect_async(image).await?;
            if faces.is_empty() { self.otherwise.detect_async(image).await } else { Ok(faces) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Rect;

    /// Finds a face of this score in pictures that are at least so wide.
    struct Wide(usize, f32);

    impl Detector for Wide {
        fn name(&self) -> &'static str {
            "wide"
        }

        fn detect(&self, image: &RgbImage) -> Result<Vec<Face>> {
            let face = Face {
                rect: Rect { x: 0.0, y: 0.0, width: 1.0, height: 1.0 },
                score: self.1,
                landmarks: None,
            };
            Ok(if image.width() >= self.0 { vec![face] } else { vec![] })
        }
    }

    #[test]
    fn auto_asks_the_second_only_where_the_first_finds_nothing() {
        let auto = Auto { first: Wide(20, 0.9), otherwise: Wide(10, 0.4) };
        let scores = |width| {
            let faces = auto.detect(&RgbImage::filled(width, 5, [0; 3])).unwrap();
            faces.iter().map(|face| face.score).collect::<Vec<_>>()
        };
        assert_eq!((scores(30), scores(15), scores(5)), (vec![0.9], vec![0.4], vec![]));
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for choice in DetectorChoice::ALL {
            assert_eq!(choice.to_string().parse::<DetectorChoice>().unwrap(), choice);
        }
        let message = "haar".parse::<DetectorChoice>().unwrap_err().to_string();
        assert!(message.contains("'haar'") && message.contains("mtcnn, lbp, auto"), "{message}");
    }
}
