//! A folder to run the program in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Settings that make training quick.
pub const QUICK: [&str; 12] = [
    "--model",
    "scratch",
    "--widths",
    "4,8",
    "--dense",
    "16",
    "--epochs",
    "2",
    "--batch",
    "8",
    "--adapter",
    "cpu",
];

/// A folder to run in, with photos.
pub struct Scene(pub TempDir);

/// What a run printed, and its exit code.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    /// Folder `photos` with the first photos of these people of the demo.
    pub fn new(people: &[(&str, usize)]) -> Scene {
        let scene = Scene(tempfile::tempdir().expect("a temporary folder"));
        for &(name, count) in people {
            for number in 1..=count {
                let file = format!("{name}/{number:02}.png");
                let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").join(&file);
                scene.write(&format!("photos/{file}"), &fs::read(photo).expect("a photo of the demo"));
            }
        }
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, bytes).expect("a file can be written");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lookalike"));
        command.args(arguments).current_dir(self.0.path()).env_remove("LOOKALIKE_ADAPTER");
        // Not the user's weights and features.
        command.env("LOOKALIKE_CACHE", self.0.path().join("cache"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Run { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// A run that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}\n{}\n{}", run.stdout, run.stderr);
        run
    }

    /// The one JSON document of a run that must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let run = self.ok(&[arguments, &["--json"]].concat());
        assert!(run.stderr.contains("device: "), "the device is named on standard error: {}", run.stderr);
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stdout))
    }

    /// A run that must fail with one line that holds these words, and leave the folder as it was.
    pub fn fails(&self, arguments: &[&str], words: &[&str]) {
        let before = self.files();
        let run = self.run(arguments);
        let errors: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        let last = run.stderr.lines().last().unwrap_or_default();
        assert_eq!((run.code, last.starts_with("error: ")), (1, true), "{arguments:?}: {}", run.stderr);
        assert!(words.iter().all(|word| last.contains(word)), "{words:?} in: {last}");
        assert!(!last.ends_with('.') && !run.stderr.contains("panicked"), "{errors:?}");
        assert_eq!(self.files(), before, "{arguments:?} leaves nothing behind");
    }

    pub fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                files.insert(path);
            }
        }
        files
    }

    pub fn train(&self, output: &str) -> Run {
        self.ok(&[&["train", "photos", "-o", output][..], &QUICK].concat())
    }
}
