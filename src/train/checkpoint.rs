//! Checkpoints: files from which an interrupted run goes on as if nothing had happened.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::identity::Identity;
use super::progress::{Best, Position, Progress, Sums};
use super::{Epoch, History};
use crate::formats::atomic::previous_of;
use crate::formats::safetensors::{self, TensorFile};
use crate::losses::Losses;
use crate::tensor::HostTensor;
use crate::{Error, Result};

/// Version of the format; files of another one are refused.
const VERSION: u64 = 1;
/// Saving takes at most one part in so many of the time.
const SHARE: u32 = 50;
/// What networks are called that are trained beside the model's own.
const FOLD: &str = "fold";
const WITHOUT: &str = "without";

/// Where a run is kept while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// The file. The one before it is kept beside it, with `.previous` behind its name.
    pub path: PathBuf,
    /// Least time between two; where saving takes long it is longer, so that it takes at most 2 % of the run. Zero is after
    /// every step, whatever it takes.
    pub every: Duration,
    /// Whether to go on from the file, where there is one.
    pub resume: bool,
}

impl Checkpoints {
    /// Those of a network that judges a part of the photos, where a model is cross-validated: `model.fold-2.checkpoint` beside
    /// `model.checkpoint`. They go on from that file only if it is there.
    pub fn of_fold(&self, number: usize) -> Checkpoints {
        self.beside(FOLD, number)
    }

    /// Those of a network that is [trained without](super::hold_out) a part of the people: `model.without-2.checkpoint`.
    pub fn of_hold_out(&self, number: usize) -> Checkpoints {
        self.beside(WITHOUT, number)
    }

    fn beside(&self, what: &str, number: usize) -> Checkpoints {
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push(format!(".{what}-{number}"));
        if let Some(ending) = self.path.extension() {
            name.push(".");
            name.push(ending);
        }
        let path = self.path.with_file_name(name);
        let resume = self.resume && (path.exists() || previous_of(&path).exists());
        Checkpoints { path, resume, ..self.clone() }
    }

    /// Whether a run was interrupted there: in its own network, that of a fold, or one without a part of the people.
    pub fn exist(&self) -> bool {
        self.files().iter().any(|file| file.extension().is_some_and(|ending| ending != "part"))
    }

