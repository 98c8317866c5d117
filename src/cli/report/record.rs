//! What a model file tells of its training.

use clap::ValueEnum;
use lookalike::models::{ModelFile, Preprocessing};
use lookalike::report::{Curve, Learning, percent};
use serde_json::Value;

use crate::cli::network::Kind;

/// Settings that mean nothing to a network that learns in one go.
const OF_EPOCHS: [&str; 6] = ["epochs", "batch", "rate", "patience", "fresh", "recipe"];
/// Settings of random changes.
const OF_CHANGES: [&str; 2] = ["changes", "copies"];

/// The learning curves; none of a run without epochs, or of a file that has no record.
pub fn learning(record: &Value) -> Option<Learning> {
    let column = |name: &str| -> Vec<f64> {
        let values = record["history"][name].as_array().map_or(&[][..], Vec::as_slice);
        // JSON has no NaN: what is none was one.
        values.iter().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let curve = |title: &str, is_share| Curve {
        title: title.into(),
        training: column(title),
        validation: column(&format!("val_{title}")),
        is_share,
    };
    let curves = vec![curve("loss", false), curve("accuracy", true)];
    let epochs = curves[0].training.len();
    let best_epoch = record["best_epoch"].as_u64()? as usize;
    (epochs > 1).then_some(Learning { curves, best_epoch })
}

/// The accuracy of a cross-validation with its interval, and what to call it.
pub fn cross_validation(record: &Value) -> Option<(String, String)> {
    let found = &record["cross_validation"];
    let share = |value: &Value| value.as_f64().map(percent);
    let (low, high) = (share(&found["interval"][0])?, share(&found["interval"][1])?);
    let name = format!("accuracy in {} folds", found["folds"].as_u64()?);
    Some((name, format!("{} ({low} to {high})", share(&found["accuracy"])?)))
}

/// All settings by name: those of the training, and how a face becomes the network's input.
pub fn settings(file: &ModelFile) -> Vec<(String, String)> {
    let record = &file.training["settings"];
    let network = record["model"].as_str().and_then(|name| Kind::from_str(name, false).ok());
    let without_epochs = network.is_some_and(|network| !network.has_epochs());
    let without_changes = record["augment"] == Value::Bool(false);
    let mut settings = Vec::new();
    for (name, value) in record.as_object().into_iter().flatten() {
        let idle = without_epochs && OF_EPOCHS.contains(&name.as_str())
            || without_changes && OF_CHANGES.contains(&name.as_str());
        if !idle {
            flatten(name, value, &mut settings);
        }
    }
    let Preprocessing { size, detector, margin, align, whole, .. } = &file.preprocessing;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_string();
    settings.extend([
        ("face: detector".to_string(), detector.clone()),
        ("face: size".into(), format!("{size} × {size}")),
        ("face: margin".into(), margin.to_string()),
        ("face: turned upright".into(), yes(*align)),
        ("face: head shots used whole".into(), yes(*whole)),
        ("answer: temperature".into(), format!("{:.2}", file.judgement.temperature)),
    ]);
    if let Some(strangers) = &file.judgement.strangers {
        settings.push(("answer: distance of strangers".into(), format!("{:.4}", strangers.threshold)));
    }
    settings
}

/// A value, or those inside it under longer names.
fn flatten(name: &str, value: &Value, settings: &mut Vec<(String, String)>) {
    let written = match value {
        Value::Object(inner) => {
            return inner
                .iter()
                .for_each(|(part, value)| flatten(&format!("{name}: {part}"), value, settings));
        }
        Value::Null => "–".to_string(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => number.as_f64().map_or(number.to_string(), shortest),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
    };
    settings.push((name.into(), written));
}

/// 0.1 that was a 32-bit float once, as such a float is written.
fn shortest(number: f64) -> String {
    let single = number as f32;
    if f64::from(single) == number { single.to_string() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn curves_are_read_as_they_were_written() {
        let history = json!({"loss": [2.0, null], "val_loss": [3.0, 1.0], "accuracy": [0.5, 1.0], "val_accuracy": [0.0, 0.5]});
        let learning = learning(&json!({"history": history, "best_epoch": 2})).unwrap();
        assert_eq!(learning.best_epoch, 2);
        assert!(learning.curves[0].training[1].is_nan() && learning.curves[0].validation == [3.0, 1.0]);
        assert!(learning.curves[1].is_share && learning.curves[1].validation == [0.0, 0.5]);
    }

    #[test]
    fn what_had_no_epochs_has_no_curves() {
        let one = json!({"loss": [1.0], "val_loss": [1.0], "accuracy": [1.0], "val_accuracy": [1.0]});
        assert!(learning(&json!({"history": one, "best_epoch": 1})).is_none());
        assert!(learning(&Value::Null).is_none());
    }

    #[test]
    fn folds_are_told_where_there_were_some() {
        let found = json!({"accuracy": 0.9, "interval": [0.8, 0.95], "folds": 5});
        let (name, value) = cross_validation(&json!({"cross_validation": found})).unwrap();
        assert_eq!((&*name, &*value), ("accuracy in 5 folds", "90.0 % (80.0 % to 95.0 %)"));
        assert!(cross_validation(&json!({"cross_validation": null})).is_none());
    }

    #[test]
    fn settings_within_others_keep_their_place() {
        let mut found = Vec::new();
        flatten("changes", &json!({"zoom": 0.1f32, "flip": true, "inner": {"a": null}}), &mut found);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, [("changes: flip", "yes"), ("changes: inner: a", "–"), ("changes: zoom", "0.1")]);
    }
}
