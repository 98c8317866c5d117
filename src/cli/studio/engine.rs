//! The engine: has the project, the detector and the model, and does one thing after the other.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use lookalike::detect::{Detector, Face as Found, face_crop, landmarks_in_crop};
use lookalike::models::ModelFile;
use lookalike::vision::{RgbImage, decode_bytes};
use lookalike::{Device, Error, Result};

use super::mailbox::{self, Mailbox, Wanted, Work};
use super::message::{Curve, Event, Frame, Network, Request, Seen, State, Titled, Training};
use super::open::{Open, detector, recognizer, thumbnail, words};
use super::outbox::Outbox;
use super::project::Face;
use super::store::{Shelf, Store};
use super::training::{Order, Outcome, STYLE, Told, dataset, train};
use crate::cli::display::note;
use crate::cli::network::Kind;

/// What a new project is called.
const UNNAMED: &str = "My people";
/// Pixels of a camera's frame, at most.
const LARGEST_FRAME: u64 = 4 << 20;
/// Pixels of a photo, at most.
const LARGEST_PHOTO: u64 = 60 << 20;
/// Least time between two faces of a recording.
const BETWEEN_FACES: Duration = Duration::from_millis(100);
/// Most epochs of a run.
const MOST_EPOCHS: u32 = 1000;

/// Has the project, the detector and the model.
pub struct Engine {
    device: Device,
    mailbox: Arc<Mailbox>,
    outbox: Arc<Outbox>,
    store: Store,
    /// By title.
    projects: Vec<Titled>,
    detector: Box<dyn Detector>,
    open: Open,
    recording: Option<Recording>,
    run: Option<Run>,
}

/// Somebody is recorded: faces before the camera are added to theirs.
struct Recording {
    person: u32,
    /// What its faces have in common.
    number: u32,
    /// When a face was added.
    last: Option<Instant>,
}

/// A network is trained.
struct Run {
    shown: Training,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Engine {
    /// Opens the project that was changed last, or makes one.
    ///
    /// # Errors
    /// If the folder cannot be used, or the device has no room for the detector.
    pub fn new(device: Device, root: &Path, mailbox: Arc<Mailbox>, outbox: Arc<Outbox>) -> Result<Engine> {
        let store = Store::open(root)?;
        let detector = detector(&device)?;
        let projects = store.list();
        let last = projects.first().and_then(|titled| store.shelf(&titled.id));
        let open = match last {
            Some(shelf) => Open::load(shelf, &device, &mut |text| note(text))?,
            None => Open::new(&store, UNNAMED)?,
        };
        Ok(Engine { device, mailbox, outbox, store, projects, detector, open, recording: None, run: None })
    }

    /// Works until the program ends.
    pub fn run(mut self) {
        loop {
            let work = match self.mailbox.try_take() {
                Some(work) => work,
                None => {
                    self.save();
                    self.mailbox.take()
                }
            };
            if self.open.is_due() {
                self.save();
            }
            match work {
                Work::End => break,
                work => self.work(work),
            }
        }
        if let Some(run) = self.run.take() {
            run.stop.store(true, Ordering::Relaxed);
            let _ = run.thread.join();
        }
        if let Err(problem) = self.open.save() {
            // The page goes with the program.
            note(words(&problem));
        }
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Arrived(session) => {
                if self.outbox.is_present(session) {
                    self.welcome();
                }
            }
            Work::Left(session) => {
                if self.outbox.is_present(session) {
                    self.recording = None;
                }
            }
            Work::Asked(request) => {
                if let Err(problem) = self.answer(request) {
                    self.trouble(&problem);
                }
            }
            Work::Photo { person, bytes } => {
                let (problem, note) = match self.retrying(&mut |engine| engine.photo(person, &bytes)) {
                    Ok(note) => (None, note),
                    Err(problem) => (Some(words(&problem)), None),
                };
                self.outbox.send(&Event::Photo { person, problem, note });
            }
            Work::Frame(frame) => self.frame(&frame),
            Work::File(wanted, reply) => {
                // Whoever asked may be gone.
                let _ = reply.send(self.file(wanted));
            }
            Work::Told(told) => self.told(told),
            Work::End => {}
        }
    }

