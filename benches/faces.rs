//! Finding faces and their landmarks, beside facenet-pytorch and mtcnn of PyPI: all take turns within one run, on the
//! same pixels.
//!
//! ```text
//! cargo bench --bench faces -- [OPTIONS]
//!   --set NAME               mixed, the default: photos as they are; or 1080p: the middle of each at 1920×1080
//!   --photos PATH            a photo or a folder of photos, as often as wanted; default, of $LOOKALIKE_DATA/photos:
//!                            groups and, for mixed, singles
//!   --rounds N               turns that are measured; default 7
//!   --adapter NAME           a second device for ours, such as a GPU; facenet-pytorch is then tried on CUDA as well
//!   --batch N                facenet-pytorch also takes up to N neighbours of one size at once
//!   --python PROGRAM         a Python that has facenet-pytorch; default python3
//!   --mtcnn-python PROGRAM   a Python that has mtcnn; default that of --python
//!   --before PROGRAM         another build of this bench, for what a change is worth
//!   --serve                  only find, one step for each line of standard input; what --before runs
//! ```
//!
//! A step finds the faces of every photo, one photo after the other. Photos are decoded before; everyone searches with
//! the same parameters, and on the CPU uses all cores that the process may use (`taskset -c 0` leaves one). On a busy
//! machine that slows PyTorch down manyfold; `OMP_NUM_THREADS=1` spares it that. The scripts in benches/rivals say what
//! to install.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use common::{Contender, RIVALS, Result, report};
use lookalike::Device;
use lookalike::check::{Rival, Step, take_turns};
use lookalike::detect::{Detector, Mtcnn};
use lookalike::vision::{MAX_PIXELS, Rect, RgbImage, crop_resize, decode, encode_png};

/// Turns that are not measured.
const WARM_UP: usize = 1;
/// Share of the faces, and number of them where they are few, by which a rival may differ from ours: mtcnn rounds sizes
/// otherwise, so it sees some of the doubtful ones otherwise.
const APART: f64 = 0.05;
const FEW: f64 = 3.0;
const FULL_HD: [usize; 2] = [1920, 1080];

fn main() -> Result<()> {
    if std::env::args().len() == 1 {
        println!("this is a bench: `cargo bench --bench faces` runs it");
        return Ok(());
    }
    let options = Options::parse()?;
    let photos: Rc<[RgbImage]> = options.photos()?.into();
    if options.serve {
        let mtcnn = Mtcnn::new(&options.device()?)?;
        return Rival::serve(|| find(&mtcnn, &photos));
    }

    let folder = tempfile::tempdir()?;
    for (number, photo) in photos.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:06}.png")), encode_png(photo)?)?;
    }
    let mut contenders = options.contenders(&photos, folder.path())?;
    take_turns(&mut contenders, WARM_UP, Contender::turn)?;
    agree(&contenders)?;
    let times = take_turns(&mut contenders, options.rounds, Contender::turn)?;
    let pixels: usize = photos.iter().map(|photo| photo.width() * photo.height()).sum();
    println!(
        "finding the faces of {} photos, {:.1} megapixels on average; {} rounds, wall time",
        photos.len(),
        pixels as f64 / photos.len() as f64 / 1e6,
        options.rounds
    );
    report(photos.len(), &contenders, &times);
    Ok(())
}

struct Options {
    full_hd: bool,
    paths: Vec<PathBuf>,
    rounds: usize,
    adapter: Option<String>,
    batch: usize,
    python: PathBuf,
    mtcnn_python: Option<PathBuf>,
    before: Option<PathBuf>,
    serve: bool,
}

impl Options {
    fn parse() -> Result<Options> {
        let mut options = Options {
            full_hd: false,
            paths: vec![],
            rounds: 7,
            adapter: None,
            batch: 1,
            python: "python3".into(),
            mtcnn_python: None,
            before: None,
            serve: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{option} needs a value"));
            match option.as_str() {
                "--bench" => {} // cargo says so
                "--set" => options.full_hd = full_hd(&value()?)?,
                "--photos" => options.paths.push(value()?.into()),
                "--rounds" => options.rounds = value()?.parse()?,
                "--adapter" => options.adapter = Some(value()?),
                "--batch" => options.batch = value()?.parse()?,
                "--python" => options.python = value()?.into(),
                "--mtcnn-python" => options.mtcnn_python = Some(value()?.into()),
                "--before" => options.before = Some(value()?.into()),
                "--serve" => options.serve = true,
                _ => return Err(format!("no option {option}; benches/faces.rs begins with a list").into()),
            }
        }
        Ok(options)
    }

