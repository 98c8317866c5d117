//! A photo in, the people on it out: detection, crops and a trained model behind one door.

mod batch;
mod stream;

pub use stream::Recognitions;

use std::path::Path;
use std::sync::Arc;

use crate::detect::{
    CropStyle, Detector, DetectorChoice, Landmarks, MtcnnOptions, Oval, face_crop, is_head_shot,
    landmarks_in_crop, oval_in_crop, place_face, placed_landmarks, placed_points, whole_crop,
};
use crate::gpu::block_on;
use crate::lending::Lending;
use crate::models::{Judged, ModelFile, Predictor};
use crate::tensor::Precision;
use crate::vision::{Rect, RgbImage};
use crate::{Device, Result};

/// Names the faces in photos. Any number of threads may share one. What it needs on its device is made once, for the first photos,
/// and used again for all others. Cheap to clone; clones share everything.
///
/// # Example
/// ```no_run
/// use std::path::Path;
/// use lookalike::recognize::Recognizer;
/// use lookalike::vision::{MAX_PIXELS, decode};
/// use lookalike::Device;
///
/// let recognizer = Recognizer::open(&Device::open()?, Path::new("model.safetensors"))?;
/// for face in recognizer.recognize(&decode(Path::new("photo.jpg"), MAX_PIXELS)?)? {
///     println!("{} {:.0} %", face.nearest, 100.0 * face.confidence);
/// }
/// # Ok::<(), lookalike::Error>(())
/// ```
#[derive(Clone)]
pub struct Recognizer {
    device: Device,
    file: Arc<ModelFile>,
    precision: Precision,
    detector: Arc<dyn Detector>,
    predictors: Arc<Lending<Predictor>>,
}

/// A face that was found, ready for the model.
#[derive(Clone, Debug)]
pub struct FoundFace {
    /// Where it is, in pixels of the photo.
    pub rect: Rect,
    /// How sure the detector is, in 0..=1; 0 where it found nothing and the whole picture was taken.
    pub score: f32,
    /// What the model is shown.
    pub crop: RgbImage,
    /// The outline of the face, in pixels of the crop; `None` where no face was found and the whole picture was taken.
    pub oval: Option<Oval>,
    /// Where eyes, nose and mouth are, in pixels of the crop, if the detector has found them.
    pub landmarks: Option<Landmarks>,
}

/// A face and who it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognition {
    /// Where it is, in pixels of the photo.
    pub rect: Rect,
    /// How sure the detector is that it is a face, in 0..=1.
    pub score: f32,
    /// The most probable person; `None` for a face of nobody whom the model knows.
    pub name: Option<String>,
    /// The most probable person.
    pub nearest: String,
    /// Probability of the most probable person.
    pub confidence: f32,
    /// Probability of each person, in the order of the model's labels.
    pub confidences: Vec<(String, f32)>,
    /// How far the face is from the nearest person, by 1 − cos of the angle between features, if the model knows
    /// [strangers](crate::models::Strangers).
    pub distance: Option<f32>,
}

impl Recognizer {
    /// Opens the model file at `path` on `device`.
    ///
    /// # Errors
    /// Those of [`ModelFile::open`], or if the device has no room for the weights.
    pub fn open(device: &Device, path: &Path) -> Result<Recognizer> {
        Recognizer::new(device, ModelFile::open(path)?)
    }

    /// A recogniser from a model in memory. It finds faces with the detector that the model was trained with.
    ///
    /// # Errors
    /// If the device has no room for the weights, or the model names a detector that is not known.
    pub fn new(device: &Device, file: ModelFile) -> Result<Recognizer> {
        Recognizer::in_precision(device, file, Precision::F32)
    }