    /// Ends a recording that the page does not end itself.
    fn end_recording(&mut self) {
        if let Some(Recording { person, .. }) = self.recording.take() {
            self.outbox.send(&Event::RecordingEnded { person });
        }
    }

    fn problem(&self, problem: &Error) {
        self.outbox.send(&Event::Problem { text: words(problem) });
    }

    /// Says what went wrong; a device that was lost is opened again.
    fn trouble(&mut self, problem: &Error) {
        let recovered = match problem {
            Error::DeviceLost(_) => self.recover(problem),
            _ => return self.problem(problem),
        };
        if let Err(problem) = recovered {
            self.problem(&problem);
        }
    }

    /// What work gives. If the device was lost, it is opened again and the work done once more.
    fn retrying<T>(&mut self, work: &mut dyn FnMut(&mut Engine) -> Result<T>) -> Result<T> {
        match work(self) {
            Err(problem @ Error::DeviceLost(_)) => {
                self.recover(&problem)?;
                work(self)
            }
            done => done,
        }
    }

    /// Opens the device again after its loss, and says so.
    fn recover(&mut self, loss: &Error) -> Result<()> {
        self.reopen()?;
        self.outbox.send(&Event::Note { text: format!("{}: it was opened again", words(loss)) });
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        self.device.reopen()?;
        self.detector = detector(&self.device)?;
        if let Some(known) = &self.open.recognizer {
            let file = ModelFile::clone(known.file());
            self.open.recognizer = Some(recognizer(&self.device, file)?);
        }
        Ok(())
    }

    /// Writes what the disk does not know yet.
    fn save(&mut self) {
        if let Err(problem) = self.open.save_change() {
            self.end_recording();
            self.problem(&problem);
        }
    }

    /// Tells a page that has come all there is.
    fn welcome(&mut self) {
        self.recording = None;
        self.tell_state();
        for (&face, jpeg) in &self.open.thumbnails {
            self.outbox.send_thumbnail(face, jpeg);
        }
    }

    fn tell_state(&mut self) {
        let project = &self.open.project;
        let here = Titled { id: self.open.shelf.id.clone(), title: project.title.clone() };
        self.projects.retain(|other| other.id != here.id);
        self.projects.push(here.clone());
        self.projects.sort_by(|a, b| a.title.cmp(&b.title).then_with(|| a.id.cmp(&b.id)));
        self.outbox.send(&Event::State(Box::new(State {
            device: self.device.to_string(),
            projects: self.projects.clone(),
            project: here,
            people: project.listed(),
            model: project.model(),
            training: self.run.as_ref().map(|run| run.shown.clone()),
            networks: Kind::value_variants().iter().map(|&kind| Network::from(kind)).collect(),
        })));
    }

    /// Does what the page asks for.
    fn answer(&mut self, request: Request) -> Result<()> {
        let project = &mut self.open.project;
        match request {
            Request::Record { person } => {
                self.recording = None;
                if let Some(person) = person {
                    self.recording = Some(Recording { person, number: project.number(), last: None });
                    project.person(person).and(project.has_room()).inspect_err(|_| self.end_recording())?;
                }
                return Ok(());
            }
            Request::StopTraining => {
                if let Some(run) = &self.run {
                    run.stop.store(true, Ordering::Relaxed);
                }
                return Ok(());
            }
            Request::Train { network, epochs } => self.train(&network, epochs)?,
            Request::AddPerson { name } => drop(project.add_person(&name)?),
            Request::RenamePerson { person, name } => project.rename_person(person, &name)?,
            Request::RemovePerson { person } => {
                let faces = project.remove_person(person)?;
                if self.recording.as_ref().is_some_and(|recording| recording.person == person) {
                    self.end_recording();
                }
                self.forget(&faces);
            }
            Request::RemoveFace { face } => {
                project.remove_face(face)?;
                self.forget(&[face]);
            }
            Request::RenameProject { title } => project.rename(&title)?,
            Request::NewProject { title } => {
                self.put_away()?;
                let open = Open::new(&self.store, &title)?;
                self.switch(open);
            }
            Request::OpenProject { project } => {
                self.put_away()?;
                let gone = || Error::Input("this project is not there any more; open another".into());
                let shelf = self.store.shelf(&project).ok_or_else(gone)?;
                let open = self.load(&shelf)?;
                self.switch(open);
            }
            Request::RemoveProject => {
                self.may_switch()?;
                self.open.remove()?;
                let open = match self.load_another() {
                    Some(open) => open,
                    None => Open::new(&self.store, UNNAMED)?,
                };
                self.switch(open);
            }
        }
        self.open.change();
        self.tell_state();
        Ok(())
    }

