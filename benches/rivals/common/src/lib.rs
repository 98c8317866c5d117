//! What the rivals share: the task that the bench gives them, and running a step whenever it says so.
//!
//! A rival is called as `PROGRAM BACKEND train|forward FILE OUT`. FILE (safetensors) holds the weights that everybody starts
//! from, `conv0.weight` `[out, in, 3, 3]`, `conv0.bias`, …, `dense0.weight` `[out, in]`, …, the pictures `x`
//! `[batch, 3, height, width]` and, to train, their `labels`. For each line of standard input it runs a step and answers
//! with the seconds it took and a number: the loss before the step, or the features' mean. A forward pass also leaves its
//! features, `[batch, channels, height, width]` as bare little-endian floats, in OUT.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use safetensors::SafeTensors;

/// Networks are blocks of 3×3 convolutions with ReLU that keep the size; behind each lies a 2×2 max-pooling. Each block:
/// its channels, and how many convolutions.
pub type Blocks = &'static [(usize, usize)];

/// The scratch CNN's. Behind them lie two dense layers, the first with ReLU.
const SCRATCH: Blocks = &[(16, 1), (32, 1), (64, 1)];
/// VGG16's, without a head.
const VGG16: Blocks = &[(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)];

/// Adam's rate and epsilon; its moments decay by 0.9 and 0.999.
pub const RATE: f64 = 1e-3;
pub const EPSILON: f64 = 1e-7;

/// What a rival is asked to do.
pub struct Task {
    pub backend: String,
    /// Train the scratch CNN, or run VGG16 forward.
    pub trains: bool,
    pub blocks: Blocks,
    file: Vec<u8>,
    out: PathBuf,
}

/// An array of the file.
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Task {
    /// That of the command line; ends the program if it is wrong.
    pub fn from_arguments() -> Task {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [backend, work, file, out] = &arguments[..] else { usage() };
        let trains = match work.as_str() {
            "train" => true,
            "forward" => false,
            _ => usage(),
        };
        Task {
            backend: backend.clone(),
            trains,
            blocks: if trains { SCRATCH } else { VGG16 },
            file: std::fs::read(file).expect("the file is there"),
            out: out.into(),
        }
    }

    /// The array of this name.
    pub fn array(&self, name: &str) -> Array {
        let file = SafeTensors::deserialize(&self.file).expect("a safetensors file");
        let tensor = file.tensor(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (words, _) = tensor.data().as_chunks();
        Array {
            shape: tensor.shape().to_vec(),
            values: words.iter().map(|&word| f32::from_le_bytes(word)).collect(),
        }
    }

    /// The class of each picture.
    pub fn labels(&self) -> Vec<u32> {
        self.array("labels").values.iter().map(|&label| label as u32).collect()
    }

    /// Runs steps as they are asked for; those of a forward pass return features.
    pub fn serve(&self, mut step: impl FnMut() -> Vec<f32>) {
        let mut is_written = false;
        for line in std::io::stdin().lock().lines() {
            line.expect("standard input is text");
            let start = Instant::now();
            let answer = step();
            let seconds = start.elapsed().as_secs_f64();
            if !self.trains && !is_written {
                let bytes: Vec<u8> = answer.iter().flat_map(|value| value.to_le_bytes()).collect();
                std::fs::write(&self.out, bytes).expect("the answer can be written");
                is_written = true;
            }
            let mean = answer.iter().map(|&value| f64::from(value)).sum::<f64>() / answer.len() as f64;
            println!("{seconds:.6} {mean:.9}");
            std::io::stdout().flush().expect("standard output is open");
        }
    }
}

/// Ends the program where a backend is none of `known`.
pub fn unknown_backend(known: &str) -> ! {
    eprintln!("the backends are {known}");
    std::process::exit(2)
}

fn usage() -> ! {
    eprintln!(
        "usage: PROGRAM BACKEND train|forward FILE OUT; benches/training.rs and benches/forward.rs run it"
    );
    std::process::exit(2)
}
