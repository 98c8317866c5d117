//! What a run is of, so that a checkpoint is never taken for that of another run.

use std::path::Path;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Batches;
use super::fit::Task;
use super::options::FitOptions;
use crate::formats::checksum::hex;
use crate::graph::Choice;
use crate::ops::AUGMENT_VERSION;
use crate::{Error, Result};

/// The run that a checkpoint is of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    /// What has to be the same for the run to go on: data, network and settings.
    task: Map<String, Value>,
    /// What also has to be the same for it to end with the same bits: device, version, kernels and how batches are cut.
    rounding: Map<String, Value>,
}

impl Identity {
    /// Of a run whose plans took these kernel variants.
    pub fn new(task: &Task<'_>, options: &FitOptions, batches: Batches, choices: &[Choice]) -> Identity {
        let Batches { batch, most, frozen, .. } = batches;
        let mut identity = Identity { task: settings(options), rounding: Map::new() };
        identity.task.insert("photos".into(), data(task).into());
        identity.task.insert("network".into(), network(task).into());
        identity.rounding.extend([
            ("device".to_string(), json!(task.device.to_string())),
            ("version".to_string(), json!(env!("CARGO_PKG_VERSION"))),
            ("kernels".to_string(), json!(hex(&Sha256::digest(format!("{choices:?}"))))),
            ("batches".to_string(), json!([batch, most, frozen])),
        ]);
        identity
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({"task": self.task, "rounding": self.rounding})
    }

    /// Whether the checkpoint at `path` of the run `saved` is of this one. If it is, but will not end with the same bits, what
    /// to say about that.
    ///
    /// # Errors
    /// [`Error::Format`] that names what is different.
    pub fn check(&self, saved: &Value, path: &Path) -> Result<Option<String>> {
        let different = |part: &str, now: &Map<String, Value>| -> Vec<String> {
            now.iter()
                .filter(|(key, value)| saved[part][key] != **value)
                .map(|(key, _)| key.clone())
                .collect()
        };
        let other = different("task", &self.task);
        if !other.is_empty() {
            let say = |key: &String| match key.as_str() {
                "photos" | "network" => format!("other {key}"),
                _ => format!("{key} was {} and is {}", saved["task"][key], self.task[key]),
            };
            let what: Vec<String> = other.iter().map(say).collect();
            let problem = format!(
                "is the checkpoint of another run ({}); give the photos and options of that run, or start anew without --resume, \
                 which replaces it",
                what.join(", ")
            );
            return Err(Error::format(path, problem));
        }
        let rounding = different("rounding", &self.rounding);
        Ok((!rounding.is_empty()).then(|| {
            format!(
                "the run goes on, but will not end with the same bits as without the interruption: {} changed",
                rounding.join(", ")
            )
        }))
    }
}

/// The settings that decide what is learned.
fn settings(options: &FitOptions) -> Map<String, Value> {
    let FitOptions {
        epochs,
        batch,
        micro_batch: _,
        memory: _,
        seed,
        rate,
        patience,
        augment,
        copies,
        fresh,
        cache: _,
        precision,
        fine_tune,
        loss,
        optimizer,
        schedule,
        clip,
        mixup,
        average,
        balance,
        // Of `fit_means`, which has no checkpoints.
        usual_scale: _,
        checkpoints: _,
    } = options;
    Map::from_iter([
        ("epochs".to_string(), json!(epochs)),
        ("batch".to_string(), json!(batch)),
        ("seed".to_string(), json!(seed)),
        ("rate".to_string(), json!(rate)),
        ("patience".to_string(), json!(patience)),
        ("augmentation".to_string(), json!(format!("{AUGMENT_VERSION} {augment:?}"))),
        ("copies".to_string(), json!(copies)),
        ("fresh".to_string(), json!(fresh)),
        ("precision".to_string(), json!(precision.name())),
        ("fine-tuning".to_string(), json!(format!("{fine_tune:?}"))),
        ("loss".to_string(), json!(format!("{loss:?}"))),
        ("optimizer".to_string(), json!(format!("{optimizer:?}"))),
        ("schedule".to_string(), json!(format!("{schedule:?}"))),
        ("clip".to_string(), json!(format!("{clip:?}"))),
        ("mixup".to_string(), json!(format!("{mixup:?}"))),
        ("average".to_string(), json!(format!("{average:?}"))),
        ("balance".to_string(), json!(balance)),
    ])
}

/// A hash of the pictures of the split, who is on them, and which of them are trained on.
fn data(task: &Task<'_>) -> String {
    let Task { dataset, split, .. } = *task;
    let pictures = split.train.iter().chain(&split.validation);
    let mut all = Sha256::new();
    all.update(json!([dataset.names, split.train.len(), split.validation.len()]).to_string());
    for &picture in pictures {
        all.update(Sha256::digest(dataset.image(picture)));
        all.update((dataset.labels[picture] as u64).to_le_bytes());
        all.update(bytemuck::cast_slice(&dataset.face_words(picture)));
    }
    hex(&all.finalize())
}

/// A hash of the network, of what it takes pictures as, and of the weights that it starts from.
fn network(task: &Task<'_>) -> String {
    let mut all = Sha256::new();
    all.update(task.model.to_keras().to_string());
    all.update(format!("{:?}", task.normalize));
    for (name, value) in task.weights {
        all.update(name);
        all.update(bytemuck::cast_slice(&value.to_f32()));
    }
    hex(&all.finalize())
}