    /// Removes the pictures of faces that the project has forgotten.
    fn forget(&mut self, faces: &[u32]) {
        faces.iter().for_each(|face| drop(self.open.thumbnails.remove(face)));
        self.tidy();
    }

    /// Removes pictures that the project has forgotten from the disk, unless a run may still read them.
    fn tidy(&self) {
        if self.run.is_none() {
            self.open.tidy();
        }
    }

    fn may_switch(&self) -> Result<()> {
        match self.run {
            Some(_) => Err(Error::Input("a network is trained; stop that first, or wait for its end".into())),
            None => Ok(()),
        }
    }

    /// Leaves nothing of the open project behind that the disk does not know.
    fn put_away(&mut self) -> Result<()> {
        self.may_switch()?;
        self.open.save()
    }

    fn load(&mut self, shelf: &Shelf) -> Result<Open> {
        self.retrying(&mut |engine| {
            let tell = &mut |text: &str| engine.outbox.send(&Event::Problem { text: text.into() });
            Open::load(shelf.clone(), &engine.device, tell)
        })
    }

    /// The first other project that can be opened; what is wrong with those before it is said.
    fn load_another(&mut self) -> Option<Open> {
        self.projects.retain(|other| other.id != self.open.shelf.id);
        let others: Vec<Shelf> =
            self.projects.iter().filter_map(|titled| self.store.shelf(&titled.id)).collect();
        others.iter().find_map(|shelf| self.load(shelf).inspect_err(|problem| self.problem(problem)).ok())
    }

    fn switch(&mut self, open: Open) {
        self.end_recording();
        self.open = open;
        self.welcome();
    }

    /// Keeps the largest face of a photo. What the user should know of it is returned.
    fn photo(&mut self, person: u32, bytes: &[u8]) -> Result<Option<String>> {
        self.open.project.person(person)?;
        self.open.project.has_room()?;
        let image = decode_bytes(Path::new("the photo"), bytes, LARGEST_PHOTO)?;
        let faces = self.detector.detect(&image)?;
        let largest = largest(&faces).ok_or_else(|| {
            Error::Input("no face found; use a photo that shows the face from the front, and larger".into())
        })?;
        let recording = self.open.project.number();
        self.keep(&image, largest, person, recording)?;
        Ok(match faces.len() {
            1 => None,
            several => Some(format!("{several} faces found; the largest was taken")),
        })
    }

    /// Names who is on a frame; keeps the face while somebody is recorded.
    fn frame(&mut self, frame: &mailbox::Frame) {
        match self.seen(frame) {
            Ok((size, faces)) => {
                let took = frame.received.elapsed().as_secs_f64() * 1e3;
                self.outbox.send(&Event::Frame(Frame { number: frame.number, size, faces, took }));
            }
            Err(problem) => {
                self.end_recording();
                self.trouble(&problem);
                // The page sends its next frame when this one is answered.
                let empty = Frame { number: frame.number, size: [0, 0], faces: vec![], took: 0.0 };
                self.outbox.send(&Event::Frame(empty));
            }
        }
    }

    fn seen(&mut self, frame: &mailbox::Frame) -> Result<([usize; 2], Vec<Seen>)> {
        let image = decode_bytes(Path::new("the camera's frame"), &frame.bytes, LARGEST_FRAME)?;
        let size = [image.width(), image.height()];
        let faces = match (&mut self.recording, &self.open.recognizer) {
            (None, Some(recognizer)) => recognizer.recognize(&image)?.into_iter().map(Seen::from).collect(),
            _ => {
                let faces = self.detector.detect(&image)?;
                self.record(&image, &faces)?;
                faces.iter().map(|face| Seen::somebody(face.rect)).collect()
            }
        };
        Ok((size, faces))
    }

