//! The network that a run trains: which one, how large, from which weights.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookalike::models::weights::{VGG16, downloaded, none_given, read};
use lookalike::models::{
    FACE_SCALE, FACE_STRANGERS, FacePlacement, Model, SFACE_SCALE, SFACE_STRANGERS, ScratchCnn,
    VGG16_GAP_STRANGERS, Vgg16, face, face_normalize, face_weights, scratch_cnn, sface, sface_normalize,
    sface_weights, vgg16, vgg16_base, vgg16_gap, vgg16_gap_base,
};
use lookalike::ops::Normalize;
use lookalike::tensor::HostTensor;
use lookalike::train::FineTune;
use lookalike::{Error, Result};

use super::number::{dropout, positive, units};

/// A size of pictures that VGG16 takes.
const LEAST_SIZE: usize = 32;
/// Layers that are trained further get this share of the learning rate, unless told otherwise.
const SLOW: f64 = 0.01;

/// Networks that can be trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// SFace, a network that was trained to tell faces apart, also in masks, and ships with the program, frozen; a person is the
    /// mean of what it makes of their photos: one photo of each is enough, and there are no epochs
    #[default]
    Sface,
    /// dlib's network, of the same kind; less sure of people in masks
    Face,
    /// Three stages of convolutions and two dense layers, from random weights
    Scratch,
    /// VGG16, pretrained on a million photos of all kinds and frozen, with two dense layers on top
    Vgg16,
    /// Most of VGG16, frozen, its features averaged over the picture, with one small layer on top: for few photos of each
    /// person; there are no epochs
    Vgg16Gap,
}

impl Kind {
    /// Its name on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Scratch => "scratch",
            Kind::Vgg16 => "vgg16",
            Kind::Vgg16Gap => "vgg16-gap",
            Kind::Face => "face",
            Kind::Sface => "sface",
        }
    }

    /// Whether it learns in epochs, from one batch after the other.
    pub fn has_epochs(self) -> bool {
        matches!(self, Kind::Scratch | Kind::Vgg16)
    }

    /// From how far on a face is a stranger's, where a run's own people do not tell; none for networks that learn all of their
    /// features, in which distances mean something else each time.
    pub fn usual_distance(self) -> Option<f32> {
        match self {
            Kind::Scratch | Kind::Vgg16 => None,
            Kind::Vgg16Gap => Some(VGG16_GAP_STRANGERS),
            Kind::Face => Some(FACE_STRANGERS),
            Kind::Sface => Some(SFACE_STRANGERS),
        }
    }

    /// Where it wants the faces in its pictures, if it was made for faces. Then it is frozen, and a person is the mean of what it
    /// makes of their photos.
    pub fn placement(self) -> Option<FacePlacement> {
        match self {
            Kind::Scratch | Kind::Vgg16 | Kind::Vgg16Gap => None,
            Kind::Face => Some(FacePlacement::Dlib),
            Kind::Sface => Some(FacePlacement::ArcFace),
        }
    }

    /// Whether it was made for faces.
    pub fn is_for_faces(self) -> bool {
        self.placement().is_some()
    }

    /// How fast the probability of a person is expected to fall with the distance, where a person is the mean of what it makes of
    /// their photos.
    pub fn usual_scale(self) -> Option<f64> {
        match self {
            Kind::Scratch | Kind::Vgg16 | Kind::Vgg16Gap => None,
            Kind::Face => Some(FACE_SCALE),
            Kind::Sface => Some(SFACE_SCALE),
        }
    }
}

/// How pixels become numbers, by the name of who trained that way.
pub fn preprocessing(name: &str) -> std::result::Result<Normalize, String> {
    Normalize::named(name).ok_or_else(|| {
        "give caffe (BGR less ImageNet's mean, as Keras's VGG16), torch (ImageNet's mean and deviation) or unit (0 to 1)"
            .into()
    })
}

