//! Cross-validation: every photo is judged by a network that has not seen it.

use std::collections::BTreeSet;

use lookalike::data::{Dataset, Split, split_folds};
use lookalike::train::{Checkpoints, Outcome, believe};
use lookalike::{Device, Error, Result};
use serde_json::{Value, json};

use super::display::{counted, percent, say};
use super::learning::{Learned, Settings, Watch, learn_split};
use super::network::Start;
use super::scores::Scores;

/// Trains and validates one network for each fold, prints what all of them together are worth, and returns it for the model file.
/// Each has [its own](Checkpoints::of_fold) of the model's `checkpoints`.
///
/// # Errors
/// Those of splitting and training; [`Error::Training`] if a fold was interrupted or its loss was not finite.
pub fn cross_validate(
    dataset: &Dataset,
    folds: usize,
    settings: &Settings,
    start: &Start,
    device: &Device,
    checkpoints: Option<&Checkpoints>,
    plain: bool,
) -> Result<Value> {
    // How far strangers are is only asked of the model that is kept, and only that learns what it was judged by.
    let settings = &Settings { strangers: None, no_refit: true, ..settings.clone() };
    let splits = split_folds(dataset, folds, settings.seed.into())?;
    let watch = Watch::terminal(plain)?;
    let (mut truths, mut rows, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    let mut lines = Vec::new();
    let mut chose_epochs = false;
    for (number, split) in (1..).zip(splits) {
        say(format_args!("\nfold {number} of {folds}"));
        let photos: Vec<usize> = split.validation.clone();
        let split = limited(split, dataset, settings);
        let kept = checkpoints.map(|checkpoints| checkpoints.of_fold(number));
        let Learned { trained, labels, .. } =
            learn_split(dataset, split, settings, start, device, kept, &watch)?;
        match trained.outcome {
            Outcome::Interrupted => {
                return Err(Error::Training(
                    "cross-validation was interrupted; no model was written, and the same command with --resume goes on".into(),
                ));
            }
            Outcome::NotFinite { epoch } => {
                return Err(Error::Training(format!(
                    "the loss of fold {number} was not finite in epoch {epoch}; use a lower learning rate (--rate)"
                )));
            }
            Outcome::Finished | Outcome::EarlyStopped => {}
        }
        let scores = Scores::of_rows(&dataset.names, &labels, &trained.answers);
        lines.push(format!("fold {number}  {}", scores.accuracy_line()));
        chose_epochs |= trained.history.0.len() > 1;
        truths.extend(labels);
        rows.extend(trained.answers);
        groups.extend(photos.iter().map(|&photo| dataset.groups[photo]));
    }
    say("");
    lines.iter().for_each(say);
    let scores = Scores::of_rows(&dataset.names, &truths, &rows);
    scores.print(&format!("\ncross-validation, {folds} folds"));
    let believed = believe(&rows, &truths, &groups);
    let distinct = groups.iter().collect::<BTreeSet<_>>().len();
    say(format_args!(
        "\nfrom {} of equal or nearly equal photos; the interval takes photos for independent",
        counted(distinct, "group")
    ));
    if chose_epochs {
        say("the best epoch of each fold was chosen on the photos that it is judged by");
    }
    say(format_args!("confidences are off by {} on average\n", percent(believed.before)));
    let mut record = scores.json();
    record.extend([("folds".to_string(), json!(folds)), ("groups".to_string(), json!(distinct))]);
    Ok(Value::Object(record))
}

fn limited(split: Split, dataset: &Dataset, settings: &Settings) -> Split {
    match settings.photos_each {
        Some(most) => split.with_fewer(dataset, most, settings.seed.into()),
        None => split,
    }
}
