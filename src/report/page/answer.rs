//! What a reader wants to know first: how well it works, and of what that is said.

use std::fmt::Write;

use super::{Report, Tried, paragraph};
use crate::models::wilson;
use crate::report::html::escaped;
use crate::report::percent;

/// Title, accuracy with its interval, and what stands behind it.
pub fn header(report: &Report) -> String {
    let Report { title, subtitle, facts, tried, .. } = report;
    let mut html = format!("<header>\n<h1>{}</h1>\n{}", escaped(title), paragraph(subtitle));
    match tried {
        Some(tried) => html += &answer(tried),
        None => {
            html += "<p class=\"warning\">How well this works cannot be said: there was no photo to try the model on that it \
                     has not learned from. <code>lookalike evaluate</code> tells with others.</p>\n";
        }
    }
    if !facts.is_empty() {
        html += "<dl class=\"facts\">\n";
        for (name, value) in facts {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value));
        }
        html += "</dl>\n";
    }
    for note in tried.iter().flat_map(|tried| &tried.notes) {
        html += &paragraph(note);
    }
    html + "</header>\n"
}

fn answer(tried: &Tried) -> String {
    let confusion = tried.confusion();
    let (correct, total) = (confusion.correct(), confusion.total());
    let (low, high) = wilson(correct, total);
    let warning = match &tried.warning {
        Some(warning) => format!("<p class=\"warning\">{}</p>\n", escaped(warning)),
        None => String::new(),
    };
    format!(
        "{warning}<div class=\"answer\">\n<p class=\"what\">{}</p>\n<p class=\"number\">{}</p>\n\
         <p>{correct} of {total} faces; 95 % interval {} to {}</p>\n{}</div>\n",
        escaped(&tried.accuracy),
        percent(confusion.accuracy()),
        percent(low),
        percent(high),
        interval(confusion.accuracy(), low, high)
    )
}

/// The interval on a line from 0 to 100 %; the words beside it say the same.
fn interval(share: f64, low: f64, high: f64) -> String {
    let of_line = |share: f64| 8.0 + 384.0 * share;
    format!(
        "<svg class=\"interval\" viewBox=\"0 0 400 16\" aria-hidden=\"true\">\n\
         <line class=\"grid\" x1=\"8\" y1=\"8\" x2=\"392\" y2=\"8\" stroke=\"currentColor\" stroke-width=\"4\"/>\n\
         <line class=\"first\" x1=\"{:.1}\" y1=\"8\" x2=\"{:.1}\" y2=\"8\" stroke=\"currentColor\" stroke-width=\"4\"/>\n\
         <circle class=\"first\" cx=\"{:.1}\" cy=\"8\" r=\"6\" fill=\"currentColor\"/>\n</svg>\n",
        of_line(low),
        of_line(high),
        of_line(share)
    )
}
