//! What of a crop is face, and how much of the heat lies there.

use lookalike::explain::{HeatMap, hull, share_of_picture};
use lookalike::recognize::FoundFace;
use serde_json::{Value, json};

use crate::cli::display::percent;

/// The face in a crop, and its features.
pub struct Areas {
    face: Area,
    /// The hull of eyes, nose and mouth.
    features: Option<Area>,
}

struct Area {
    outline: Vec<[f32; 2]>,
    /// Its share of the picture.
    size: f64,
}

impl Areas {
    /// Of a face whose box is known.
    pub fn of(face: &FoundFace) -> Option<Areas> {
        let area = |outline: Vec<[f32; 2]>| Area {
            size: share_of_picture(&outline, face.crop.width(), face.crop.height()),
            outline,
        };
        let features = face.landmarks.map(|landmarks| area(hull(&landmarks)));
        Some(Areas { face: area(face.oval?.to_vec()), features })
    }

    /// The share of the heat that lies on the face; `None` if there is no heat.
    pub fn on_face(&self, heat: &HeatMap) -> Option<f64> {
        heat.share_within(&self.face.outline)
    }

    /// What there is to say of a map's heat, in words.
    pub fn line(&self, heat: &HeatMap) -> Option<String> {
        let (face, on_face) = (self.face.size, self.on_face(heat)?);
        let mut line = format!(
            "{} of the heat on the face, which is {} of the picture",
            percent(on_face),
            percent(face)
        );
        if let Some(area) = &self.features {
            let between = heat.share_within(&area.outline)?;
            line += &format!("; {} between eyes and mouth, {}", percent(between), percent(area.size));
        }
        let around = (1.0 - on_face) / (1.0 - face);
        Some(match on_face / face / around {
            times if times.is_finite() => {
                format!("{line}; a pixel of the face counts {times:.1} times what one around it does")
            }
            _ => line,
        })
    }

    /// The same as numbers.
    pub fn json(&self, heat: &HeatMap) -> Value {
        let of = |area: &Area| json!({"heat": heat.share_within(&area.outline), "picture": area.size});
        json!({"face": of(&self.face), "features": self.features.as_ref().map(of)})
    }
}