    /// Where the photos come from: files and folders.
    fn sources(&self) -> Result<Vec<PathBuf>> {
        if !self.paths.is_empty() {
            return Ok(self.paths.clone());
        }
        let data = std::env::var_os("LOOKALIKE_DATA")
            .ok_or("no photos: name some with --photos, or the folder of the test data in LOOKALIKE_DATA")?;
        let sets: &[&str] = if self.full_hd { &["groups"] } else { &["groups", "singles"] };
        Ok(sets.iter().map(|set| Path::new(&data).join("photos").join(set)).collect())
    }

    fn photos(&self) -> Result<Vec<RgbImage>> {
        let mut photos = Vec::new();
        for source in self.sources()? {
            for file in files(&source).map_err(|error| format!("{}: {error}", source.display()))? {
                let photo = decode(&file, MAX_PIXELS)?;
                photos.push(if self.full_hd { middle(&photo) } else { photo });
            }
        }
        Ok(photos)
    }

    /// Ours' second device, or the one that is served.
    fn device(&self) -> Result<Device> {
        Ok(self.adapter.as_deref().map_or_else(|| Ok(Device::cpu()), Device::named)?)
    }

    /// Ours on the CPU, which the others are compared with; then whoever else is there, with the photos in `folder`.
    fn contenders(&self, photos: &Rc<[RgbImage]>, folder: &Path) -> Result<Vec<Contender>> {
        let mut contenders = vec![ours(&Device::cpu(), photos)?];
        if self.adapter.is_some() {
            contenders.push(ours(&self.device()?, photos)?);
        }
        let mut commands = self.rivals(folder);
        if let Some(program) = &self.before {
            let mut before = Command::new(program);
            before.args(["--serve", "--photos"]).arg(folder);
            commands.push(("before".into(), before));
        }
        contenders
            .extend(commands.iter_mut().filter_map(|(name, command)| Contender::rival(name, command, None)));
        Ok(contenders)
    }

    fn rivals(&self, folder: &Path) -> Vec<(String, Command)> {
        let script = |python: &Path, script: &str| {
            let mut command = Command::new(python);
            command.arg(Path::new(RIVALS).join(script)).arg(folder);
            command
        };
        let mut commands = Vec::new();
        let devices: &[&str] = if self.adapter.is_some() { &["cpu", "cuda"] } else { &["cpu"] };
        for device in devices {
            for batch in BTreeSet::from([1, self.batch]) {
                let mut command = script(&self.python, "facenet_step.py");
                command.args([device, batch.to_string().as_str()]);
                commands.push((format!("facenet-pytorch on {device}, {batch} at once"), command));
            }
        }
        let python = self.mtcnn_python.as_ref().unwrap_or(&self.python);
        commands.push(("mtcnn on cpu".into(), script(python, "mtcnn_step.py")));
        commands
    }
}

fn full_hd(set: &str) -> Result<bool> {
    match set {
        "mixed" => Ok(false),
        "1080p" => Ok(true),
        _ => Err(format!("no set {set}; there are mixed and 1080p").into()),
    }
}

/// The files of a folder by name, or the one file.
fn files(source: &Path) -> io::Result<Vec<PathBuf>> {
    if !source.is_dir() {
        return Ok(vec![source.into()]);
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(source)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    Ok(files)
}

/// The largest part of the photo around its middle that has the shape of [`FULL_HD`], at that size.
fn middle(photo: &RgbImage) -> RgbImage {
    let [width, height] = FULL_HD;
    let bounds = photo.bounds();
    let scale = (bounds.width / width as f32).min(bounds.height / height as f32);
    let (part_width, part_height) = (width as f32 * scale, height as f32 * scale);
    let part = Rect {
        x: (bounds.width - part_width) / 2.0,
        y: (bounds.height - part_height) / 2.0,
        width: part_width,
        height: part_height,
    };
    crop_resize(photo, part, width, height)
}

fn ours(device: &Device, photos: &Rc<[RgbImage]>) -> Result<Contender> {
    let mtcnn = Mtcnn::new(device)?;
    let photos = Rc::clone(photos);
    Ok(Contender::new(format!("Lookalike on {device}"), move || find(&mtcnn, &photos)))
}

/// Our step.
fn find(mtcnn: &Mtcnn, photos: &[RgbImage]) -> Result<Step> {
    let start = Instant::now();
    let mut faces = 0;
    for photo in photos {
        faces += mtcnn.detect(photo)?.len();
    }
    Ok(Step { seconds: start.elapsed().as_secs_f64(), value: faces as f64 })
}

/// Prints how many faces each contender found. Who finds far more or fewer does not do the same work.
fn agree(contenders: &[Contender]) -> Result<()> {
    let expected = contenders[0].values[0];
    for Contender { name, values, .. } in contenders {
        let found = values[values.len() - 1];
        println!("{found:>6} faces: {name}");
        if found == 0.0 || (found - expected).abs() > (APART * expected).max(FEW) {
            return Err(format!("{name} finds {found} faces, ours on the CPU {expected}").into());
        }
    }
    Ok(())
}
