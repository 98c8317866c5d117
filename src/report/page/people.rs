//! Person by person: scores with their intervals, and who was taken for whom.

use std::cmp::Reverse;

use super::{Report, SHORT, Section, Tried, figures, folded, name, table};
use crate::Result;
use crate::models::{Confusion, f1_interval, wilson};
use crate::report::{Roc, percent};

/// Confusions that are listed.
const MOST: usize = 40;

pub fn section(report: &Report) -> Option<Section> {
    let tried = report.tried.as_ref()?;
    let confusion = tried.confusion();
    let rows: Vec<Vec<String>> =
        (0..tried.names.len()).map(|person| scores(tried, &confusion, person)).collect();
    let head = ["person", "faces", "precision", "recall", "F1", "AUC"];
    let people = table(&head, &rows);
    let mut html = match rows.len() {
        few if few <= SHORT => people,
        many => folded(&format!("{many} people"), many, &people),
    };
    html += "<p class=\"small\">Precision: how many of the faces that were given this name are this person's. Recall: how many of \
             this person's faces were given the name. F1: their harmonic mean. AUC: the chance that a face of this person is \
             given more confidence in the name than a face of somebody else. In brackets 95 % intervals: Wilson's, and for F1 the \
             one that follows from it (Lam, Gopal and Qian, 2023); they take faces for independent, so photos of one burst make \
             them too narrow.</p>\n";
    Some(Section { title: "Person by person", html })
}

fn scores(tried: &Tried, confusion: &Confusion, person: usize) -> Vec<String> {
    let scores = confusion.person(person);
    let hits = confusion.counts[person][person];
    let answers = confusion.counts.iter().map(|row| row[person]).sum();
    let with = |share: Option<f64>, (low, high): (f64, f64)| match share {
        Some(share) => format!(
            "{} <span class=\"small\">({:.0} to {:.0})</span>",
            percent(share),
            100.0 * low,
            100.0 * high
        ),
        None => "–".into(),
    };
    let auc = Roc::of_person(&tried.rows, &tried.truths, person);
    vec![
        name(&tried.names[person]),
        scores.support.to_string(),
        with(scores.precision, wilson(hits, answers)),
        with(scores.recall, wilson(hits, scores.support)),
        with(scores.f1, f1_interval(hits, answers, scores.support)),
        auc.map_or("–".into(), |roc| format!("{:.3}", roc.auc)),
    ]
}

/// The confusion matrix as pictures, and those who were taken for somebody else as a list.
pub fn matrices(report: &Report) -> Result<Option<Section>> {
    let Some(tried) = &report.tried else { return Ok(None) };
    let mut html = figures(&tried.matrices()?);
    let confusion = tried.confusion();
    let mut confused = Vec::new();
    for (truth, counts) in confusion.counts.iter().enumerate() {
        let wrong = counts.iter().enumerate().filter(|&(taken, &count)| taken != truth && count > 0);
        confused.extend(wrong.map(|(taken, &count)| (Reverse(count), truth, taken)));
    }
    confused.sort_unstable();
    if !confused.is_empty() {
        let row = |&(Reverse(count), truth, taken): &(Reverse<usize>, usize, usize)| {
            let of: usize = confusion.counts[truth].iter().sum();
            let share = percent(count as f64 / of as f64);
            vec![name(&tried.names[truth]), name(&tried.names[taken]), format!("{count} of {of}"), share]
        };
        let rows: Vec<Vec<String>> = confused.iter().take(MOST).map(row).collect();
        let summary = match confused.len() {
            few if few <= MOST => "The confusions as a list".to_string(),
            many => format!("The {MOST} most frequent of {many} confusions as a list"),
        };
        let list = table(&["person", "taken for", "faces", "share"], &rows);
        html += &folded(&summary, SHORT + 1, &list);
    }
    Ok(Some(Section { title: "Who was taken for whom", html }))
}
