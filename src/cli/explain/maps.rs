//! Heat maps of a face, by each method that was asked for and for each person.

use std::sync::Arc;

use lookalike::explain::{Coarse, Explained, GradCam, HeatMap, Occluded, Occlusion, occlusion};
use lookalike::models::{ModelFile, Predictor};
use lookalike::vision::RgbImage;
use lookalike::{Device, Result};
use serde_json::{Value, json};

use super::areas::Areas;
use super::{Arguments, Method};
use crate::cli::display::Progress;

/// What explains, with all that was set.
pub struct Explainer {
    file: Arc<ModelFile>,
    grad_cam: Option<GradCam>,
    occlusion: Option<(Predictor, Occlusion)>,
    plain: bool,
}

/// A heat map, and what it is of.
pub struct Map {
    /// For whom it speaks.
    pub person: String,
    /// `grad-cam` or `occlusion`.
    pub method: &'static str,
    /// The layer that was looked at, or the size of the patch.
    how: String,
    coarse: Coarse,
    /// The heat of each pixel.
    pub heat: HeatMap,
    /// The person's probability, and the lowest with a part covered.
    pub fall: Option<(f32, f32)>,
}

impl Explainer {
    /// Makes ready what the arguments ask for.
    pub fn new(device: &Device, file: &Arc<ModelFile>, arguments: &Arguments) -> Result<Explainer> {
        let Arguments { method, layer, patch, stride, plain, .. } = arguments;
        let grad_cam = match method {
            Method::GradCam | Method::Both => Some(GradCam::new(device, file.clone(), layer.as_deref())?),
            Method::Occlusion => None,
        };
        let occlusion = match method {
            Method::Occlusion | Method::Both => {
                let size = file.model.input.first().copied().unwrap_or(1);
                let patch = patch.unwrap_or_else(|| Occlusion::of(size).patch);
                let stride = stride.unwrap_or(patch.div_ceil(2));
                Some((Predictor::new(device, file.clone())?, Occlusion { patch, stride }))
            }
            Method::GradCam => None,
        };
        Ok(Explainer { file: file.clone(), grad_cam, occlusion, plain: *plain })
    }

    /// Maps of a crop for people by their numbers: both methods for the first, then for the next.
    pub fn explain(&mut self, crop: &RgbImage, people: &[usize]) -> Result<Vec<Map>> {
        let mut maps = Vec::new();
        for &person in people {
            let name = self.file.labels[person].clone();
            if let Some(grad_cam) = &mut self.grad_cam {
                let Explained { coarse, heat } = grad_cam.explain(crop.pixels(), person)?;
                let how = grad_cam.layer().to_owned();
                maps.push(Map { person: name.clone(), method: "grad-cam", how, coarse, heat, fall: None });
            }
            if let Some((predictor, settings)) = &mut self.occlusion {
                let progress = Progress::new("covering parts", "parts", self.plain);
                let report = &mut |done, all| progress.report(done, all);
                let Occluded { coarse, heat, probability, least } =
                    occlusion(predictor, crop.pixels(), person, *settings, report)?;
                let how = format!("patches of {} pixels", settings.patch);
                let fall = Some((probability, least));
                maps.push(Map { person: name, method: "occlusion", how, coarse, heat, fall });
            }
        }
        Ok(maps)
    }
}

impl Map {
    /// Whose it is, and where its heat lies.
    pub fn line(&self, areas: Option<&Areas>) -> String {
        let Map { person, method, how, coarse, heat, .. } = self;
        let head = format!("{person}, {method} ({how}, {} × {})", coarse.columns, coarse.rows());
        match areas.map(|areas| areas.line(heat)) {
            _ if heat.peak() == 0.0 => format!("{head}: nothing on this picture speaks for {person}"),
            Some(Some(line)) => format!("{head}: {line}"),
            _ => head,
        }
    }

    /// The same as numbers, with the map as it was before it was spread over the picture.
    pub fn json(&self, areas: Option<&Areas>) -> Value {
        let rows: Vec<&[f32]> = self.coarse.values.chunks_exact(self.coarse.columns).collect();
        json!({
            "person": self.person,
            "method": self.method,
            "how": self.how,
            "map": rows,
            "areas": areas.map(|areas| areas.json(&self.heat)),
            "probability": self.fall.map(|(before, _)| before),
            "least": self.fall.map(|(_, after)| after),
        })
    }
}
