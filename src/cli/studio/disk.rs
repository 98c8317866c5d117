//! What the disk knows of the open project, and what it does not know yet.

use std::time::{Duration, Instant};

use lookalike::Result;

use super::open::Open;

/// Longest time that a change is not on the disk.
const LONGEST: Duration = Duration::from_secs(1);

/// What the disk does not know.
#[derive(Debug, Default)]
pub struct Unsaved {
    since: Option<Instant>,
    /// Whether it could not be written.
    failed: bool,
}

impl Open {
    /// Notes that the disk does not know all of it any more.
    pub fn change(&mut self) {
        self.unsaved.since.get_or_insert_with(Instant::now);
        self.unsaved.failed = false;
    }

    /// Whether [`Open::save_change`] has waited long enough.
    pub fn is_due(&self) -> bool {
        self.unsaved.since.is_some_and(|since| since.elapsed() > LONGEST)
    }

    /// Writes what the disk does not know yet. What could not be written is still to be written.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&mut self) -> Result<()> {
        if self.unsaved.since.is_some() {
            self.unsaved.failed = true;
            self.shelf.save(&self.project)?;
            self.unsaved = Unsaved::default();
        }
        Ok(())
    }

    /// The same, but what could not be written is tried again only after the next change: nobody wants to hear of it all the time.
    ///
    /// # Errors
    /// As [`Open::save`].
    pub fn save_change(&mut self) -> Result<()> {
        if self.unsaved.failed { Ok(()) } else { self.save() }
    }

    /// Removes it from the disk.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn remove(&mut self) -> Result<()> {
        self.shelf.remove()?;
        self.unsaved = Unsaved::default();
        Ok(())
    }

    /// Removes pictures of faces that the project has forgotten from the disk.
    pub fn tidy(&self) {
        self.shelf.keep_faces(&self.project.pictures());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::studio::store::Store;

    #[test]
    fn what_could_not_be_saved_is_saved_later() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let mut open = Open::new(&store, "One").unwrap();
        open.save().expect("nothing to save");
        open.project.add_person("Anna").unwrap();
        open.change();
        let [here, away] = [&*open.shelf.id, "away"].map(|name| root.path().join(name));
        fs::rename(&here, &away).unwrap();
        assert!(open.save_change().is_err());
        open.save_change().expect("not tried again before something changes");
        open.change();
        assert!(open.save_change().is_err());
        assert!(open.save().is_err(), "always tried");
        fs::rename(&away, &here).unwrap();
        open.save().unwrap();
        assert_eq!(open.shelf.project().unwrap(), open.project);
    }
}
