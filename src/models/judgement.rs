//! How a model's answers are to be taken: how sure it is, and of whom it knows nothing.

use serde_json::{Value, json};

use super::Strangers;

/// How a model's answers are to be taken. The default believes its probabilities, and takes everybody for one of its people.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What its logits are divided by before they become probabilities.
    pub temperature: f64,
    /// Who is nobody of its people.
    pub strangers: Option<Strangers>,
    /// The same people by their [features in masks](super::Predictor::masked_features), where the model tells by these who
    /// wears one.
    pub masked: Option<Strangers>,
}

impl Default for Judgement {
    fn default() -> Judgement {
        Judgement { temperature: 1.0, strangers: None, masked: None }
    }
}

impl Judgement {
    pub(super) fn to_json(&self) -> Value {
        let json = |strangers: &Option<Strangers>| strangers.as_ref().map_or(Value::Null, Strangers::to_json);
        json!({"temperature": self.temperature, "strangers": json(&self.strangers), "masked": json(&self.masked)})
    }

    /// That of a file with so many people; files from before there was one have none, or none of masks.
    pub(super) fn from_json(value: &Value, people: usize) -> Option<Judgement> {
        if value.is_null() {
            return Some(Judgement::default());
        }
        let temperature = value["temperature"].as_f64().filter(|t| t.is_finite() && *t > 0.0)?;
        let read = |value: &Value| match value {
            Value::Null => Some(None),
            strangers => Strangers::from_json(strangers, people).map(Some),
        };
        Some(Judgement {
            temperature,
            strangers: read(&value["strangers"])?,
            masked: read(&value["masked"])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Gallery;

    #[test]
    fn what_is_saved_is_what_is_read() {
        let features = [vec![1.0, 0.0], vec![0.0, 1.0]];
        let known = Gallery { features: &features, labels: &[0, 1], groups: &[0, 1], people: 2 };
        let strangers = Some(Strangers::new(known, 0.01, 0.25));
        let masked = strangers.clone();
        for judgement in [
            Judgement::default(),
            Judgement { temperature: 1.7, strangers: strangers.clone(), masked: None },
            Judgement { temperature: 1.7, strangers, masked },
        ] {
            assert_eq!(Judgement::from_json(&judgement.to_json(), 2), Some(judgement));
        }
        assert_eq!(Judgement::from_json(&Value::Null, 2), Some(Judgement::default()));
        for damaged in [json!({}), json!({"temperature": 0.0}), json!({"temperature": 1.0, "masked": 3})] {
            assert_eq!(Judgement::from_json(&damaged, 2), None, "{damaged}");
        }
    }
}
