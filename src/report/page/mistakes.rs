//! Faces that were given a wrong name, the surest answers first.

use super::{Report, Section, Thumbnail, image, most_probable, name};
use crate::Result;
use crate::report::percent;

/// Side of a face in pixels of its file, two for each of the page's.
const SIDE: usize = 224;

/// Up to `most` of the answers with a wrong name, those of the highest confidence first.
pub fn surest_mistakes(rows: &[Vec<f32>], truths: &[usize], most: usize) -> Vec<usize> {
    let wrong = |&at: &usize| most_probable(&rows[at]) != truths[at];
    let mut mistakes: Vec<usize> = (0..rows.len()).filter(wrong).collect();
    let confidence = |at: usize| rows[at][most_probable(&rows[at])];
    mistakes.sort_by(|&a, &b| confidence(b).total_cmp(&confidence(a)));
    mistakes.truncate(most);
    mistakes
}

pub fn section(report: &Report) -> Result<Option<Section>> {
    let Some(tried) = &report.tried else { return Ok(None) };
    let confusion = tried.confusion();
    let wrong = confusion.total() - confusion.correct();
    let mut html = match (wrong, tried.mistakes.len()) {
        (0, _) => "<p>None: the most probable person of every face is the right one.</p>\n".to_string(),
        (1, 1) => "<p>The only face that was given a wrong name.</p>\n".to_string(),
        (_, shown) if shown == wrong => {
            format!("<p>All {wrong} faces that were given a wrong name, the surest answers first.</p>\n")
        }
        (_, shown) => {
            format!(
                "<p>{shown} of the {wrong} faces that were given a wrong name: those of the surest answers.</p>\n"
            )
        }
    };
    if !tried.mistakes.is_empty() {
        html += "<ul class=\"faces\">\n";
        for Thumbnail { answer, picture, source } in &tried.mistakes {
            let row = &tried.rows[*answer];
            let taken = most_probable(row);
            let [shows, taken_for] = [tried.truths[*answer], taken].map(|person| &tried.names[person]);
            let sure = percent(row[taken].into());
            let unknown = match tried.unknown.get(*answer) {
                Some(true) => "<span class=\"small\">answered ‘unknown’</span>",
                _ => "",
            };
            let alt = format!("{shows}, taken for {taken_for}, {sure} sure");
            html += &format!(
                "<li>{}<span class=\"small\">taken for</span><span class=\"wrong\">{}</span><span>is {}</span><span class=\"small\">{sure} sure</span>{unknown}\
                 <span class=\"small\">{}</span></li>\n",
                image(picture, SIDE, &alt)?,
                name(taken_for),
                name(shows),
                name(source)
            );
        }
        html += "</ul>\n";
    }
    Ok(Some(Section { title: "Mistakes", html }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistakes_come_first() {
        let rows = [[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]].map(Vec::from);
        assert_eq!(surest_mistakes(&rows, &[1, 0, 1, 1], 10), [3, 1, 0]);
        assert_eq!(surest_mistakes(&rows, &[1, 0, 1, 1], 1), [3]);
        assert!(surest_mistakes(&rows, &[0, 1, 1, 0], 10).is_empty());
    }
}
