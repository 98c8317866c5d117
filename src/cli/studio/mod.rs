//! `lookalike studio`: a page on this machine, in the user's browser, that records people, learns them and names them.
//!
//! Three threads' worth of parts: the [server] hands the page's messages to the [mailbox]; the [engine] takes them one by one and
//! answers through the [outbox]; a run of [training] goes on beside it.

mod disk;
mod engine;
mod guard;
mod mailbox;
mod message;
mod open;
mod outbox;
mod project;
mod server;
mod session;
mod store;
mod training;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use lookalike::folders::data_folder;
use lookalike::{Error, Result};

use self::engine::Engine;
use self::guard::Guard;
use self::mailbox::{Mailbox, Work};
use self::outbox::Outbox;
use self::server::Shared;
use super::device::RunArguments;
use super::display::{note, say};

/// Record people with the webcam, teach them, and see them named, in your browser; nothing leaves this machine
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike studio")]
pub struct Arguments {
    /// Port to listen on, of this machine alone [default: a free one]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Folder for the projects [default: that of Lookalike among the user's data]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Do not open the browser
    #[arg(long)]
    no_open: bool,
    #[command(flatten)]
    run: RunArguments,
}

/// Serves the page until Ctrl-C.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.run.open(false)?;
    let folder = match &arguments.folder {
        Some(folder) => folder.clone(),
        None => data_folder()?.join("studio"),
    };
    let mailbox = Arc::new(Mailbox::default());
    let outbox = Arc::new(Outbox::default());
    let engine = Engine::new(device.clone(), &folder, mailbox.clone(), outbox.clone())?;
    let (end, asked) = (mailbox.clone(), AtomicBool::new(false));
    let handler = move || {
        // A run that goes on ends after its step; who does not want to wait for that asks again.
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        end.put(Work::End);
    };
    ctrlc::set_handler(handler)
        .map_err(|problem| Error::Input(format!("Ctrl-C cannot be caught: {problem}")))?;

    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let threads = threads.map_err(|problem| Error::Input(format!("no threads for the server: {problem}")))?;
    let (listener, port) = threads.block_on(server::listen(arguments.port))?;
    let guard = Guard::new(port)?;
    let address = guard.address();
    threads.spawn(server::serve(listener, Arc::new(Shared { guard, mailbox, outbox })));
    say(format_args!("studio: {address}"));
    say(format_args!("projects: {}", folder.display()));
    note("Ctrl-C ends it; the address above opens the page again until then");
    if !arguments.no_open
        && let Err(problem) = ::open::that_detached(&address)
    {
        note(format_args!(
            "the browser cannot be opened from here ({problem}): open the address above in it"
        ));
    }
    engine.run();
    threads.shutdown_background();
    Ok(())
}
