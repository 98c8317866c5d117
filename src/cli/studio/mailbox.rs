//! What waits for the engine. Of the camera's frames only the newest does, so that the answers stay fresh however slow the device
//! is.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

use super::message::Request;
use super::outbox::Session;
use super::training::Told;

/// Requests, photos and wishes for files of the page that may wait. The page sends them one by one, each when the one before was answered.
const MOST_WAITING: usize = 64;
/// Photos among these.
const MOST_PHOTOS: usize = 2;

/// Something for the engine to do.
#[derive(Debug)]
pub enum Work {
    /// The page is there, or there again, in this session.
    Arrived(Session),
    /// The page of this session is gone.
    Left(Session),
    /// The page asks for something.
    Asked(Request),
    /// A photo of this person.
    Photo { person: u32, bytes: Vec<u8> },
    /// A frame of the camera.
    Frame(Frame),
    /// Somebody wants a file.
    File(Wanted, tokio::sync::oneshot::Sender<lookalike::Result<Vec<u8>>>),
    /// News of a run.
    Told(Told),
    /// The program ends.
    End,
}

/// A frame of the camera.
#[derive(Debug)]
pub struct Frame {
    /// The number its answer carries.
    pub number: u32,
    /// A file of a picture.
    pub bytes: Vec<u8>,
    /// When it came.
    pub received: Instant,
}

/// A file that can be had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// The model.
    Model,
    /// The report's page.
    Report,
    /// All faces, as `lookalike train` takes them.
    Faces,
}

/// What waits.
#[derive(Debug, Default)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    works: VecDeque<Work>,
    frame: Option<Frame>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nobody panics while holding it")
    }

    /// Puts something in.
    pub fn put(&self, work: Work) {
        self.lock().works.push_back(work);
        self.arrived.notify_one();
    }

    /// Puts in something that comes from outside; false if too much waits already.
    pub fn offer(&self, work: Work) -> bool {
        let mut waiting = self.lock();
        let is_photo = |work: &Work| matches!(work, Work::Photo { .. });
        // News of a run come in any number while the engine is busy: the page is not to blame for them.
        let is_offered = |work: &Work| is_photo(work) || matches!(work, Work::Asked(_) | Work::File(..));
        let count = |what: &dyn Fn(&Work) -> bool| waiting.works.iter().filter(|work| what(work)).count();
        if count(&is_offered) >= MOST_WAITING || (is_photo(&work) && count(&is_photo) >= MOST_PHOTOS) {
            return false;
        }
        waiting.works.push_back(work);
        self.arrived.notify_one();
        true
    }

    /// Puts in a frame, in place of the one that waits.
    pub fn put_frame(&self, frame: Frame) {
        self.lock().frame = Some(frame);
        self.arrived.notify_one();
    }

    /// What comes next, if anything waits: frames last.
    pub fn try_take(&self) -> Option<Work> {
        self.lock().next()
    }

    /// What comes next.
    pub fn take(&self) -> Work {
        let mut waiting = self.lock();
        loop {
            match waiting.next() {
                Some(work) => return work,
                None => waiting = self.arrived.wait(waiting).expect("nobody panics while holding it"),
            }
        }
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Work> {
        self.works.pop_front().or_else(|| self.frame.take().map(Work::Frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::studio::message::Event;

    #[test]
    fn the_newest_frame_wins_and_requests_come_first() {
        let mailbox = Mailbox::default();
        for number in 0..1000 {
            mailbox.put_frame(Frame { number, bytes: vec![0; 10], received: Instant::now() });
        }
        assert!(mailbox.offer(Work::Asked(Request::StopTraining)));
        assert!(matches!(mailbox.take(), Work::Asked(Request::StopTraining)));
        assert!(matches!(mailbox.take(), Work::Frame(Frame { number: 999, .. })));
        assert!(mailbox.try_take().is_none());
    }

    #[test]
    fn requests_do_not_pile_up() {
        let mailbox = Mailbox::default();
        let taken = (0..1000).filter(|_| mailbox.offer(Work::Asked(Request::StopTraining))).count();
        assert_eq!(taken, MOST_WAITING);
        assert!(matches!(mailbox.take(), Work::Asked(_)));
        assert!(mailbox.offer(Work::Asked(Request::StopTraining)));

        let mailbox = Mailbox::default();
        let photo = || Work::Photo { person: 1, bytes: vec![0; 1 << 20] };
        assert_eq!((0..100).filter(|_| mailbox.offer(photo())).count(), MOST_PHOTOS);
    }

    #[test]
    fn news_of_a_run_leave_room_for_requests() {
        let mailbox = Mailbox::default();
        for _ in 0..1000 {
            mailbox.put(Work::Told(Told::Event(Event::Note { text: "an epoch".into() })));
        }
        assert!(mailbox.offer(Work::Asked(Request::StopTraining)));
    }

    #[test]
    fn who_waits_is_woken() {
        let mailbox = std::sync::Arc::new(Mailbox::default());
        let waits = std::thread::spawn({
            let mailbox = mailbox.clone();
            move || mailbox.take()
        });
        mailbox.put(Work::End);
        assert!(matches!(waits.join().unwrap(), Work::End));
    }
}
