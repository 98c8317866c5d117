//! Lookalike learns to tell people apart from their photos, on any GPU.
//!
//! Under it lies a small GPU compute library: hand-written WGSL kernels with CPU twins, behind a graph with
//! autograd. The rooms of the house, each calling only those below it:
//!
//! - `cli`, `report`: the program, its pictures.
//! - [`train`], [`data`]: the training loop; folders of people, datasets, honest splits, features of frozen layers.
//! - `capi`: the same for programs in C.
//! - [`recognize`], [`detect`]: a photo in, names out; finding faces.
//! - [`explain`]: where on a face a network looks.
//! - [`models`], [`nn`]: networks and their files; layers, losses, optimizers by their Keras names.
//! - [`ops`], [`graph`]: operators, one file each; the graph, its gradients, and plans that run it.
//! - [`Device`], [`gpu`], `cpu`: where a plan runs.
//! - [`folders`], [`formats`], [`vision`], [`workers`], [`tensor`], [`Error`]: files, pictures, many at once, shapes, what can
//!   go wrong.
//! - [`profile`]: what all this takes, by operator.
//!
//! # A graph, its gradient, a run
//!
//! ```
//! use lookalike::graph::{Graph, Params, Plan};
//! use lookalike::ops::Activation;
//! use lookalike::tensor::{Data, HostTensor, TensorType};
//! use lookalike::Device;
//!
//! let params = Params::new(&Device::cpu());
//! params.set("weight", &HostTensor::new([3, 1], vec![1.0f32, -2.0, 0.5]))?;
//!
//! let mut graph = Graph::new();
//! let x = graph.input("x", TensorType::f32([1, 3]));
//! let weight = graph.state("weight", TensorType::f32([3, 1]))?;
//! let y = graph.dense(x, weight, None, Activation::Sigmoid)?;
//! let gradient = graph.gradients(y, &[weight])?[0];
//!
//! let mut plan = Plan::new(&graph, &params, &[y, gradient])?;
//! plan.write("x", &Data::F32(vec![2.0, 1.0, 0.0]))?;
//! plan.run()?;
//! assert_eq!(plan.read(y)?.to_f32(), [0.5]);
//! assert_eq!(plan.read(gradient)?.to_f32(), [0.5, 0.25, 0.0]);
//! # Ok::<(), lookalike::Error>(())
//! ```

#![warn(missing_docs)]

#[cfg(feature = "capi")]
pub mod capi;
#[cfg(feature = "vision")]
mod caught;
#[cfg(feature = "check")]
#[doc(hidden)]
#[allow(missing_docs, reason = "for tests and benches only")]
pub mod check;
mod cpu;
#[cfg(feature = "train")]
pub mod data;
#[cfg(feature = "vision")]
pub mod detect;
mod device;
mod error;
#[cfg(feature = "vision")]
pub mod explain;
#[cfg(feature = "train")]
pub mod folders;
pub mod formats;
pub mod gpu;
pub mod graph;
#[cfg(feature = "vision")]
mod lending;
mod losses;
pub mod models;
pub mod nn;
pub mod ops;
pub mod profile;
#[cfg(feature = "vision")]
pub mod recognize;
#[cfg(feature = "report")]
pub mod report;
mod share;
pub mod tensor;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "vision")]
pub mod vision;
#[cfg(feature = "vision")]
pub mod workers;

#[cfg(feature = "vision")]
pub use caught::decoding;
pub use device::Device;
pub use error::{Error, Result};

/// The README's code, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(test)]
mod walls {
    //! The house's walls: a room calls itself and the rooms below it.

    use std::fs;
    use std::path::{Path, PathBuf};

    /// From the ground up.
    const ROOMS: [&str; 28] = [
        "tensor",
        "error",
        "profile",
        "share",
        "caught",
        "workers",
        "folders",
        "vision",
        "formats",
        "cpu",
        "gpu",
        "device",
        "losses",
        "lending",
        "graph",
        "ops",
        "nn",
        "models",
        "check",
        "explain",
        "detect",
        "recognize",
        "capi",
        "data",
        "train",
        "report",
        "cli",
        "main",
    ];

