//! What confidences are worth: ROC, reliability, strangers.

use super::{Report, Section, figures};

pub fn section(report: &Report) -> Option<Section> {
    let tried = report.tried.as_ref().filter(|tried| !tried.rows.is_empty())?;
    let strangers = tried.strangers.as_ref();
    let drawings = tried.roc().into_iter().chain([tried.reliability()]).chain(strangers.map(|s| s.draw()));
    let mut html = figures(&drawings.collect::<Vec<_>>());
    html += "<p class=\"small\">ROC: for every threshold on the confidence in a name, how many of the person's faces pass it and \
             how many of the others' faces. A perfect model goes through the upper left corner, a guess along the dashed line. \
             Reliability: dots on the dashed line mean that of a hundred faces named with 80 % confidence about eighty are right; \
             strokes are 95 % intervals, grey bars tell how many faces there are.</p>\n";
    if strangers.is_some() {
        html += "<p class=\"small\">Strangers: for every distance from which on a face is nobody's, how many faces of people whom \
                 the model does not know pass for somebody, and how many known people pass as known.</p>\n";
    }
    Some(Section { title: "What confidences are worth", html })
}
