//! What the page and the program say to each other: JSON in text messages, pictures in binary ones.

use lookalike::recognize::Recognition;
use lookalike::train::Epoch;
use lookalike::vision::Rect;
use serde::{Deserialize, Serialize};

use crate::cli::network::Kind;

/// What the page asks for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Somebody new.
    AddPerson { name: String },
    /// Another name for somebody.
    RenamePerson { person: u32, name: String },
    /// Forgets somebody and their faces.
    RemovePerson { person: u32 },
    /// Forgets a face.
    RemoveFace { face: u32 },
    /// From now on faces before the camera are this person's; nobody's without one.
    Record { person: Option<u32> },
    /// Learns all faces.
    Train { network: String, epochs: u32 },
    /// Ends training after this step.
    StopTraining,
    /// A new project, which is opened.
    NewProject { title: String },
    /// Opens another project.
    OpenProject { project: String },
    /// Another title for the project that is open.
    RenameProject { title: String },
    /// Forgets the project that is open, with all that is in it.
    RemoveProject,
}

/// A binary message of the page: a byte that tells its kind, four bytes with a number, low byte first, then the file of a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// What the camera sees, with the number that its answer will carry.
    Frame { number: u32, bytes: Vec<u8> },
    /// A photo of this person.
    Photo { person: u32, bytes: Vec<u8> },
}

/// Bytes before the file of a picture.
const HEADER: usize = 5;

impl Picture {
    /// Takes a message apart; none if it is no such message.
    pub fn parse(message: &[u8]) -> Option<Picture> {
        let (&[kind, a, b, c, d], bytes) = message.split_first_chunk::<HEADER>()?;
        let (number, bytes) = (u32::from_le_bytes([a, b, c, d]), bytes.to_vec());
        match kind {
            1 => Some(Picture::Frame { number, bytes }),
            2 => Some(Picture::Photo { person: number, bytes }),
            _ => None,
        }
    }
}

/// A binary message to the page: the number of a face, four bytes, low byte first, then its small picture as JPEG.
pub fn thumbnail(face: u32, jpeg: &[u8]) -> Vec<u8> {
    [&face.to_le_bytes(), jpeg].concat()
}

/// What the program tells the page.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// All there is. Comes first, and after each change but those with an event of their own.
    State(Box<State>),
    /// A new face, whose small picture follows.
    Face { face: u32, person: u32 },
    /// This person is not recorded any more, though the page has not asked for that.
    RecordingEnded { person: u32 },
    /// Who is on a frame of the camera.
    Frame(Frame),
    /// What became of a photo.
    Photo { person: u32, problem: Option<String>, note: Option<String> },
    /// Frozen layers have seen so many pictures.
    Features { done: usize, total: usize },
    /// A step of training.
    Step { epoch: usize, done: usize, all: usize },
    /// An epoch of training.
    Epoch(Curve),
    /// Something that the user should know.
    Note { text: String },
    /// Something that could not be done.
    Problem { text: String },
}

/// All there is.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    /// What runs the networks.
    pub device: String,
    /// Every project: what it is called on disk, and its title.
    pub projects: Vec<Titled>,
    /// The one that is open.
    pub project: Titled,
    /// Its people.
    pub people: Vec<Listed>,
    /// Its model, if it has one.
    pub model: Option<About>,
    /// The run that goes on, if there is one.
    pub training: Option<Training>,
    /// Networks that can be trained.
    pub networks: Vec<Network>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Titled {
    /// Its name on disk.
    pub id: String,
    /// What the user calls it.
    pub title: String,
}

/// Somebody, and the numbers of their faces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Number.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Numbers of the faces.
    pub faces: Vec<u32>,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The network.
    pub network: String,
    /// Who is in it.
    pub people: usize,
    /// How good it is, in a sentence.
    pub result: String,
    /// Whether people and faces are still those it has learned.
    #[serde(default)]
    pub current: bool,
}

