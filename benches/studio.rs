//! How long the studio takes from receiving a frame of the camera to sending the names: 640 × 480 pixels, one face, two people learned
//! by SFace. The real program answers, over its WebSocket.
//!
//! ```text
//! cargo bench --bench studio -- [OPTIONS]
//!   --adapter NAME    the device; default cpu
//!   --frames N        frames that are measured; default 300
//!   --program PATH    the program; default: the one that cargo has built
//! ```

#[path = "../kernels-tests/studio/client.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod client;

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use client::{Page, Studio, photo};
use serde_json::json;

/// Frames that are not measured.
const WARM_UP: u32 = 20;
/// The people, and photos of each to learn.
const PEOPLE: [&str; 2] = ["s02", "s05"];
const PHOTOS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().len() == 1 {
        println!("this is a bench: `cargo bench --bench studio` runs it");
        return Ok(());
    }
    let (mut adapter, mut frames) = ("cpu".to_string(), 300);
    let mut program = PathBuf::from(env!("CARGO_BIN_EXE_lookalike"));
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
        match option.as_str() {
            "--bench" => {} // cargo says so
            "--adapter" => adapter = value()?,
            "--frames" => frames = value()?.parse()?,
            "--program" => program = value()?.into(),
            _ => return Err(format!("no option {option}; benches/studio.rs begins with a list").into()),
        }
    }

    let folder = tempfile::tempdir()?;
    let mut command = Command::new(program);
    command.args(["studio", "--no-open", "--adapter", &adapter, "--folder"]).arg(folder.path());
    let studio = Studio::start(command);
    let mut page = studio.page();
    let device = page.await_event("state")["device"].clone();
    learn(&mut page);

    let mut took = Vec::new();
    let mut whole = Vec::new();
    for number in 0..WARM_UP + frames {
        let at = number as usize;
        let person = PEOPLE[at % 2];
        let frame = photo(person, PHOTOS + 1 + at / 2 % (10 - PHOTOS));
        let sent = Instant::now();
        page.send(1, number, &frame);
        let answer = page.await_event("frame");
        if number >= WARM_UP {
            whole.push(sent.elapsed().as_secs_f64() * 1e3);
            took.push(answer["took"].as_f64().ok_or("a number")?);
            assert_eq!(answer["faces"].as_array().map(Vec::len), Some(1), "{answer}");
        }
    }
    studio.end();
    let device = device.as_str().ok_or("a name")?;
    println!("{device}: {frames} frames of 640 × 480 pixels with one face");
    for (what, times) in [("received to names sent", &mut took), ("sent to names received", &mut whole)] {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[(share * (times.len() - 1) as f64).round() as usize];
        println!("{what:<24} median {:>6.1} ms   99th percentile {:>6.1} ms", at(0.5), at(0.99));
    }
    Ok(())
}

/// Adds the people, their photos, and learns them.
fn learn(page: &mut Page) {
    for name in PEOPLE {
        page.say(&json!({"do": "add_person", "name": name}));
        let state = page.await_event("state");
        let person = state["people"].as_array().and_then(|people| people.last()).expect("somebody");
        let id = person["id"].as_u64().expect("a number") as u32;
        for number in 1..=PHOTOS {
            page.send(2, id, &photo(name, number));
            page.await_event("photo");
        }
    }
    page.say(&json!({"do": "train", "network": "sface", "epochs": 1}));
    while page.await_event("state")["model"].is_null() {}
}