    /// Keeps the largest face, if somebody is recorded.
    fn record(&mut self, image: &RgbImage, faces: &[Found]) -> Result<()> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        let Some(face) = largest(faces) else { return Ok(()) };
        if recording.last.is_some_and(|last| last.elapsed() < BETWEEN_FACES) {
            return Ok(());
        }
        recording.last = Some(Instant::now());
        let (person, number) = (recording.person, recording.number);
        self.open.project.has_room()?;
        self.keep(image, face, person, number)
    }

    fn keep(&mut self, image: &RgbImage, found: &Found, person: u32, recording: u32) -> Result<()> {
        let crop = face_crop(image, found, STYLE);
        let landmarks = landmarks_in_crop(found, STYLE);
        let id = self.open.project.number();
        let jpeg = thumbnail(&crop)?;
        self.open.shelf.add_face(id, &crop)?;
        self.outbox.send(&Event::Face { face: id, person });
        self.outbox.send_thumbnail(id, &jpeg);
        self.open.thumbnails.insert(id, jpeg);
        self.open.project.add_face(Face { id, person, recording, landmarks });
        self.open.change();
        Ok(())
    }

    fn file(&mut self, wanted: Wanted) -> Result<Vec<u8>> {
        let shelf = &self.open.shelf;
        let read = |path: &Path| {
            std::fs::read(path).map_err(|source| Error::io(path, source, "train a model first"))
        };
        match wanted {
            Wanted::Model => read(&shelf.model_path()),
            Wanted::Report => read(&shelf.report_folder().join(lookalike::report::PAGE)),
            Wanted::Faces => {
                let path = shelf.faces_path();
                dataset(&self.open.project, shelf)?.save(&path)?;
                let bytes = read(&path);
                let _ = std::fs::remove_file(&path);
                bytes
            }
        }
    }

    /// Begins a run.
    fn train(&mut self, network: &str, epochs: u32) -> Result<()> {
        if self.run.is_some() {
            return Err(Error::Input("a network is trained already".into()));
        }
        let kind = Kind::from_str(network, false)
            .map_err(|_| Error::Input("there is no such network; reload the page".into()))?;
        let epochs = epochs.clamp(1, MOST_EPOCHS);
        let order = Order {
            project: self.open.project.clone(),
            shelf: self.open.shelf.clone(),
            kind,
            epochs: epochs as usize,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let shown = Training { network: kind.name().into(), epochs, curve: vec![] };
        let (mailbox, device, flag) = (self.mailbox.clone(), self.device.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let told = mailbox.clone();
            let run = || train(&order, &device, flag, &|event| told.put(Work::Told(Told::Event(event))));
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|_| {
                Err(Error::Training("it crashed; the terminal shows where. Please report it".into()))
            });
            mailbox.put(Work::Told(Told::Ended(ended)));
        });
        self.run = Some(Run { shown, stop, thread });
        Ok(())
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Event(event) => {
                if let (Event::Epoch(curve), Some(run)) = (&event, &mut self.run) {
                    run.shown.curve.push(Curve::clone(curve));
                }
                self.outbox.send(&event);
            }
            Told::Ended(ended) => {
                self.run = None;
                self.tidy();
                match ended.and_then(|outcome| self.adopt(outcome)) {
                    Ok(()) => self.open.change(),
                    Err(problem) => self.trouble(&problem),
                }
                self.tell_state();
            }
        }
    }

    /// Takes the model that a run has left in the project's folder.
    fn adopt(&mut self, outcome: Outcome) -> Result<()> {
        let path = self.open.shelf.model_path();
        let model = self.retrying(&mut |engine| recognizer(&engine.device, ModelFile::open(&path)?))?;
        self.open.recognizer = Some(model);
        self.open.project.learned(outcome.about, outcome.revision);
        Ok(())
    }
}

fn largest(faces: &[Found]) -> Option<&Found> {
    faces.iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area()))
}

#[cfg(test)]
mod tests;
