//! Where the network looks on some of the faces.

use lookalike::data::Dataset;
use lookalike::explain::GradCam;
use lookalike::models::ModelFile;
use lookalike::report::{Look, most_probable};
use lookalike::vision::RgbImage;
use lookalike::{Device, Error, Result};

use crate::cli::augment::spread;

/// Faces that are shown.
const MOST: usize = 8;

/// Heat maps of some of the answers, each for the person that the face is taken for; none where the network has no layer to look
/// at. `picture` tells where the face of an answer is.
pub fn looks<'a>(
    file: &ModelFile,
    device: &Device,
    rows: &[Vec<f32>],
    picture: &dyn Fn(usize) -> (&'a Dataset, usize),
) -> Result<Vec<Look>> {
    let mut grad_cam = match GradCam::new(device, file.clone(), None) {
        Err(Error::Input(_)) => return Ok(vec![]),
        made => made?,
    };
    let look = |answer: usize| {
        let (dataset, at) = picture(answer);
        let face = dataset.only(&[at]);
        let face = match file.preprocessing.placed {
            Some(placement) => face.placed(placement),
            None => face,
        };
        Ok(Look {
            answer,
            heat: grad_cam.picture(face.image(0), most_probable(&rows[answer]))?,
            face: RgbImage::new(face.size, face.size, face.pixels)?,
        })
    };
    spread(rows.len(), MOST).into_iter().map(look).collect()
}
