//! `lookalike demo`: the whole way, from photos to names, on pictures that the program brings along.

mod photos;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use lookalike::models::ModelFile;
use lookalike::recognize::{Recognition, Recognizer};
use lookalike::tensor::Precision;
use lookalike::vision::sheet::grid;
use lookalike::vision::{MAX_PIXELS, crop_resize, decode};
use lookalike::{Device, Result};

use self::photos::{CREDIT, PEOPLE};
use super::cut::{self, CropArguments, list_skipped};
use super::device::RunArguments;
use super::display::say;
use super::evaluate::Evaluation;
use super::learning::{Learned, Settings, Watch, learn};
use super::network::{Kind, NetworkArguments};
use super::output::{make_folder, write, write_png};
use super::predict::annotate;
use super::report::{report_on, samples, write_report};

/// Photos of each person to learn from; the others are only for the test.
const TO_LEARN: usize = 7;
/// How much the small test photos are enlarged for their labels.
const ENLARGED: usize = 2;

/// Learn ten people from photos that come with the program, and show the result
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  lookalike demo --out lookalike-demo")]
pub struct Arguments {
    /// Folder to write photos, model and pictures to
    #[arg(long, value_name = "FOLDER", default_value = "lookalike-demo")]
    out: PathBuf,
    /// Network to train
    #[arg(long, value_enum, default_value_t)]
    model: Kind,
    /// Most epochs of a network that has some
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    #[command(flatten)]
    run: RunArguments,
    /// Print lines instead of the live display
    #[arg(long)]
    plain: bool,
}

/// Writes the photos, learns from seven of each person, names the other three.
pub fn run(arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let out = &arguments.out;
    let device = arguments.run.open(false)?;
    say(format_args!("Ten people, ten photos each: {CREDIT}."));
    let [learning, test] = ["train", "test"].map(|part| out.join("photos").join(part));
    write_photos(&learning, &test)?;
    say(format_args!(
        "Photos are in {}: {TO_LEARN} of each person to learn from, {} that the model never sees before the test.\n",
        out.join("photos").display(),
        10 - TO_LEARN
    ));

    let crop = CropArguments::default();
    let dataset = cut::to_learn_from(&learning, &crop, &device, arguments.plain)?.dataset;
    // Few pictures make few steps an epoch: small batches make more of them.
    let network = NetworkArguments { model: arguments.model, ..NetworkArguments::default() };
    let settings = Settings { epochs: arguments.epochs as usize, batch: 8, network, ..Settings::default() };
    let Learned { file, trained, split, .. } =
        learn(&dataset, &settings, &settings.start()?, &device, None, &Watch::terminal(arguments.plain)?)?;
    let model = out.join("model.safetensors");
    file.save(&model)?;
    let has_curves = trained.history.0.len() > 1;
    if has_curves {
        trained.history.write_csv(&out.join("model.csv"), &split)?;
    }
    let mut report = report_on(&file, &model, &device, start)?;
    report.samples = samples(&dataset, &split, &settings, &device)?;

    say("\nThe test, on the photos it has never seen:");
    let evaluation =
        Evaluation::new(&device, file.clone(), Precision::F32, &test, MAX_PIXELS, arguments.plain)?;
    list_skipped(&evaluation.faces.skipped);
    evaluation.scores.print("accuracy");
    evaluation.add_to(&mut report, &file, &device)?;
    report.subtitle = format!(
        "Ten people, ten photos each: {CREDIT}. {TO_LEARN} of each were learned from, the others are the test."
    );
    write_report(&report, out)?;
    draw_test(&device, file, &test, &out.join("named"))?;
    tell(out, has_curves, start.elapsed().as_secs());
    Ok(())
}

fn write_photos(learning: &Path, test: &Path) -> Result<()> {
    for (name, photos) in PEOPLE {
        for (index, bytes) in photos.into_iter().enumerate() {
            let folder = if index < TO_LEARN { learning } else { test }.join(name);
            make_folder(&folder)?;
            write(&folder.join(format!("{:02}.png", index + 1)), bytes)?;
        }
    }
    Ok(())
}

/// Writes each test photo with box and name into the folder, and all of them on one sheet, a column per person.
fn draw_test(device: &Device, file: ModelFile, test: &Path, folder: &Path) -> Result<()> {
    let recognizer = Recognizer::new(device, file)?;
    make_folder(folder)?;
    let mut drawn = Vec::new();
    for index in TO_LEARN..10 {
        for (name, _) in PEOPLE {
            let photo = test.join(name).join(format!("{:02}.png", index + 1));
            let small = decode(&photo, MAX_PIXELS)?;
            let mut people = recognizer.recognize(&small)?;
            for Recognition { rect, .. } in &mut people {
                *rect = rect.scaled(ENLARGED as f32);
            }
            let (width, height) = (small.width() * ENLARGED, small.height() * ENLARGED);
            let mut image = crop_resize(&small, small.bounds(), width, height);
            annotate(&mut image, &people);
            write_png(&folder.join(format!("{name}-{:02}.png", index + 1)), &image)?;
            drawn.push(image);
        }
    }
    write_png(&folder.with_extension("png"), &grid(&drawn, PEOPLE.len()))
}

fn tell(out: &Path, has_curves: bool, seconds: u64) {
    let model = out.join("model.safetensors");
    let photo = out.join("photos").join("test").join("s01").join("08.png");
    say(format_args!("\nDone in {seconds} s. In {}:", out.display()));
    for (file, what) in [
        ("report.html", "how well it works and how it came about, in one page for your browser"),
        ("named.png", "the test photos with boxes and names, a column per person; named/ has each"),
        ("confusion.png", "who was taken for whom; roc.png, reliability.png: what confidences are worth"),
        ("curves.png", "how the network learned"),
        ("model.safetensors", "the model, ready for your photos of these people"),
    ]
    .into_iter()
    .filter(|&(file, _)| has_curves || file != "curves.png")
    {
        say(format_args!("  {file:<18} {what}"));
    }
    say("Try it, then with photos of your own:");
    say(format_args!("  lookalike predict {} {}", model.display(), photo.display()));
    say("  lookalike train PHOTOS -o mine.safetensors");
}
