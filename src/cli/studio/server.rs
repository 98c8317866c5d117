//! The server: the page's files, what can be downloaded, and the page's WebSocket. It listens on the loopback address alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lookalike::{Error, Result};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use super::guard::{Guard, PROTOCOL, Refusal};
use super::mailbox::{Mailbox, Wanted, Work};
use super::outbox::Outbox;
use super::session::{self, LARGEST_MESSAGE};

/// Connections at a time.
const MOST_CONNECTIONS: usize = 64;
/// For the head of a request, from the opening of the connection or from the request before.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of a request's head.
const LARGEST_HEAD: usize = 16 << 10;

/// What the server's parts share.
#[derive(Debug)]
pub struct Shared {
    /// Who may come in.
    pub guard: Guard,
    /// The way to the engine.
    pub mailbox: Arc<Mailbox>,
    /// The way to the page.
    pub outbox: Arc<Outbox>,
}

/// Listens on a port of the loopback address; 0 takes a free one.
///
/// # Errors
/// [`Error::Input`] if the port is taken.
pub async fn listen(port: u16) -> Result<(TcpListener, u16)> {
    let refused = |problem| {
        Error::Input(format!("port {port} cannot be used ({problem}); leave --port out to take a free one"))
    };
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(refused)?;
    let port = listener.local_addr().map_err(refused)?.port();
    Ok((listener, port))
}

/// Serves for ever.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let router = router(shared);
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = room.clone().acquire_owned().await.expect("nobody closes it");
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file handles, most likely: some are given back soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .max_buf_size(LARGEST_HEAD)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // A connection that breaks is the other side's loss.
            let _ = connection.await;
            drop(place);
        });
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let page = |kind: &'static str, content: &'static [u8]| {
        get(move || async move { ([(CONTENT_TYPE, kind)], content).into_response() })
    };
    let file = |wanted: Wanted| {
        get(move |State(shared): State<Arc<Shared>>, headers: HeaderMap| async move {
            download(&shared, &headers, wanted).await
        })
    };
    Router::new()
        .route("/", page("text/html; charset=utf-8", include_bytes!("page/index.html")))
        .route("/studio.css", page("text/css; charset=utf-8", include_bytes!("page/studio.css")))
        .route("/studio.js", page("text/javascript; charset=utf-8", include_bytes!("page/studio.js")))
        .route("/camera.js", page("text/javascript; charset=utf-8", include_bytes!("page/camera.js")))
        .route("/curves.js", page("text/javascript; charset=utf-8", include_bytes!("page/curves.js")))
        .route("/icon.svg", page("image/svg+xml", include_bytes!("page/icon.svg")))
        .route("/model", file(Wanted::Model))
        .route("/report", file(Wanted::Report))
        .route("/faces", file(Wanted::Faces))
        .route("/session", get(open_session))
        .layer(from_fn_with_state(shared.clone(), check))
        .with_state(shared)
}

/// Lets in who may, and tells browsers the rules with every answer.
async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match shared.guard.admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refuse(refusal),
    };
    response.headers_mut().extend(shared.guard.rules());
    response
}

fn refuse(refusal: Refusal) -> Response {
    (StatusCode::FORBIDDEN, refusal.text()).into_response()
}

async fn open_session(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    upgrade: std::result::Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    if let Err(refusal) = shared.guard.admit_socket(&headers) {
        return refuse(refusal);
    }
    match upgrade {
        Ok(upgrade) => upgrade
            .protocols([PROTOCOL])
            .max_message_size(LARGEST_MESSAGE)
            .max_frame_size(LARGEST_MESSAGE)
            .on_upgrade(move |socket| session::run(socket, shared)),
        Err(rejection) => rejection.into_response(),
    }
}

async fn download(shared: &Shared, headers: &HeaderMap, wanted: Wanted) -> Response {
    if let Err(refusal) = shared.guard.admit_bearer(headers) {
        return refuse(refusal);
    }
    let (sender, receiver) = oneshot::channel();
    if !shared.mailbox.offer(Work::File(wanted, sender)) {
        return (StatusCode::SERVICE_UNAVAILABLE, "the studio is busy; try again").into_response();
    }
    let (kind, name) = match wanted {
        Wanted::Model => ("application/octet-stream", "model.safetensors"),
        Wanted::Report => ("text/html; charset=utf-8", "report.html"),
        Wanted::Faces => ("application/octet-stream", "faces.npz"),
    };
    match receiver.await {
        Ok(Ok(bytes)) => {
            let disposition = format!("attachment; filename=\"{name}\"");
            ([(CONTENT_TYPE, kind.to_string()), (CONTENT_DISPOSITION, disposition)], bytes).into_response()
        }
        Ok(Err(problem)) => (StatusCode::NOT_FOUND, problem.to_string()).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the studio is ending").into_response(),
    }
}
