//! Augmentation on the CPU beside Keras's layers and torchvision's transforms, in turns.
//!
//! ```text
//! python -m venv venv && venv/bin/pip install tensorflow-cpu torch torchvision
//! cargo bench --bench augment -- venv/bin/python
//! ```
//!
//! Every contender makes normalised floats of the same batch of bytes with the same set of changes: flip, zoom, rotation,
//! shift, brightness, saturation.

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{Contender, RIVALS, Result, report};
use lookalike::Device;
use lookalike::check::{Step, bytes, take_turns};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Augment, Normalize, picture_hash};
use lookalike::tensor::{Data, TensorType};

const BATCH: usize = 32;
const SIZE: usize = 224;
const SHAPE: [usize; 4] = [BATCH, SIZE, SIZE, 3];
const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let python = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let mut contenders = vec![ours(&Device::cpu())?];
    for rival in ["keras", "torchvision", "torchvision-each"] {
        if let Some(python) = &python {
            let script = format!("{RIVALS}/augment_step.py");
            let limit = Some(Duration::from_secs(120));
            contenders.extend(Contender::rival(rival, Command::new(python).args([&script, rival]), limit));
        }
    }
    take_turns(&mut contenders, 2, Contender::turn)?;
    let times = take_turns(&mut contenders, ROUNDS, Contender::turn)?;
    report(BATCH, &contenders, &times);
    Ok(())
}

/// Our kernel's twin; a step is an epoch of the batch.
fn ours(device: &Device) -> Result<Contender> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u8(SHAPE));
    let keys = graph.input("keys", TensorType::u32([BATCH]));
    let epoch = graph.input("epoch", TensorType::u32([1]));
    let y = graph.augment(x, keys, epoch, Augment::default(), Normalize::torch())?;
    let mut plan = Plan::new(&graph, &Params::new(device), &[y])?;
    let Data::U8(pixels) = bytes(SHAPE, 1).into_data() else { unreachable!("bytes are bytes") };
    let hashes = pixels.chunks(SIZE * SIZE * 3).map(picture_hash).collect();
    plan.write("x", &Data::U8(pixels))?;
    plan.write("keys", &Data::U32(hashes))?;
    let mut number = 0;
    Ok(Contender::new(format!("lookalike, {device}"), move || {
        number += 1;
        plan.write("epoch", &Data::U32(vec![number]))?;
        let start = Instant::now();
        plan.run()?;
        let seconds = start.elapsed().as_secs_f64();
        let values = plan.read(y)?.to_f32();
        let value = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
        Ok(Step { seconds, value })
    }))
}
