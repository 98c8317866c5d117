//! How well a model does on faces whose owners are known.

use lookalike::Result;
use std::collections::BTreeSet;

use lookalike::data::Dataset;
use lookalike::models::{Judged, Predictor};
use lookalike::train::{Confusion, wilson};
use serde_json::{Map, Value, json};

use super::display::{self, Progress, counted, percent, say};

/// Faces shown to the model between two reports of progress.
const CHUNK: usize = 32;

/// A face that was classified.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Index of the picture in its dataset.
    pub picture: usize,
    /// Who it shows: index into the model's labels.
    pub truth: usize,
    /// The most probable person.
    pub taken_for: usize,
    /// The probability of each person.
    pub probabilities: Vec<f32>,
    /// How far the face is from the nearest person, where the model knows strangers.
    pub distance: Option<f32>,
    /// Whether the model takes it for a stranger's.
    pub stranger: bool,
}

/// What the answers are worth.
#[derive(Debug)]
pub struct Scores {
    /// The people, in the order of the model's outputs.
    pub names: Vec<String>,
    /// Who was taken for whom.
    pub confusion: Confusion,
}

/// Shows the model these pictures of the dataset, each given with the index of its person among the model's labels, as it wants
/// to see them.
pub fn classify(
    predictor: &mut Predictor,
    dataset: &Dataset,
    pictures: &[(usize, usize)],
    plain: bool,
) -> Result<Vec<Answer>> {
    let placed = predictor.file().preprocessing.placed.map(|placement| dataset.placed(placement));
    let dataset = placed.as_ref().unwrap_or(dataset);
    let progress = Progress::new("naming faces", "faces", plain);
    let mut answers = Vec::with_capacity(pictures.len());
    for chunk in pictures.chunks(CHUNK) {
        let pixels: Vec<u8> =
            chunk.iter().flat_map(|&(picture, _)| dataset.image(picture)).copied().collect();
        for (&(picture, truth), judged) in chunk.iter().zip(predictor.judge(&pixels)?) {
            let Judged { probabilities, distance, stranger } = judged;
            answers.push(Answer {
                picture,
                truth,
                taken_for: most_probable(&probabilities),
                probabilities,
                distance,
                stranger,
            });
        }
        progress.report(answers.len(), pictures.len());
    }
    Ok(answers)
}

/// How many groups stand behind a number about these pictures: those of a group say little more than one of them.
pub fn groups_line(dataset: &Dataset, pictures: impl Iterator<Item = usize>) -> String {
    let groups: BTreeSet<i64> = pictures.map(|picture| dataset.groups[picture]).collect();
    format!("from {} of equal or nearly equal photos", counted(groups.len(), "group"))
}

/// The class of the largest probability.
fn most_probable(row: &[f32]) -> usize {
    let best = row.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    best.expect("a model has at least one output").0
}

impl Scores {
    /// Counts, for pictures of these people, the most probable of each row.
    pub fn of_rows(names: &[String], truths: &[usize], rows: &[Vec<f32>]) -> Scores {
        let mut confusion = Confusion::new(names.len());
        for (&truth, row) in truths.iter().zip(rows) {
            confusion.add(truth, most_probable(row));
        }
        Scores { names: names.to_vec(), confusion }
    }

    /// Counts the answers.
    pub fn new<'a>(names: &[String], answers: impl IntoIterator<Item = &'a Answer>) -> Scores {
        let mut confusion = Confusion::new(names.len());
        for answer in answers {
            confusion.add(answer.truth, answer.taken_for);
        }
        Scores { names: names.to_vec(), confusion }
    }

    fn interval(&self) -> (f64, f64) {
        wilson(self.confusion.correct(), self.confusion.total())
    }

    /// The accuracy with its uncertainty, as a line.
    pub fn accuracy_line(&self) -> String {
        let (low, high) = self.interval();
        format!(
            "{}  ({} of {}; 95 % interval {} to {})",
            percent(self.confusion.accuracy()),
            self.confusion.correct(),
            counted(self.confusion.total(), "face"),
            percent(low),
            percent(high)
        )
    }

    /// Prints accuracy, scores per person and the confusion matrix.
    pub fn print(&self, what: &str) {
        say(format_args!("{what}  {}", self.accuracy_line()));
        say(format_args!("\n{}", display::person_table(&self.names, &self.confusion)));
        say(format_args!("\n{}", display::confusion(&self.names, &self.confusion)));
    }

    /// Accuracy alone, of a group of photos; null if there are none.
    pub fn group_json(&self) -> Value {
        match self.confusion.total() {
            0 => Value::Null,
            faces => {
                let (low, high) = self.interval();
                json!({"faces": faces, "accuracy": self.confusion.accuracy(), "interval": [low, high]})
            }
        }
    }

    /// Accuracy with its interval, names, confusion matrix and scores per person, under their names in the
    /// contract.
    pub fn json(&self) -> Map<String, Value> {
        let (low, high) = self.interval();
        let person = |(index, name): (usize, &String)| {
            let scores = self.confusion.person(index);
            let value = json!({
                "precision": scores.precision,
                "recall": scores.recall,
                "f1": scores.f1,
                "support": scores.support,
            });
            (name.clone(), value)
        };
        let per_person: Map<String, Value> = self.names.iter().enumerate().map(person).collect();
        Map::from_iter([
            ("accuracy".to_string(), json!(self.confusion.accuracy())),
            ("interval".to_string(), json!([low, high])),
            ("names".to_string(), json!(self.names)),
            ("confusion".to_string(), json!(self.confusion.counts)),
            ("per_person".to_string(), Value::Object(per_person)),
        ])
    }
}
