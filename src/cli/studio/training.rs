//! Learning what a project holds, on a thread of its own, while the camera goes on.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lookalike::data::duplicates::{Fingerprint, near_duplicate_groups};
use lookalike::data::{CutStyle, Dataset};
use lookalike::detect::crop::MARGIN;
use lookalike::detect::{CropStyle, DetectorChoice};
use lookalike::train::Event as Trains;
use lookalike::{Device, Error, Result, workers};

use super::message::{About, Curve, Event};
use super::project::Project;
use super::store::Shelf;
use crate::cli::learning::{Learned, Settings, Watch, learn};
use crate::cli::network::{Kind, NetworkArguments};
use crate::cli::report::{report_on, report_on_training, samples, write_report};
use crate::cli::scores::{Scores, groups_line};

/// How faces are cut out of the camera's frames: as `lookalike crop` does.
pub const STYLE: CropStyle = CropStyle { size: 224, margin: MARGIN, align: true };
/// What finds them.
pub const DETECTOR: DetectorChoice = DetectorChoice::Mtcnn;

/// Few pictures make few steps an epoch: small batches make more of them.
const BATCH: usize = 8;
/// Least time between two events about steps.
const PAUSE: Duration = Duration::from_millis(100);

/// News of a run.
#[derive(Debug)]
pub enum Told {
    /// Something happened.
    Event(Event),
    /// It has ended, and the model lies in the project's folder.
    Ended(Result<Outcome>),
}

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// What there is to say of the model.
    pub about: About,
    /// The project's revision that was learned.
    pub revision: u64,
}

/// What is to be learned.
#[derive(Clone, Debug)]
pub struct Order {
    /// The people and faces.
    pub project: Project,
    /// Where their pictures are, and the model goes.
    pub shelf: Shelf,
    /// The network.
    pub kind: Kind,
    /// The most epochs.
    pub epochs: usize,
}

/// The faces of all people who have some, as a dataset.
///
/// # Errors
/// [`Error::Input`] if these are fewer than two; those of reading the pictures.
pub fn dataset(project: &Project, shelf: &Shelf) -> Result<Dataset> {
    let with_faces = |person: u32| project.faces.iter().any(|face| face.person == person);
    let people: Vec<_> = project.people.iter().filter(|person| with_faces(person.id)).collect();
    if people.len() < 2 {
        return Err(Error::Input(
            "faces of two or more people are needed to tell them apart; add a person and record some".into(),
        ));
    }
    let faces = &project.faces;
    let pictures = workers::in_order(faces.len(), workers::usual(), |at| shelf.face(faces[at].id))?;
    let size = STYLE.size;
    if let Some(at) = pictures.iter().position(|picture| (picture.width(), picture.height()) != (size, size))
    {
        return Err(Error::Input(format!("the picture of face {} was changed; remove it", faces[at].id)));
    }
    let seen: Vec<_> =
        pictures.iter().map(|picture| vec![Fingerprint::new(picture.pixels(), size, size)]).collect();
    let label = |person: u32| people.iter().position(|known| known.id == person);
    let labels = faces.iter().map(|face| label(face.person).expect("a face belongs to somebody"));
    Ok(Dataset {
        size,
        labels: labels.collect(),
        names: people.iter().map(|person| person.name.clone()).collect(),
        groups: joined(&near_duplicate_groups(&seen), &faces.iter().map(|f| f.recording).collect::<Vec<_>>()),
        sources: faces.iter().map(|face| format!("face {}", face.id)).collect(),
        masked: vec![false; faces.len()],
        landmarks: faces.iter().map(|face| face.landmarks).collect(),
        cut: CutStyle {
            detector: DETECTOR.name().into(),
            margin: STYLE.margin,
            align: STYLE.align,
            whole: false,
        },
        pixels: pictures.into_iter().flat_map(|picture| picture.into_pixels()).collect(),
    })
}

