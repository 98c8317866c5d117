//! What goes to the page: to the one that came last, as only one can be the studio's.

use std::sync::{Mutex, MutexGuard};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::message::{Event, thumbnail};

/// Messages that may wait for a page that reads slowly. The engine waits when these are full; a page that takes none for long is
/// cut off by its session.
const MOST_WAITING: usize = 256;

/// A page's visit: another number each.
pub type Session = u64;

/// A message to the page.
#[derive(Debug)]
pub enum Message {
    /// JSON.
    Text(String),
    /// A small picture.
    Bytes(Vec<u8>),
}

/// The way to the page.
#[derive(Debug, Default)]
pub struct Outbox(Mutex<Visits>);

#[derive(Debug, Default)]
struct Visits {
    last: Session,
    sender: Option<Sender<Message>>,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Visits> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// A page has come: what is sent from now on goes to it, and the end of the one before comes with its next message.
    pub fn arrive(&self) -> (Session, Receiver<Message>) {
        let (sender, receiver) = channel(MOST_WAITING);
        let mut visits = self.lock();
        visits.last += 1;
        visits.sender = Some(sender);
        (visits.last, receiver)
    }

    /// The page of this session has gone.
    pub fn leave(&self, session: Session) {
        let mut visits = self.lock();
        if visits.last == session {
            visits.sender = None;
        }
    }

    /// Whether this session is the last that came.
    pub fn is_present(&self, session: Session) -> bool {
        self.lock().last == session
    }

    /// Sends an event, if a page is there.
    pub fn send(&self, event: &Event) {
        let text = serde_json::to_string(event).expect("an event is plain data");
        self.send_message(Message::Text(text));
    }

    /// Sends the small picture of a face, if a page is there.
    pub fn send_thumbnail(&self, face: u32, jpeg: &[u8]) {
        self.send_message(Message::Bytes(thumbnail(face, jpeg)));
    }

    fn send_message(&self, message: Message) {
        // Nobody holds the lock while waiting for the page.
        let sender = self.lock().sender.clone();
        if let Some(sender) = sender {
            // A page that has gone misses it.
            let _ = sender.blocking_send(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_that_came_last_gets_all() {
        let outbox = Outbox::default();
        let note = Event::Note { text: "hello".into() };
        outbox.send(&note);
        let (first, mut to_first) = outbox.arrive();
        let (second, mut to_second) = outbox.arrive();
        assert!(!outbox.is_present(first) && outbox.is_present(second));
        outbox.send(&note);
        outbox.leave(first);
        outbox.send_thumbnail(258, &[7]);
        assert!(to_first.try_recv().is_err());
        assert!(matches!(to_second.try_recv(), Ok(Message::Text(text)) if text.contains("hello")));
        assert!(matches!(to_second.try_recv(), Ok(Message::Bytes(bytes)) if bytes == [2, 1, 0, 0, 7]));
        outbox.leave(second);
        outbox.send(&note);
        assert!(to_second.try_recv().is_err());
    }
}
