//! A page's visit: its messages go to the engine, the engine's to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::time::timeout;

use super::mailbox::{Frame, Work};
use super::message::{Picture, Request};
use super::outbox::{self, Session};
use super::server::Shared;

/// Bytes of a message: a photo of a large camera.
pub const LARGEST_MESSAGE: usize = 32 << 20;
/// Bytes of a camera's frame, which the page makes small.
const LARGEST_FRAME: usize = 4 << 20;
/// Bytes of a request.
const LARGEST_REQUEST: usize = 4 << 10;
/// How long a page may take to read a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the program ends a visit.
enum End {
    /// The page has gone.
    Gone,
    /// Another page has come.
    Replaced,
    /// The page says what no page says.
    Nonsense,
}

/// Runs until the page goes or another comes.
pub async fn run(mut socket: WebSocket, shared: Arc<Shared>) {
    let (session, mut outgoing) = shared.outbox.arrive();
    shared.mailbox.put(Work::Arrived(session));
    let end = loop {
        tokio::select! {
            message = outgoing.recv() => {
                let message = match message {
                    Some(outbox::Message::Text(text)) => Message::Text(text.into()),
                    Some(outbox::Message::Bytes(bytes)) => Message::Binary(bytes.into()),
                    None => break End::Replaced,
                };
                if !matches!(timeout(PATIENCE, socket.send(message)).await, Ok(Ok(()))) {
                    break End::Gone;
                }
            }
            message = socket.recv() => match message {
                Some(Ok(message)) => if let Err(end) = take(message, session, &shared) { break end },
                Some(Err(_)) | None => break End::Gone,
            },
        }
    };
    shared.outbox.leave(session);
    // What still waits for this page is dropped now: the engine must not wait for it.
    drop(outgoing);
    shared.mailbox.put(Work::Left(session));
    let (code, reason) = match end {
        End::Gone => return,
        End::Replaced => (4001, "the studio was opened in another window"),
        End::Nonsense => (1008, "this is no message of the studio's page"),
    };
    let close = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let _ = timeout(PATIENCE, socket.send(Message::Close(Some(close)))).await;
}

/// Hands a message on.
fn take(message: Message, session: Session, shared: &Shared) -> Result<(), End> {
    if !shared.outbox.is_present(session) {
        return Err(End::Replaced);
    }
    match message {
        Message::Text(text) => {
            let small = text.len() <= LARGEST_REQUEST;
            let request: Option<Request> = small.then(|| serde_json::from_str(&text).ok()).flatten();
            offer(shared, Work::Asked(request.ok_or(End::Nonsense)?))
        }
        Message::Binary(bytes) => match Picture::parse(&bytes).ok_or(End::Nonsense)? {
            Picture::Frame { bytes, .. } if bytes.len() > LARGEST_FRAME => Err(End::Nonsense),
            Picture::Frame { number, bytes } => {
                shared.mailbox.put_frame(Frame { number, bytes, received: Instant::now() });
                Ok(())
            }
            Picture::Photo { person, bytes } => offer(shared, Work::Photo { person, bytes }),
        },
        Message::Ping(_) | Message::Pong(_) => Ok(()),
        Message::Close(_) => Err(End::Gone),
    }
}

/// A page that sends more than can wait does not wait for answers, as the studio's does.
fn offer(shared: &Shared, work: Work) -> Result<(), End> {
    if shared.mailbox.offer(work) { Ok(()) } else { Err(End::Nonsense) }
}