/// Groups in which all faces of a recording are together too, as they show nearly the same.
fn joined(groups: &[i64], recordings: &[u32]) -> Vec<i64> {
    let mut joined = groups.to_vec();
    for (at, recording) in recordings.iter().enumerate() {
        let first = recordings.iter().position(|other| other == recording).expect("it is there itself");
        let (into, from) = (joined[first].min(joined[at]), joined[first].max(joined[at]));
        joined.iter_mut().filter(|group| **group == from).for_each(|group| *group = into);
    }
    joined
}

/// Learns, and writes model and report. `tell` is told what happens; setting `stop` ends the run after the current step.
pub fn train(order: &Order, device: &Device, stop: Arc<AtomicBool>, tell: &dyn Fn(Event)) -> Result<Outcome> {
    let began = Instant::now();
    let Order { project, shelf, kind, epochs } = order;
    let dataset = dataset(project, shelf)?;
    let network = NetworkArguments { model: *kind, ..NetworkArguments::default() };
    let settings = Settings { epochs: *epochs, batch: BATCH, network, ..Settings::default() };
    let start = settings.start()?;
    let last = Cell::new(None::<Instant>);
    let is_due = || {
        let due = last.get().is_none_or(|last| last.elapsed() >= PAUSE);
        due.then(|| last.set(Some(Instant::now()))).is_some()
    };
    let witness = |event: &Trains<'_>| match *event {
        Trains::Note(text) => tell(Event::Note { text: text.into() }),
        Trains::Features { done, total } if done == total || is_due() => {
            tell(Event::Features { done, total })
        }
        Trains::Step(step) if step.done == step.all || is_due() => {
            tell(Event::Step { epoch: step.epoch, done: step.done, all: step.all });
        }
        Trains::Features { .. } | Trains::Step(_) => {}
        Trains::Epoch(epoch) => tell(Event::Epoch(Curve::from(epoch))),
    };
    let watch = Watch { stop, plain: true, witness: Some(&witness) };
    let learned = learn(&dataset, &settings, &start, device, None, &watch)?;

    let model = shelf.model_path();
    learned.file.save(&model)?;
    let mut report = report_on(&learned.file, &model, device, began)?;
    report.title.clone_from(&project.title);
    report.subtitle = "Trained in the studio.".into();
    report.command = format!(
        "lookalike train faces.npz -o model.safetensors --model {} --epochs {epochs} --batch {BATCH} --seed {}",
        kind.name(),
        settings.seed
    );
    report.samples = samples(&dataset, &learned.split, &settings, device)?;
    let notes = vec![groups_line(&dataset, learned.split.validation.iter().copied())];
    let report = report_on_training(report, device, &dataset, &learned, &[], notes)?;
    write_report(&report, &shelf.report_folder())?;

    let about = About {
        network: kind.name().into(),
        people: dataset.classes(),
        result: result(&learned),
        current: true,
    };
    Ok(Outcome { about, revision: project.revision() })
}

/// How good a model is, in a sentence.
fn result(learned: &Learned) -> String {
    if learned.labels.is_empty() {
        return "All faces were learned. To find out how well that works, record each person a second time, elsewhere or in \
                another light: then some faces are kept back to try it."
            .into();
    }
    let scores = Scores::of_rows(&learned.file.labels, &learned.labels, &learned.trained.answers);
    format!("Right on faces it had not seen: {}", scores.accuracy_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_one_group() {
        assert_eq!(joined(&[0, 1, 2, 3, 4], &[7, 8, 9, 10, 11]), [0, 1, 2, 3, 4]);
        assert_eq!(joined(&[0, 1, 2, 3, 4], &[7, 8, 7, 10, 8]), [0, 1, 0, 3, 1]);
        // Faces 0 and 3 are near-duplicates; their recordings come together.
        assert_eq!(joined(&[0, 1, 2, 0], &[7, 7, 8, 8]), [0, 0, 0, 0]);
    }
}
