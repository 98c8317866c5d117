//! `lookalike webcam`: who is before the camera, a line of JSON for each frame, without a browser.

#[cfg(feature = "webcam")]
mod camera;
mod film;
mod folder;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use lookalike::Result;
use lookalike::detect::{DetectorChoice, MtcnnOptions};
use lookalike::models::ModelFile;
use lookalike::recognize::Recognizer;
use lookalike::vision::{MAX_PIXELS, RgbImage};
use serde_json::{Value, json};

use self::film::Film;
use self::folder::Folder;
use super::detector::min_face;
use super::device::RunArguments;
use super::display::note;
use super::predict::face_json;

/// Tell who is before the webcam, a line of JSON for each frame
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  lookalike webcam model.safetensors
  lookalike webcam model.safetensors --source pictures
  ffmpeg -i film.mp4 -f mjpeg -q:v 2 - | lookalike webcam model.safetensors --source -")]
pub struct Arguments {
    /// Model file that `lookalike train` wrote
    model: PathBuf,
    /// Instead of a camera: a folder of pictures, taken in the order of their names, or a film of JPEG pictures (.mjpeg), of which
    /// none is left out; - reads the film from standard input
    #[arg(long, value_name = "FOLDER|FILM", conflicts_with = "camera")]
    source: Option<PathBuf>,
    /// Which camera, where there are several: 0 is the first
    #[arg(long, value_name = "N", default_value_t = 0)]
    camera: usize,
    /// Smallest face that mtcnn looks for, in pixels of the frame: smaller ones take most of the time
    #[arg(long, value_name = "PIXELS", default_value_t = 40.0, value_parser = min_face)]
    min_face: f64,
    /// End after so many frames
    #[arg(long, value_name = "N")]
    frames: Option<u64>,
    #[command(flatten)]
    run: RunArguments,
}

/// A frame: the picture, or why there is none.
struct Frame {
    /// What it is called, where it has a name.
    name: Option<String>,
    picture: Result<RgbImage>,
}

/// Where frames come from.
trait Source {
    /// The next frame, of a camera the newest; none at the end.
    ///
    /// # Errors
    /// If there will be no more although it is not the end.
    fn next(&mut self) -> Result<Option<Frame>>;
}

/// Names who is on each frame until there are no more.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut source = open(arguments)?;
    let device = arguments.run.open(true)?;
    let file = ModelFile::open(&arguments.model)?;
    let choice: DetectorChoice = file.preprocessing.detector.parse()?;
    let options = MtcnnOptions { min_face: arguments.min_face, ..MtcnnOptions::default() };
    let recognizer = Recognizer::new(&device, file)?.with_detector(choice.open(&device, &options)?);
    let began = Instant::now();
    for number in 1..=arguments.frames.unwrap_or(u64::MAX) {
        let Some(frame) = source.next()? else { break };
        let time = began.elapsed().as_secs_f64();
        let line = match frame.picture.and_then(|picture| recognizer.recognize(&picture)) {
            Ok(people) => {
                let took = 1e3 * (began.elapsed().as_secs_f64() - time);
                let faces: Vec<Value> = people.iter().map(face_json).collect();
                json!({"frame": number, "source": frame.name, "time": time, "took_ms": took, "error": null, "faces": faces})
            }
            Err(problem) if problem.is_of_device() => return Err(problem),
            Err(problem) => {
                json!({"frame": number, "source": frame.name, "time": time, "error": problem.to_string(), "faces": []})
            }
        };
        if writeln!(io::stdout(), "{line}").is_err() {
            // Whoever read has gone.
            break;
        }
    }
    Ok(())
}

fn open(arguments: &Arguments) -> Result<Box<dyn Source>> {
    let Some(path) = &arguments.source else { return camera(arguments.camera) };
    Ok(match path {
        path if path.as_os_str() == "-" => Box::new(Film::new(io::stdin().lock(), path, MAX_PIXELS)),
        path if path.is_dir() => Box::new(Folder::open(path, MAX_PIXELS)?),
        path => Box::new(Film::open(path, MAX_PIXELS)?),
    })
}

#[cfg(feature = "webcam")]
fn camera(number: usize) -> Result<Box<dyn Source>> {
    let camera = camera::Camera::open(number)?;
    note(format_args!("camera: {camera}; Ctrl-C ends it"));
    Ok(Box::new(camera))
}

#[cfg(not(feature = "webcam"))]
fn camera(_: usize) -> Result<Box<dyn Source>> {
    note("`lookalike studio` uses the camera through your browser");
    Err(lookalike::Error::Input(
        "this program was built without cameras: build it with --features webcam (Debian needs libclang-dev), or name a folder or \
         film (--source)"
            .into(),
    ))
}