/// Which network to train.
#[derive(Args, Clone, Debug, Default)]
pub struct NetworkArguments {
    /// Network to train
    #[arg(long, value_enum, default_value_t)]
    pub model: Kind,
    /// File with VGG16's pretrained weights: Keras's .h5, .weights.h5 or .keras, .safetensors or .npz [default: what
    /// `lookalike weights get vgg16` has downloaded]
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// How the pretrained weights want their pixels: caffe, torch or unit; known files bring it
    #[arg(long, value_name = "NAME", value_parser = preprocessing)]
    pub preprocessing: Option<Normalize>,
    /// Train VGG16's layers from this block on too, as block5, at --base-rate
    #[arg(long, value_name = "BLOCK")]
    pub unfreeze: Option<String>,
    /// Learning rate of the pretrained layers of --unfreeze [default: a hundredth of --rate]
    #[arg(long, value_name = "RATE", value_parser = |t: &str| positive(t, 1e-5))]
    pub base_rate: Option<f64>,
    /// Channels after each stage of the scratch network [default: 16,32,64]
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', value_parser = units)]
    pub widths: Option<Vec<usize>>,
    /// Units of the hidden dense layer [default: 128; vgg16: 256]
    #[arg(long, value_name = "N", value_parser = units)]
    pub dense: Option<usize>,
    /// Share dropped before the last layers [default: 0.2; vgg16: 0.5]
    #[arg(long, value_name = "SHARE", value_parser = dropout)]
    pub dropout: Option<f64>,
}

/// What training starts from.
pub struct Start {
    /// Pretrained parameters by name; none from scratch.
    pub weights: BTreeMap<String, HostTensor>,
    /// From bytes to numbers.
    pub normalize: Normalize,
    /// The first layer of the pretrained base that is trained too.
    unfrozen: Option<usize>,
}

impl NetworkArguments {
    /// What the network starts from. What does not fit together, or is not there, is said before any photo is searched.
    ///
    /// # Errors
    /// [`Error::Input`] that names the option; those of reading the weights.
    pub fn start(&self) -> Result<Start> {
        self.check()?;
        // The weights are the same for pictures of any size.
        let base = match self.model {
            Kind::Scratch => {
                return Ok(Start { weights: BTreeMap::new(), normalize: Normalize::unit(), unfrozen: None });
            }
            Kind::Face => {
                return Ok(Start { weights: face_weights()?, normalize: face_normalize(), unfrozen: None });
            }
            Kind::Sface => {
                return Ok(Start { weights: sface_weights()?, normalize: sface_normalize(), unfrozen: None });
            }
            Kind::Vgg16 => vgg16_base(LEAST_SIZE)?,
            Kind::Vgg16Gap => vgg16_gap_base(LEAST_SIZE)?,
        };
        let unfrozen = self.unfreeze.as_ref().map(|block| first_layer(&base, block)).transpose()?;
        let path = match &self.weights {
            Some(path) => path.clone(),
            None => downloaded(&VGG16)?.ok_or_else(|| none_given("vgg16"))?,
        };
        let pretrained = read(&path, &base)?;
        let normalize = pretrained.preprocessing(&path, self.preprocessing)?;
        Ok(Start { weights: pretrained.tensors, normalize, unfrozen })
    }

    fn check(&self) -> Result<()> {
        let refused = |option: &str, needed: &str| {
            Err(Error::Input(format!("{option} goes with {needed}; leave one out or add the other")))
        };
        let of_vgg16 = matches!(self.model, Kind::Vgg16 | Kind::Vgg16Gap);
        for (option, given, fits, needed) in [
            ("--weights", self.weights.is_some(), of_vgg16, "--model vgg16 or vgg16-gap"),
            ("--preprocessing", self.preprocessing.is_some(), of_vgg16, "--model vgg16 or vgg16-gap"),
            ("--unfreeze", self.unfreeze.is_some(), self.model == Kind::Vgg16, "--model vgg16"),
            ("--widths", self.widths.is_some(), self.model == Kind::Scratch, "--model scratch"),
            ("--dense", self.dense.is_some(), self.model.has_epochs(), "--model scratch or vgg16"),
            ("--dropout", self.dropout.is_some(), self.model.has_epochs(), "--model scratch or vgg16"),
        ] {
            if given && !fits {
                return refused(option, needed);
            }
        }
        if self.base_rate.is_some() && self.unfreeze.is_none() {
            return refused("--base-rate", "--unfreeze");
        }
        Ok(())
    }