/// A run that goes on.
#[derive(Clone, Debug, Serialize)]
pub struct Training {
    /// The network.
    pub network: String,
    /// The most epochs.
    pub epochs: u32,
    /// Those that are done.
    pub curve: Vec<Curve>,
}

/// A network that can be trained.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    /// Its name.
    pub name: &'static str,
    /// Whether it learns in epochs.
    pub epochs: bool,
}

impl From<Kind> for Network {
    fn from(kind: Kind) -> Network {
        Network { name: kind.name(), epochs: kind.has_epochs() }
    }
}

/// How an epoch ended.
#[derive(Clone, Debug, Serialize)]
pub struct Curve {
    /// Counted from 1.
    pub epoch: usize,
    /// Of what is learned.
    pub loss: f64,
    /// Of what is learned.
    pub accuracy: f64,
    /// Of what is kept back.
    pub val_loss: f64,
    /// Of what is kept back.
    pub val_accuracy: f64,
}

impl From<&Epoch> for Curve {
    fn from(epoch: &Epoch) -> Curve {
        let Epoch { number, loss, accuracy, val_loss, val_accuracy, .. } = *epoch;
        Curve { epoch: number, loss, accuracy, val_loss, val_accuracy }
    }
}

/// Who is on a frame of the camera.
#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    /// The number that came with it.
    pub number: u32,
    /// Its width and height in pixels.
    pub size: [usize; 2],
    /// The faces, the surest first.
    pub faces: Vec<Seen>,
    /// Milliseconds from when it came until this.
    pub took: f64,
}

/// A face on a frame.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Left, top, width, height in pixels.
    #[serde(rename = "box")]
    pub place: [f32; 4],
    /// Who it is; nobody without a model, or if the model does not know them.
    pub name: Option<String>,
    /// The most similar person, and how probable each person is, if there is a model.
    pub nearest: Option<String>,
    /// Probability of each person.
    pub confidences: Vec<(String, f32)>,
}

impl Seen {
    /// A face of which only the place is known.
    pub fn somebody(rect: Rect) -> Seen {
        let Rect { x, y, width, height } = rect;
        Seen { place: [x, y, width, height], name: None, nearest: None, confidences: vec![] }
    }
}

impl From<Recognition> for Seen {
    fn from(face: Recognition) -> Seen {
        let Recognition { rect, name, nearest, confidences, .. } = face;
        Seen { name, nearest: Some(nearest), confidences, ..Seen::somebody(rect) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_page_writes_and_nothing_else() {
        let parse = |text: &str| serde_json::from_str::<Request>(text).ok();
        assert_eq!(
            parse(r#"{"do": "add_person", "name": "Zoë"}"#),
            Some(Request::AddPerson { name: "Zoë".into() })
        );
        assert_eq!(parse(r#"{"do": "record", "person": null}"#), Some(Request::Record { person: None }));
        assert_eq!(parse(r#"{"do": "stop_training"}"#), Some(Request::StopTraining));
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"do": "format_disk"}"#,
            r#"{"do": "add_person"}"#,
            r#"{"do": "add_person", "name": 7}"#,
            r#"{"do": "add_person", "name": "a", "path": "/"}"#,
            r#"{"do": "remove_face", "face": -1}"#,
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn pictures_are_taken_apart() {
        assert_eq!(
            Picture::parse(&[1, 2, 1, 0, 0, 9, 8]),
            Some(Picture::Frame { number: 258, bytes: vec![9, 8] })
        );
        assert_eq!(Picture::parse(&[2, 7, 0, 0, 0]), Some(Picture::Photo { person: 7, bytes: vec![] }));
        assert_eq!(Picture::parse(&[3, 0, 0, 0, 0, 1]), None);
        assert_eq!(Picture::parse(&[1, 0, 0, 0]), None);
    }

    #[test]
    fn not_a_number_is_null_for_the_page() {
        let curve = Curve { epoch: 1, loss: f64::NAN, accuracy: 1.0, val_loss: 0.5, val_accuracy: 1.0 };
        assert!(serde_json::to_string(&Event::Epoch(curve)).unwrap().contains(r#""loss":null"#));
    }
}
