//! Where the network looked.

use super::{Report, Section, image, most_probable, name};
use crate::Result;
use crate::vision::RgbImage;

/// Side of a face in pixels of its file, two for each of the page's.
const SIDE: usize = 224;

/// A face, and what on it speaks for the person that it was taken for.
#[derive(Clone, Debug)]
pub struct Look {
    /// Which of the answers it is.
    pub answer: usize,
    /// What the network sees.
    pub face: RgbImage,
    /// The same under its heat map.
    pub heat: RgbImage,
}

pub fn section(report: &Report) -> Result<Option<Section>> {
    let Some(tried) = report.tried.as_ref().filter(|tried| !tried.looks.is_empty()) else { return Ok(None) };
    let mut html =
        "<p>Faces as the network sees them, and what on them speaks for the person they were taken for, from dark to bright \
         (Grad-CAM). Heat beside the face would mean that it knows the wall. <code>lookalike explain</code> does the same for \
         any photo.</p>\n<ul class=\"faces pairwise\">\n"
            .to_string();
    for Look { answer, face, heat } in &tried.looks {
        let person = &tried.names[most_probable(&tried.rows[*answer])];
        html += &format!(
            "<li><div class=\"pair\">{}{}</div><span>{}</span></li>\n",
            image(face, SIDE, "the face")?,
            image(heat, SIDE, &format!("what speaks for {person}"))?,
            name(person)
        );
    }
    html += "</ul>\n";
    Ok(Some(Section { title: "Where it looks", html }))
}