    /// As [`Recognizer::new`], where the model [keeps tensors](Predictor::in_precision) in floats of `precision`. The
    /// detector does not.
    ///
    /// # Errors
    /// As [`Recognizer::new`].
    pub fn in_precision(device: &Device, file: ModelFile, precision: Precision) -> Result<Recognizer> {
        let choice: DetectorChoice = file.preprocessing.detector.parse()?;
        let detector = choice.open(device, &MtcnnOptions::default())?.into();
        let file = Arc::new(file);
        let predictors = Lending::new(Predictor::in_precision(device, file.clone(), precision)?, device);
        Ok(Recognizer { device: device.clone(), file, precision, detector, predictors: predictors.into() })
    }

    /// The model, its labels and its preprocessing.
    pub fn file(&self) -> &Arc<ModelFile> {
        &self.file
    }

    /// Searches with another detector than the one that the model was trained with.
    pub fn with_detector(self, detector: Box<dyn Detector>) -> Recognizer {
        Recognizer { detector: detector.into(), ..self }
    }

    /// The faces of a photo with their names, the surest face first; none if no face was found.
    ///
    /// # Errors
    /// If the device fails.
    pub fn recognize(&self, image: &RgbImage) -> Result<Vec<Recognition>> {
        block_on(self.recognize_async(image))
    }

    /// As [`Recognizer::recognize`], without blocking where a GPU does the work. Any executor may poll it, and it may be dropped
    /// before its end. On the CPU the polling thread does the work, as it does what is made once for the first photos.
    ///
    /// # Errors
    /// As [`Recognizer::recognize`].
    pub async fn recognize_async(&self, image: &RgbImage) -> Result<Vec<Recognition>> {
        self.name_async(&self.find_async(image).await?).await
    }

    /// The faces of a photo, the surest first. A tight head shot in which no face is found is one face, if the
    /// model was trained on such pictures.
    ///
    /// # Errors
    /// If detection fails.
    pub fn find(&self, image: &RgbImage) -> Result<Vec<FoundFace>> {
        block_on(self.find_async(image))
    }

    /// As [`Recognizer::find`], without blocking, as [`Recognizer::recognize_async`].
    ///
    /// # Errors
    /// As [`Recognizer::find`].
    pub async fn find_async(&self, image: &RgbImage) -> Result<Vec<FoundFace>> {
        let how = &self.file.preprocessing;
        let found = self.detector.detect_async(image).await?;
        if found.is_empty() && how.whole && is_head_shot(image, how.size) {
            let crop = whole_crop(image, how.size);
            let crop = match how.placed {
                Some(placement) => place_face(&crop, None, how.margin, placement),
                None => crop,
            };
            return Ok(vec![FoundFace {
                rect: image.bounds(),
                score: 0.0,
                crop,
                oval: None,
                landmarks: None,
            }]);
        }
        let style = CropStyle { size: how.size, margin: how.margin, align: how.align };
        let face = |face: crate::detect::Face| {
            let crop = face_crop(image, &face, style);
            let (landmarks, oval) = (landmarks_in_crop(&face, style), oval_in_crop(&face, style));
            let (rect, score) = (face.rect, face.score);
            let Some(placement) = how.placed else {
                return FoundFace { rect, score, crop, oval: Some(oval), landmarks };
            };
            FoundFace {
                rect,
                score,
                crop: place_face(&crop, landmarks.as_ref(), how.margin, placement),
                oval: Some(placed_points(&oval, landmarks.as_ref(), how.size, how.margin, placement)),
                landmarks: landmarks.map(|points| placed_landmarks(&points, how.size, how.margin, placement)),
            }
        };
        Ok(found.into_iter().map(face).collect())
    }

    /// Names faces of any number of photos at once, in their order.
    ///
    /// # Errors
    /// If the device fails.
    pub fn name(&self, faces: &[FoundFace]) -> Result<Vec<Recognition>> {
        block_on(self.name_async(faces))
    }

