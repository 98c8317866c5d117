//! A project: people, their faces, what was learned of them. Data alone; where it lies on disk is [`super::store`]'s.

use lookalike::detect::Landmarks;
use lookalike::{Error, Result};
use serde::{Deserialize, Serialize};

use super::message::{About, Listed};

/// People of a project, at most.
pub const MOST_PEOPLE: usize = 100;
/// Faces of a project, at most.
pub const MOST_FACES: usize = 5000;
/// Letters of a name, at most.
const LONGEST_NAME: usize = 60;

/// A project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// What the user calls it.
    pub title: String,
    /// The number that is given next, to a person, a face or a recording.
    next: u32,
    /// Grows with each change of people or faces.
    revision: u64,
    /// In the order in which they came.
    pub people: Vec<Person>,
    /// In the order in which they came.
    pub faces: Vec<Face>,
    /// Those that are left out, as their pictures could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unread: Vec<Face>,
    /// The model, and the revision it has learned.
    learned: Option<(About, u64)>,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// Number.
    pub id: u32,
    /// Name.
    pub name: String,
}

/// A face. Its picture is a file of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// Number.
    pub id: u32,
    /// Whose it is.
    pub person: u32,
    /// Equal for all faces of one recording, which look nearly the same.
    pub recording: u32,
    /// Where its parts are, in pixels of the picture.
    pub landmarks: Option<Landmarks>,
}

/// A name as people may give it.
///
/// # Errors
/// [`Error::Input`] if it is none.
fn name(text: &str) -> Result<String> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::Input(format!("give a name of 1 to {LONGEST_NAME} letters")));
    }
    Ok(name)
}

impl Project {
    /// An empty project.
    ///
    /// # Errors
    /// [`Error::Input`] if this can be no title.
    pub fn new(title: &str) -> Result<Project> {
        let title = name(title)?;
        let (people, faces, unread) = (vec![], vec![], vec![]);
        Ok(Project { title, next: 1, revision: 0, people, faces, unread, learned: None })
    }

    /// Gives it another title.
    ///
    /// # Errors
    /// As [`Project::new`].
    pub fn rename(&mut self, title: &str) -> Result<()> {
        self.title = name(title)?;
        Ok(())
    }

    /// A number that nothing has.
    pub fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// Adds somebody.
    ///
    /// # Errors
    /// [`Error::Input`] if the name is taken or none, or the project is full.
    pub fn add_person(&mut self, text: &str) -> Result<u32> {
        let name = self.free_name(text, None)?;
        if self.people.len() == MOST_PEOPLE {
            return Err(Error::Input(format!(
                "a project holds {MOST_PEOPLE} people; remove one, or begin another project"
            )));
        }
        let id = self.number();
        self.people.push(Person { id, name });
        self.revision += 1;
        Ok(id)
    }

    /// Gives somebody another name.
    ///
    /// # Errors
    /// As [`Project::add_person`], or if there is no such person.
    pub fn rename_person(&mut self, person: u32, text: &str) -> Result<()> {
        let name = self.free_name(text, Some(person))?;
        self.person(person)?;
        self.people
            .iter_mut()
            .filter(|known| known.id == person)
            .for_each(|known| known.name.clone_from(&name));
        self.revision += 1;
        Ok(())
    }

    fn free_name(&self, text: &str, except: Option<u32>) -> Result<String> {
        let name = name(text)?;
        let mut others = self.people.iter().filter(|person| Some(person.id) != except);
        if others.any(|person| person.name == name) {
            return Err(Error::Input(format!("there is a '{name}' already; give another name")));
        }
        Ok(name)
    }

    /// Somebody.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such person.
    pub fn person(&self, person: u32) -> Result<&Person> {
        let found = self.people.iter().find(|known| known.id == person);
        found.ok_or_else(|| Error::Input("this person is not in the project any more".into()))
    }

    /// Forgets somebody, and returns the numbers of their faces.
    ///
    /// # Errors
    /// As [`Project::person`].
    pub fn remove_person(&mut self, person: u32) -> Result<Vec<u32>> {
        self.person(person)?;
        let faces = self.faces_of(person);
        self.people.retain(|known| known.id != person);
        self.faces.retain(|face| face.person != person);
        self.unread.retain(|face| face.person != person);
        self.revision += 1;
        Ok(faces)
    }

    /// Whether there is room for one more face.
    ///
    /// # Errors
    /// [`Error::Input`] if not.
    pub fn has_room(&self) -> Result<()> {
        if self.faces.len() < MOST_FACES {
            return Ok(());
        }
        Err(Error::Input(format!(
            "a project holds {MOST_FACES} faces; remove some, or begin another project"
        )))
    }

    /// Adds a face.
    pub fn add_face(&mut self, face: Face) {
        self.faces.push(face);
        self.revision += 1;
    }

    /// Forgets a face.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such face.
    pub fn remove_face(&mut self, face: u32) -> Result<()> {
        let before = self.faces.len();
        self.faces.retain(|known| known.id != face);
        if self.faces.len() == before {
            return Err(Error::Input("this face is not in the project any more".into()));
        }
        self.revision += 1;
        Ok(())
    }