    /// Removes the files of a run that has come to its end, those of its folds and of what was held out included.
    ///
    /// # Errors
    /// [`Error::Io`] if one is there and cannot be removed.
    pub fn remove(&self) -> Result<()> {
        for path in self.files() {
            match std::fs::remove_file(&path) {
                Err(problem) if problem.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(&path, problem, "remove it: its run is finished"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All files that are there, whole or not.
    fn files(&self) -> Vec<PathBuf> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let entries = std::fs::read_dir(folder.unwrap_or(Path::new(".")));
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        let is_ours =
            |path: &PathBuf| path.file_name().and_then(OsStr::to_str).is_some_and(|name| self.owns(name));
        paths.filter(is_ours).collect()
    }

    /// Whether a file of this name is a checkpoint of the run, or of a network beside it.
    fn owns(&self, name: &str) -> bool {
        let whole = [".previous", ".part"].into_iter().find_map(|ending| name.strip_suffix(ending));
        let whole = Path::new(whole.unwrap_or(name));
        let is_beside = || {
            let (what, number) = Path::new(whole.file_stem()?).extension()?.to_str()?.split_once('-')?;
            let path = self.beside(what, number.parse().ok()?).path;
            Some([FOLD, WITHOUT].contains(&what) && path.file_name() == whole.file_name())
        };
        self.path.file_name() == whole.file_name() || is_beside().unwrap_or(false)
    }
}

/// A run at one moment: how far it is, and the states on its device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checkpoint {
    /// The [identity](Identity) of its run.
    pub identity: Value,
    pub progress: Progress,
    pub states: BTreeMap<String, HostTensor>,
}

impl Checkpoint {
    /// The latest one that can be read, with where it lies; `note` is told of one that cannot. `None` if there is none.
    ///
    /// # Errors
    /// That of the latest one, if neither it nor the one before can be read.
    pub fn latest(path: &Path, note: &mut dyn FnMut(&str)) -> Result<Option<(PathBuf, Checkpoint)>> {
        let mut first = None;
        for path in [path.to_path_buf(), previous_of(path)] {
            match Checkpoint::open(&path) {
                Ok(checkpoint) => {
                    if let Some(problem) = first {
                        note(&format!("{problem}; the run goes on from the checkpoint before it"));
                    }
                    return Ok(Some((path, checkpoint)));
                }
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(problem) => {
                    first.get_or_insert(problem);
                }
            }
        }
        first.map_or(Ok(None), Err)
    }

    fn open(path: &Path) -> Result<Checkpoint> {
        let TensorFile { tensors, metadata } = safetensors::read(path)?;
        let version = metadata["checkpoint"].as_u64();
        if version != Some(VERSION) {
            let problem = match version {
                Some(version) => {
                    format!("is a checkpoint of version {version}, this program reads {VERSION}")
                }
                None => "is no checkpoint that lookalike wrote".into(),
            };
            return Err(Error::format(path, format!("{problem}; start anew without --resume")));
        }
        let mut states = BTreeMap::new();
        let mut weights = BTreeMap::new();
        for (name, value) in tensors {
            match name.split_once('/') {
                Some(("state", name)) => states.insert(name.to_owned(), value),
                Some(("best", name)) => weights.insert(name.to_owned(), value),
                _ => None,
            };
        }
        let progress = progress_from(&metadata, weights)
            .ok_or_else(|| Error::format(path, "the checkpoint is damaged; start anew without --resume"))?;
        Ok(Checkpoint { identity: metadata["identity"].clone(), progress, states })
    }

    fn save(&self, path: &Path) -> Result<()> {
        let states = self.states.iter().map(|(name, value)| (format!("state/{name}"), value.clone()));
        let best = self.progress.best.iter().flat_map(|best| &best.weights);
        let best = best.map(|(name, value)| (format!("best/{name}"), value.clone()));
        let file = TensorFile {
            tensors: states.chain(best).collect(),
            metadata: metadata(&self.progress, &self.identity),
        };
        safetensors::write_keeping_previous(path, &file)
    }
}

/// What a checkpoint says beside the tensors. Floats are written so that they read back as they were.
fn metadata(progress: &Progress, identity: &Value) -> Value {
    let Position { epoch, done, steps, sums, seconds } = progress.position;
    let row = |e: &Epoch| {
        json!([
            e.number,
            e.loss,
            e.accuracy,
            e.val_loss,
            e.val_accuracy,
            e.rate,
            e.seconds,
            e.pictures_per_second
        ])
    };
    json!({
        "checkpoint": VERSION,
        "identity": identity,
        "epoch": epoch,
        "done": done,
        "steps": steps,
        "sums": [json!(sums.loss), json!(sums.correct), json!(sums.rows)],
        "seconds": seconds,
        "history": progress.history.0.iter().map(row).collect::<Vec<Value>>(),
        "best_epoch": progress.best.as_ref().map(|best| best.epoch),
    })
}

fn progress_from(metadata: &Value, weights: BTreeMap<String, HostTensor>) -> Option<Progress> {
    let count = |value: &Value| usize::try_from(value.as_u64()?).ok();
    let row = |e: &Value| {
        Some(Epoch {
            number: count(&e[0])?,
            loss: e[1].as_f64()?,
            accuracy: e[2].as_f64()?,
            val_loss: e[3].as_f64()?,
            val_accuracy: e[4].as_f64()?,
            rate: e[5].as_f64()? as f32,
            seconds: e[6].as_f64()?,
            pictures_per_second: e[7].as_f64()?,
        })
    };
    let sums = &metadata["sums"];
    let best = match &metadata["best_epoch"] {
        Value::Null => None,
        epoch => Some(Best { epoch: count(epoch)?, weights }),
    };
    Some(Progress {
        position: Position {
            epoch: count(&metadata["epoch"])?,
            done: count(&metadata["done"])?,
            steps: count(&metadata["steps"])?,
            sums: Sums { loss: sums[0].as_f64()?, correct: sums[1].as_f64()?, rows: count(&sums[2])? },
            seconds: metadata["seconds"].as_f64()?,
        },
        history: History(metadata["history"].as_array()?.iter().map(row).collect::<Option<_>>()?),
        best,
    })
}

/// Keeps a run's checkpoints.
pub(super) struct Keeper<'a> {
    settings: Option<&'a Checkpoints>,
    identity: Identity,
    saved: Instant,
    pause: Duration,
    losses: &'a Losses,
    has_saved: &'a mut bool,
}

impl<'a> Keeper<'a> {
    /// Of a run of this identity; without settings it keeps nothing. `has_saved` becomes true when there is a file; `losses` are told
    /// how far the run is in it.
    pub fn new(
        settings: Option<&'a Checkpoints>,
        identity: Identity,
        losses: &'a Losses,
        has_saved: &'a mut bool,
    ) -> Keeper<'a> {
        let pause = settings.map_or(Duration::MAX, |settings| settings.every);
        Keeper { settings, identity, saved: Instant::now(), pause, losses, has_saved }
    }