    /// As [`Recognizer::name`], without blocking, as [`Recognizer::recognize_async`].
    ///
    /// # Errors
    /// As [`Recognizer::name`].
    pub async fn name_async(&self, faces: &[FoundFace]) -> Result<Vec<Recognition>> {
        let pixels: Vec<u8> = faces.iter().flat_map(|face| face.crop.pixels()).copied().collect();
        let another = || Predictor::in_precision(&self.device, self.file.clone(), self.precision);
        let judge = async |predictor: &mut Predictor| predictor.judge_async(&pixels).await;
        let judged = self.predictors.with(another, judge).await?;
        Ok(faces.iter().zip(judged).map(|(face, judged)| self.recognition(face, judged)).collect())
    }

    fn recognition(&self, face: &FoundFace, judged: Judged) -> Recognition {
        let Judged { probabilities, distance, stranger } = judged;
        let confidences: Vec<(String, f32)> = self.file.labels.iter().cloned().zip(probabilities).collect();
        let (nearest, confidence) = confidences
            .iter()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .cloned()
            .expect("a model file has a label per output, and at least one");
        let name = (!stranger).then(|| nearest.clone());
        Recognition { rect: face.rect, score: face.score, name, nearest, confidence, confidences, distance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Params;
    use crate::models::{Preprocessing, ScratchCnn, scratch_cnn};
    use crate::ops::Normalize;

    pub(super) fn recognizer(whole: bool) -> Recognizer {
        let sizes = ScratchCnn { size: 32, widths: vec![2], dense: 4, ..ScratchCnn::new(2) };
        let model = scratch_cnn(&sizes);
        let params = Params::new(&Device::cpu());
        model.initialize(&params, 1).unwrap();
        let names = model.parameters().unwrap().into_iter().map(|p| p.name);
        let weights = names.map(|name| (name.clone(), params.get(&name).unwrap())).collect();
        let preprocessing = Preprocessing {
            size: 32,
            detector: "lbp".into(),
            margin: 0.2,
            align: true,
            placed: None,
            whole,
            normalize: Normalize::unit(),
        };
        let labels = vec!["anna".into(), "ben".into()];
        let file = ModelFile::new(model, labels, preprocessing, weights);
        Recognizer::new(&Device::cpu(), file).unwrap()
    }

    #[test]
    fn a_head_shot_without_a_face_is_named_whole() {
        let picture = RgbImage::filled(30, 32, [90, 70, 60]);
        let recognizer = recognizer(true);
        let [face] = &recognizer.recognize(&picture).unwrap()[..] else { panic!("one face") };
        assert_eq!((face.rect, face.score), (picture.bounds(), 0.0));
        assert_eq!(face.name.as_ref(), Some(&face.nearest));
        let sum: f32 = face.confidences.iter().map(|(_, p)| p).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{face:?}");
        assert!(face.confidences.contains(&(face.nearest.clone(), face.confidence)));
        assert_eq!(recognizer.recognize(&RgbImage::filled(60, 60, [9; 3])).unwrap(), [], "too large");
    }

    #[test]
    fn a_model_of_found_faces_does_not_take_pictures_whole() {
        assert_eq!(recognizer(false).recognize(&RgbImage::filled(30, 32, [90, 70, 60])).unwrap(), []);
    }

    #[test]
    fn it_and_its_futures_go_from_thread_to_thread() {
        fn both<T: Send + Sync>(_: &T) {}
        fn send<T: Send>(_: &T) {}
        let (recognizer, picture) = (recognizer(true), RgbImage::filled(30, 32, [90, 70, 60]));
        both(&recognizer);
        let future = recognizer.recognize_async(&picture);
        send(&future);
        assert_eq!(pollster::block_on(future).unwrap(), recognizer.recognize(&picture).unwrap());
    }

    #[test]
    fn threads_share_one() {
        use rayon::prelude::*;
        let recognizer = recognizer(true);
        let pictures: Vec<_> = (0..40).map(|i| RgbImage::filled(32, 32, [i * 6, 90, 20])).collect();
        let one_by_one: Vec<_> = pictures.iter().map(|p| recognizer.recognize(p).unwrap()).collect();
        let at_once: Vec<_> = pictures.par_iter().map(|p| recognizer.recognize(p).unwrap()).collect();
        assert_eq!(one_by_one, at_once);
    }
}