    /// The numbers of all faces, also of those that are left out.
    pub fn pictures(&self) -> Vec<u32> {
        self.faces.iter().chain(&self.unread).map(|face| face.id).collect()
    }

    /// Leaves out the faces whose pictures cannot be read, and no others: one that was left out comes back when it can be read.
    pub fn leave_out(&mut self, unreadable: &[u32]) {
        let is_unreadable = |face: &Face| unreadable.contains(&face.id);
        let mut all: Vec<Face> = self.faces.drain(..).chain(self.unread.clone()).collect();
        all.sort_by_key(|face| face.id);
        let (unread, faces) = all.into_iter().partition(is_unreadable);
        self.revision += u64::from(self.unread != unread);
        (self.unread, self.faces) = (unread, faces);
    }

    fn faces_of(&self, person: u32) -> Vec<u32> {
        self.faces.iter().filter(|face| face.person == person).map(|face| face.id).collect()
    }

    /// Everybody, with the numbers of their faces.
    pub fn listed(&self) -> Vec<Listed> {
        let listed = |person: &Person| Listed {
            id: person.id,
            name: person.name.clone(),
            faces: self.faces_of(person.id),
        };
        self.people.iter().map(listed).collect()
    }

    /// The present state of people and faces, for [`Project::learned`].
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Notes that a model has learned what there was at `revision`.
    pub fn learned(&mut self, about: About, revision: u64) {
        self.learned = Some((about, revision));
    }

    /// Its model.
    pub fn model(&self) -> Option<About> {
        let (about, revision) = self.learned.as_ref()?;
        Some(About { current: *revision == self.revision, ..about.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(project: &mut Project, person: u32) -> u32 {
        let id = project.number();
        project.add_face(Face { id, person, recording: 1, landmarks: None });
        id
    }

    #[test]
    fn names_are_text_of_any_kind_but_not_empty_endless_or_twice() {
        let mut project = Project::new(" My  family ").unwrap();
        assert_eq!(project.title, "My family");
        for good in ["<b>Anna</b>", "../../etc/passwd", "李雷", "O'Brien \"x\""] {
            let id = project.add_person(good).unwrap();
            assert_eq!(project.person(id).unwrap().name, good);
        }
        for bad in ["", "   ", "\u{0}", "a\u{7}b", &"x".repeat(61), "李雷", " 李雷 "] {
            assert!(project.add_person(bad).is_err(), "{bad:?}");
        }
        let anna = project.people[0].id;
        project.rename_person(anna, "<b>Anna</b>").expect("her own name is free for her");
        assert!(project.rename_person(anna, "李雷").is_err());
        assert!(project.rename_person(999, "Ben").is_err());
    }

    #[test]
    fn who_goes_takes_their_faces_along() {
        let mut project = Project::new("p").unwrap();
        let [anna, ben] = ["Anna", "Ben"].map(|name| project.add_person(name).unwrap());
        let hers = [face(&mut project, anna), face(&mut project, anna)];
        let his = face(&mut project, ben);
        assert_eq!(project.remove_person(anna).unwrap(), hers);
        assert_eq!(project.listed(), [Listed { id: ben, name: "Ben".into(), faces: vec![his] }]);
        assert!(project.remove_person(anna).is_err());
        project.remove_face(his).unwrap();
        assert!(project.remove_face(his).is_err());
        let again = project.add_person("Anna").unwrap();
        assert!(again > his, "no number is given twice");
    }

    #[test]
    fn a_face_that_cannot_be_read_comes_back() {
        let mut project = Project::new("p").unwrap();
        let anna = project.add_person("Anna").unwrap();
        let [a, b, c] = [(); 3].map(|()| face(&mut project, anna));
        let shown = |project: &Project| project.listed()[0].faces.clone();
        project.leave_out(&[b]);
        assert_eq!((shown(&project), project.pictures()), (vec![a, c], vec![a, c, b]));
        let revision = project.revision();
        let mut again: Project = serde_json::from_str(&serde_json::to_string(&project).unwrap()).unwrap();
        again.leave_out(&[b]);
        assert_eq!((shown(&again), again.revision()), (vec![a, c], revision), "nothing is new");
        again.leave_out(&[]);
        assert_eq!(shown(&again), [a, b, c]);
        assert!(again.revision() > revision);
        project.remove_person(anna).unwrap();
        assert!(project.pictures().is_empty(), "who goes takes them along");
    }

    #[test]
    fn a_model_is_current_until_something_changes() {
        let mut project = Project::new("p").unwrap();
        assert_eq!(project.model(), None);
        let anna = project.add_person("Anna").unwrap();
        let about = About { network: "face".into(), people: 1, result: String::new(), current: false };
        project.learned(about, project.revision());
        assert!(project.model().unwrap().current);
        project.rename("another title").unwrap();
        assert!(project.model().unwrap().current, "a title is not learned");
        face(&mut project, anna);
        assert!(!project.model().unwrap().current);
    }
}