    /// Whether it is time to save.
    pub fn is_due(&self) -> bool {
        self.settings.is_some() && self.saved.elapsed() >= self.pause
    }

    /// Saves a run that is so far; `states` reads what is on its device. A run whose checkpoint cannot be written goes on, and
    /// `note` is told.
    ///
    /// # Errors
    /// Those of `states`.
    pub fn save(
        &mut self,
        progress: &Progress,
        states: impl FnOnce() -> Result<BTreeMap<String, HostTensor>>,
        note: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let Some(settings) = self.settings else { return Ok(()) };
        let start = Instant::now();
        let checkpoint =
            Checkpoint { identity: self.identity.json(), progress: progress.clone(), states: states()? };
        match checkpoint.save(&settings.path) {
            Ok(()) => {
                *self.has_saved = true;
                self.losses.got_to(progress.position.steps);
            }
            Err(problem) => {
                note(&format!(
                    "no checkpoint: {problem}; training goes on, but an interruption would cost it"
                ));
            }
        }
        self.saved = Instant::now();
        if !settings.every.is_zero() {
            self.pause = settings.every.max(start.elapsed() * SHARE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(steps: usize) -> Checkpoint {
        let tensor = |x: f32| HostTensor::new([2], vec![x, f32::MIN_POSITIVE / 8.0]);
        let epoch = Epoch {
            number: 1,
            loss: 0.1 + 0.2,
            accuracy: 1.0 / 3.0,
            val_loss: 2.0f64.sqrt(),
            val_accuracy: 5e-324,
            rate: 1e-3,
            seconds: 1.5,
            pictures_per_second: 1e300,
        };
        Checkpoint {
            identity: json!({"task": {"epochs": 3}}),
            progress: Progress {
                position: Position {
                    epoch: 2,
                    done: 48,
                    steps,
                    sums: Sums { loss: 1.0 / 7.0, correct: 3.0, rows: 48 },
                    seconds: 0.25,
                },
                history: History(vec![epoch]),
                best: Some(Best { epoch: 1, weights: [("conv1/kernel".to_string(), tensor(1.0))].into() }),
            },
            states: [
                ("conv1/kernel".to_string(), tensor(2.0)),
                ("training/step".to_string(), HostTensor::new([1], vec![7u32])),
            ]
            .into(),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.checkpoint");
        checkpoint(3).save(&path).unwrap();
        assert_eq!(Checkpoint::open(&path).unwrap(), checkpoint(3));
    }

    #[test]
    fn the_one_before_is_kept_and_stands_in_for_a_damaged_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.checkpoint");
        let mut notes = Vec::new();
        let mut latest =
            |path: &Path| Checkpoint::latest(path, &mut |note: &str| notes.push(note.to_string()));
        assert_eq!(latest(&path).unwrap(), None);
        checkpoint(1).save(&path).unwrap();
        checkpoint(2).save(&path).unwrap();
        assert_eq!(latest(&path).unwrap(), Some((path.clone(), checkpoint(2))));
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(latest(&path).unwrap(), Some((previous_of(&path), checkpoint(1))));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(latest(&path).unwrap(), Some((previous_of(&path), checkpoint(1))));
        std::fs::write(previous_of(&path), b"no checkpoint").unwrap();
        assert!(latest(&path).is_err());
        assert_eq!(notes.len(), 1, "{notes:?}");

        let settings = Checkpoints { path: path.clone(), every: Duration::ZERO, resume: false };
        assert!(settings.exist());
        settings.remove().unwrap();
        assert!(!settings.exist());
    }

    #[test]
    fn networks_beside_the_run_go_with_it_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let run = Checkpoints { path: at("my.model.checkpoint"), every: Duration::ZERO, resume: true };
        assert_eq!(run.of_fold(2).path, at("my.model.fold-2.checkpoint"));
        assert!(!run.of_hold_out(1).resume, "there is nothing to go on from");
        checkpoint(1).save(&run.of_hold_out(1).path).unwrap();
        assert!(run.exist() && run.of_hold_out(1).resume);
        let others = [
            "my.model",
            "my.checkpoint",
            "my.model.other-1.checkpoint",
            "my.model.fold-x.checkpoint",
            "your.model.fold-1.checkpoint",
        ];
        for name in others.iter().chain(&["my.model.fold-12.checkpoint.previous", "my.model.checkpoint.part"])
        {
            std::fs::write(at(name), "").unwrap();
        }
        run.remove().unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let mut expected = others;
        expected.sort_unstable();
        assert_eq!(left, expected);
        // An unfinished write alone is nothing to go on from.
        std::fs::write(at("my.model.checkpoint.part"), "").unwrap();
        assert!(!run.exist());
    }
}