    fn floor(room: &str) -> usize {
        ROOMS
            .iter()
            .position(|known| *known == room)
            .unwrap_or_else(|| panic!("room '{room}' is not in ROOMS"))
    }

    /// Rooms that the text of a file names, each with its line, from `depth` modules below the root: after `crate::`, or after
    /// as many `super::`.
    fn named(text: &str, depth: usize) -> Vec<(usize, String)> {
        let line = |line: &str| line.split("//").next().unwrap_or_default().to_string() + "\n";
        let code: String = text.lines().map(line).collect();
        let mut rooms = Vec::new();
        let climb = "super::".repeat(depth);
        for way in ["crate::", &climb] {
            for (at, _) in code.match_indices(way) {
                let number = code[..at].matches('\n').count() + 1;
                // A module within the file is one farther from the root.
                let path = code[at + way.len()..].trim_start_matches("super::");
                rooms.extend(heads(path).into_iter().map(|head| (number, room_of(head))));
            }
        }
        rooms.retain(|(_, room)| ROOMS.contains(&room.as_str()));
        rooms
    }

    /// The first name of a path, or of each path in a list.
    fn heads(path: &str) -> Vec<&str> {
        let Some(list) = path.strip_prefix('{') else { return vec![head(path)] };
        let mut heads = vec![head(list)];
        let mut inner = 0;
        for (at, character) in list.char_indices() {
            match character {
                '{' => inner += 1,
                '}' if inner == 0 => break,
                '}' => inner -= 1,
                ',' if inner == 0 => heads.push(head(&list[at + 1..])),
                _ => {}
            }
        }
        heads
    }

    fn head(path: &str) -> &str {
        let path = path.trim_start();
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
        &path[..end.unwrap_or(path.len())]
    }

    /// The room that a name of the root belongs to.
    fn room_of(name: &str) -> String {
        match name {
            "Device" => "device",
            "Error" | "Result" => "error",
            _ => name,
        }
        .to_string()
    }

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("a readable entry").path();
            match path.is_dir() {
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }

    #[test]
    fn no_room_calls_one_above_it() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let mut steps_up = Vec::new();
        for file in files {
            let path = file.strip_prefix(&root).expect("a file under src").to_path_buf();
            let room = path.iter().next().expect("a name").to_string_lossy().replace(".rs", "");
            if room == "lib" {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a readable source");
            let depth = path.iter().count() - usize::from(path.ends_with("mod.rs"));
            for (line, called) in named(&text, depth) {
                if floor(&called) > floor(&room) {
                    steps_up.push(format!("src/{}:{line}: {room} calls {called}", path.display()));
                }
            }
        }
        assert!(steps_up.is_empty(), "{}", steps_up.join("\n"));
    }

    #[test]
    fn the_test_sees_steps_up() {
        let rooms =
            |text: &str, depth| named(text, depth).into_iter().map(|(_, room)| room).collect::<Vec<_>>();
        assert_eq!(rooms("use crate::{Error, graph::{Graph, ops}, nn};", 1), ["error", "graph", "nn"]);
        assert_eq!(rooms("let x = crate::ops::Pool2d {};", 1), ["ops"]);
        assert!(rooms("// crate::train", 1).is_empty());

        let list =
            "use crate::{\n    graph::Graph, // the graph, train\n    train::fit,\n};\n\ncrate::ops::f();\n";
        assert_eq!(rooms(list, 2), ["graph", "train", "ops"]);
        assert_eq!(named(list, 2)[2], (6, "ops".into()));

        assert_eq!(rooms("use super::super::train::fit;", 2), ["train"]);
        assert_eq!(rooms("mod tests { use super::super::super::{train::fit}; }", 2), ["train"]);
        assert!(rooms("use super::super::train::fit;", 3).is_empty(), "a module of the same room");
    }
}