    /// The network for pictures of `size × size` of `classes` people.
    pub fn build(&self, start: &Start, size: usize, classes: usize) -> Result<Model> {
        let mut model = match self.model {
            Kind::Scratch => self.scratch(size, classes),
            Kind::Vgg16 => self.vgg16(size, classes)?,
            Kind::Vgg16Gap => vgg16_gap(size, classes)?,
            Kind::Face => face(classes),
            Kind::Sface => sface(classes),
        };
        if let Some(first) = start.unfrozen {
            model.frozen = first;
        }
        Ok(model)
    }

    /// How pretrained layers are trained further, where some are; `rate` is that of the others.
    pub fn fine_tune(&self, start: &Start, rate: f64) -> Result<Option<FineTune>> {
        if start.unfrozen.is_none() {
            return Ok(None);
        }
        let layers = vgg16_base(LEAST_SIZE)?.layers.len();
        Ok(Some(FineTune { layers, rate: self.base_rate.unwrap_or(rate * SLOW) as f32 }))
    }

    fn scratch(&self, size: usize, classes: usize) -> Model {
        let usual = ScratchCnn::new(classes);
        scratch_cnn(&ScratchCnn {
            size,
            widths: self.widths.clone().unwrap_or(usual.widths),
            dense: self.dense.unwrap_or(usual.dense),
            dropout: self.dropout.map_or(usual.dropout, |dropout| dropout as f32),
            classes,
        })
    }

    fn vgg16(&self, size: usize, classes: usize) -> Result<Model> {
        let usual = Vgg16::new(classes);
        vgg16(&Vgg16 {
            size,
            dense: self.dense.unwrap_or(usual.dense),
            dropout: self.dropout.map_or(usual.dropout, |dropout| dropout as f32),
            classes,
        })
    }
}

/// The first layer of a block of the base.
fn first_layer(base: &Model, block: &str) -> Result<usize> {
    let is_of_block = |name: &str| name.strip_prefix(block).is_some_and(|rest| rest.starts_with('_'));
    base.layers.iter().position(|layer| is_of_block(layer.name())).ok_or_else(|| {
        let mut blocks: Vec<&str> = base.layers.iter().filter_map(|l| l.name().split('_').next()).collect();
        blocks.dedup();
        Error::Input(format!(
            "--unfreeze {block}: VGG16 has no such block; give one of {}",
            blocks.join(", ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_by_its_name_and_nothing_else() {
        let base = vgg16_base(32).unwrap();
        let name = |block| first_layer(&base, block).map(|at| base.layers[at].name().to_owned());
        assert_eq!(name("block5").unwrap(), "block5_conv1");
        assert_eq!(name("block1").unwrap(), "block1_conv1");
        for wrong in ["block6", "block", "", "block5_"] {
            assert!(name(wrong).unwrap_err().to_string().contains("block1, block2"), "{wrong}");
        }
    }

    #[test]
    fn options_of_the_other_network_are_refused() {
        let scratch = NetworkArguments { unfreeze: Some("block5".into()), ..NetworkArguments::default() };
        assert!(scratch.check().unwrap_err().to_string().starts_with("--unfreeze goes with --model vgg16"));
        let vgg16 =
            NetworkArguments { model: Kind::Vgg16, widths: Some(vec![8]), ..NetworkArguments::default() };
        assert!(vgg16.check().unwrap_err().to_string().starts_with("--widths goes with --model scratch"));
        for model in [Kind::Face, Kind::Sface] {
            let dense = NetworkArguments { model, dense: Some(8), ..NetworkArguments::default() };
            assert!(dense.check().unwrap_err().to_string().starts_with("--dense goes with"));
        }
        assert!(NetworkArguments::default().check().is_ok());
    }
}
