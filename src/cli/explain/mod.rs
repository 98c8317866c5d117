//! `lookalike explain`: where on a face the network looks.

mod areas;
mod figure;
mod maps;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookalike::detect::NO_FACE;
use lookalike::models::ModelFile;
use lookalike::recognize::{FoundFace, Recognition, Recognizer};
use lookalike::vision::decode;
use lookalike::{Error, Result};
use serde_json::{Value, json};

use areas::Areas;
use figure::figure;
use maps::{Explainer, Map};

use super::cut::PixelLimit;
use super::device::RunArguments;
use super::display::{self, percent, say, shortened};
use super::faces::count;
use super::number::at_least_one;
use super::output;

/// Show where on a face the network looks
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lookalike explain model.safetensors photo.jpg -o heat.png\n  lookalike explain model.safetensors photo.jpg -o heat.png --person anna --method both"
)]
pub struct Arguments {
    /// Model file that `lookalike train` wrote
    model: PathBuf,
    /// Photo: JPEG, PNG or WebP
    photo: PathBuf,
    /// PNG to draw: each face, and its heat maps
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also explain what speaks for this person [default: only who was recognised]
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// grad-cam asks the network's gradients; occlusion covers one part of the picture after the other, which takes some hundred
    /// times as long
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// Layer that grad-cam looks at [default: the last convolution with 7 × 7 positions or more]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Side of the patch that covers a part, in pixels of what the network is shown [default: a seventh]
    #[arg(long, value_name = "PIXELS", value_parser = at_least_one)]
    patch: Option<usize>,
    /// How far the patch goes on each time [default: half of the patch]
    #[arg(long, value_name = "PIXELS", value_parser = at_least_one)]
    stride: Option<usize>,
    #[command(flatten)]
    limit: PixelLimit,
    #[command(flatten)]
    run: RunArguments,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Print lines instead of a progress bar
    #[arg(long)]
    plain: bool,
}

/// How it is found out where the network looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Gradients of the last convolution
    #[default]
    GradCam,
    /// Covering parts
    Occlusion,
    /// Both, side by side
    Both,
}

/// A face, whose it is, and what speaks for that.
struct Answer {
    face: FoundFace,
    who: Recognition,
    areas: Option<Areas>,
    maps: Vec<Map>,
}

/// Finds the faces, names and explains them, draws, reports.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.run.open(arguments.json)?;
    let recognizer = Recognizer::new(&device, ModelFile::open(&arguments.model)?)?;
    let file = recognizer.file().clone();
    let asked = arguments.person.as_deref().map(|name| known(&file, name)).transpose()?;
    let mut explainer = Explainer::new(&device, &file, arguments)?;

    let image = decode(&arguments.photo, arguments.limit.max_pixels)?;
    let faces = recognizer.find(&image)?;
    if faces.is_empty() {
        return Err(Error::format(&arguments.photo, NO_FACE));
    }
    let recognized = recognizer.name(&faces)?;
    let mut answers = Vec::new();
    for (face, who) in faces.into_iter().zip(recognized) {
        let areas = Areas::of(&face);
        let mut people = vec![known(&file, &who.nearest)?];
        people.extend(asked.filter(|person| *person != people[0]));
        let maps = explainer.explain(&face.crop, &people)?;
        answers.push(Answer { face, who, areas, maps });
    }

    if let Some(path) = &arguments.output {
        output::write_png(path, &figure(&answers))?;
    }
    if arguments.json {
        return display::json(&document(arguments, &answers));
    }
    say(format_args!("{}: {}", arguments.photo.display(), count(answers.len())));
    answers.iter().for_each(print);
    if let Some(path) = &arguments.output {
        say(format_args!("picture: {}", path.display()));
    }
    Ok(())
}

/// The person's number among the model's labels.
fn known(file: &ModelFile, name: &str) -> Result<usize> {
    file.labels.iter().position(|label| label == name).ok_or_else(|| {
        let mut names: Vec<String> = file.labels.iter().take(10).map(|name| shortened(name)).collect();
        if file.labels.len() > names.len() {
            names.push("…".into());
        }
        Error::Input(format!("the model does not know '{name}'; it knows {}", names.join(", ")))
    })
}

/// Whose face it is, or that it is nobody's, with the nearest person in brackets.
fn title(who: &Recognition) -> String {
    let name = who.name.clone().unwrap_or_else(|| format!("unknown ({})", who.nearest));
    format!("{name}  {:.0} %", 100.0 * who.confidence)
}

fn print(answer: &Answer) {
    let Answer { face, who, areas, maps } = answer;
    let lookalike::vision::Rect { x, y, width, height } = face.rect;
    say(format_args!("  {}  at ({x:.0}, {y:.0}), {width:.0} × {height:.0} pixels", title(who)));
    if areas.is_none() {
        say("    no face was found, so the whole picture was taken, and what of it is face is not known");
    }
    for map in maps {
        say(format_args!("    {}", map.line(areas.as_ref())));
        if let Some((before, after)) = map.fall {
            let (person, before, after) = (&map.person, percent(before.into()), percent(after.into()));
            say(match before == after {
                true => format!("      no patch takes {person} below {before}"),
                false => format!("      the patch that matters most takes {person} from {before} to {after}"),
            });
        }
    }
}

fn document(arguments: &Arguments, answers: &[Answer]) -> Value {
    let face = |answer: &Answer| {
        let lookalike::vision::Rect { x, y, width, height } = answer.face.rect;
        let maps: Vec<Value> = answer.maps.iter().map(|map| map.json(answer.areas.as_ref())).collect();
        json!({
            "box": [x, y, width, height],
            "score": answer.face.score,
            "name": answer.who.name,
            "nearest": answer.who.nearest,
            "confidence": answer.who.confidence,
            "maps": maps,
        })
    };
    let faces: Vec<Value> = answers.iter().map(face).collect();
    json!({"photo": arguments.photo.display().to_string(), "faces": faces})
}
