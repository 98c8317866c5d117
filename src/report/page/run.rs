//! How to have the same again: settings, versions, command.

use super::{Report, SHORT, Section, folded, pairs, table};
use crate::report::html::escaped;

pub fn settings(report: &Report) -> Option<Section> {
    if report.settings.is_empty() {
        return None;
    }
    let html = folded(&format!("{} settings", report.settings.len()), SHORT + 1, &pairs(&report.settings));
    Some(Section { title: "Settings", html })
}

pub fn section(report: &Report) -> Option<Section> {
    let mut html = pairs(&report.run);
    html += "<p>The same again, in the same folder:</p>\n";
    html += &format!("<pre><code>{}</code></pre>\n", escaped(&report.command));
    let skipped = report.tried.as_ref().map_or(&[][..], |tried| &tried.skipped);
    if !skipped.is_empty() {
        let rows: Vec<Vec<String>> =
            skipped.iter().map(|(photo, reason)| vec![escaped(photo), escaped(reason)]).collect();
        let list = table(&["photo", "reason"], &rows);
        html += &folded(&format!("{} photos could not be used", rows.len()), SHORT + 1, &list);
    }
    Some(Section { title: "This run", html })
}
