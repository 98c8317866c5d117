//! The engine without a server: what comes of work, by what is sent to a page.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::cli::studio::outbox::Message;

/// An engine, and the page that it speaks to.
struct Scene {
    engine: Engine,
    page: Receiver<Message>,
    root: TempDir,
}

impl Scene {
    fn new(device: &Device) -> Scene {
        let root = tempfile::tempdir().unwrap();
        let (mailbox, outbox) = (Arc::new(Mailbox::default()), Arc::new(Outbox::default()));
        let engine = Engine::new(device.clone(), root.path(), mailbox, outbox.clone()).unwrap();
        let (_, page) = outbox.arrive();
        Scene { engine, page, root }
    }

    /// What was sent since.
    fn events(&mut self) -> Vec<Value> {
        let messages = std::iter::from_fn(|| self.page.try_recv().ok());
        let text = |message| if let Message::Text(text) = message { Some(text) } else { None };
        messages.filter_map(text).map(|text| serde_json::from_str(&text).unwrap()).collect()
    }

    /// What comes of a work.
    fn work(&mut self, work: Work) -> Vec<Value> {
        self.engine.work(work);
        self.events()
    }

    fn ask(&mut self, request: Request) -> Vec<Value> {
        self.work(Work::Asked(request))
    }

    fn look(&mut self, number: u32, bytes: &[u8]) -> Vec<Value> {
        let frame = mailbox::Frame { number, bytes: bytes.to_vec(), received: Instant::now() };
        self.work(Work::Frame(frame))
    }

    /// Adds somebody.
    fn person(&mut self, name: &str) -> u32 {
        self.ask(Request::AddPerson { name: name.into() });
        self.engine.open.project.people.last().unwrap().id
    }
}

/// A photo of a face.
fn photo() -> Vec<u8> {
    fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/s01/01.png")).unwrap()
}

#[test]
fn what_a_full_disk_refused_is_saved_before_another_project_opens() {
    let mut scene = Scene::new(&Device::cpu());
    scene.person("Anna");
    let shelf = scene.engine.open.shelf.clone();
    let [here, away] = [&*shelf.id, "away"].map(|name| scene.root.path().join(name));
    fs::rename(&here, &away).unwrap();
    scene.engine.save();
    assert_eq!(scene.events().len(), 1, "the problem");
    scene.engine.save();
    assert!(scene.events().is_empty(), "it is said once");
    let other = || Request::NewProject { title: "Other".into() };
    assert_eq!(scene.ask(other())[0]["event"], "problem");
    fs::rename(&away, &here).unwrap();
    assert_eq!(scene.ask(other())[0]["project"]["title"], "Other");
    assert_eq!(shelf.project().unwrap().people[0].name, "Anna");
}

#[test]
fn a_lost_device_is_opened_again() {
    let device = Device::open().unwrap();
    let mut scene = Scene::new(&device);
    let bytes = photo();
    let before = scene.look(1, &bytes);
    assert_eq!(before[0]["faces"].as_array().unwrap().len(), 1, "{before:?}");
    // The CPU is never lost.
    let Some(gpu) = device.gpu() else { return };
    gpu.lose();
    let lost = scene.look(2, &bytes);
    assert!(
        lost[0]["event"] == "note" && lost[0]["text"].as_str().unwrap().contains("opened again"),
        "{lost:?}"
    );
    assert_eq!(
        (&lost[1]["event"], &lost[1]["number"]),
        (&"frame".into(), &2.into()),
        "or the page waits for ever"
    );
    let after = scene.look(3, &bytes);
    assert_eq!(after[0]["faces"], before[0]["faces"]);
}

#[test]
fn photos_and_training_open_a_lost_device_again_too() {
    let device = Device::open().unwrap();
    let mut scene = Scene::new(&device);
    let person = scene.person("Anna");
    let Some(gpu) = device.gpu() else { return };
    gpu.lose();
    let events = scene.work(Work::Photo { person, bytes: photo() });
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["note", "face", "photo"], "{events:?}");
    assert_eq!(events[2]["problem"], Value::Null);

    let gpu = device.gpu().unwrap().clone();
    gpu.lose();
    let loss = gpu.wait().unwrap_err();
    let events = scene.work(Work::Told(Told::Ended(Err(loss))));
    assert!(events[0]["text"].as_str().unwrap().contains("opened again"), "{events:?}");
    assert_eq!(scene.look(1, &photo())[0]["faces"].as_array().unwrap().len(), 1);
}

#[test]
fn the_page_is_told_when_a_recording_ends_without_it() {
    let mut scene = Scene::new(&Device::cpu());
    let anna = scene.person("Anna");
    let record = |person| Request::Record { person };
    let ended = |events: &[Value], person: u32| {
        events.iter().any(|event| event["event"] == "recording_ended" && event["person"] == person)
    };
    assert!(ended(&scene.ask(record(Some(99))), 99), "nobody of that number");
    assert!(scene.ask(record(Some(anna))).is_empty());
    assert!(ended(&scene.look(1, b"no picture"), anna));
    assert!(scene.ask(record(Some(anna))).is_empty());
    assert!(scene.ask(record(None)).is_empty(), "the page knows");
    scene.ask(record(Some(anna)));
    assert!(ended(&scene.ask(Request::RemovePerson { person: anna }), anna));
}

#[test]
fn without_the_open_project_the_next_one_opens_that_can() {
    let mut scene = Scene::new(&Device::cpu());
    let first = scene.engine.open.shelf.id.clone();
    let mut new = |title: &str| {
        scene.ask(Request::NewProject { title: title.into() });
        scene.engine.open.shelf.id.clone()
    };
    let [damaged, whole] = ["Other 1", "Other 2"].map(&mut new);
    let damage =
        |scene: &Scene, id: &str| fs::write(scene.root.path().join(id).join("project.json"), "{").unwrap();
    scene.ask(Request::OpenProject { project: first.clone() });
    damage(&scene, &damaged);
    let events = scene.ask(Request::RemoveProject);
    assert!(events[0]["text"].as_str().unwrap().contains("damaged"), "{events:?}");
    assert_eq!(scene.engine.open.shelf.id, whole);
    assert!(!scene.root.path().join(first).exists());

    scene.ask(Request::RemoveProject);
    assert_eq!(scene.engine.open.project.title, UNNAMED, "no other can be opened");
    scene.person("Anna");
    scene.engine.open.save().unwrap();
}
