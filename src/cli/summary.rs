//! `lookalike summary`: a network as a table.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookalike::Result;
use lookalike::graph::{Memory, Traffic};
use lookalike::models::{
    Model, ModelFile, ScratchCnn, Summary, Vgg16, face, scratch_cnn, sface, vgg16, vgg16_gap,
};
use serde_json::{Value, json};

use super::device::AdapterArguments;
use super::display::{self, say};
use super::network::Kind;

/// Describe a network: layers, parameters, work and memory
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  lookalike summary scratch --classes 10\n  lookalike summary model.safetensors"
)]
pub struct Arguments {
    /// Model file that `lookalike train` wrote, or `sface`, `face`, `scratch`, `vgg16` or `vgg16-gap` for the networks it trains
    model: PathBuf,
    /// People that such a network is to tell apart
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    classes: u32,
    /// Pictures per training step, which the memory depends on
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    #[command(flatten)]
    adapter: AdapterArguments,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Describes it.
pub fn run(arguments: &Arguments) -> Result<()> {
    let device = arguments.adapter.open(arguments.json)?;
    let classes = arguments.classes as usize;
    let network = arguments.model.to_str().and_then(|name| Kind::from_str(name, false).ok());
    let model = match network {
        Some(Kind::Sface) => sface(classes),
        Some(Kind::Face) => face(classes),
        Some(Kind::Scratch) => scratch_cnn(&ScratchCnn::new(classes)),
        Some(Kind::Vgg16) => vgg16(&Vgg16::new(classes))?,
        Some(Kind::Vgg16Gap) => vgg16_gap(Vgg16::new(classes).size, classes)?,
        None => ModelFile::open(&arguments.model)?.model,
    };
    let largest = model.largest_batch(device.max_tensor())?;
    let summary = Summary::new(&model, largest.min(arguments.batch as usize), &device)?;
    if arguments.json {
        return display::json(&document(&model, &summary));
    }
    say(summary);
    Ok(())
}

fn document(model: &Model, summary: &Summary) -> Value {
    let layers = summary.rows.iter().zip(&model.layers).map(|(row, layer)| {
        json!({
            "name": layer.name(),
            "class": layer.class_name(),
            "output": row.output[1..],
            "parameters": row.trainable + row.fixed,
            "trainable": row.trainable,
            "bytes": 4 * (row.trainable + row.fixed),
            "flops": row.flops,
        })
    });
    let memory = |memory: Memory| {
        json!({
            "total": memory.total(),
            "states": memory.states,
            "intermediates": memory.intermediates,
            "inputs": memory.inputs,
        })
    };
    let traffic = |traffic: Traffic| json!({"moved": traffic.moved, "least": traffic.least});
    json!({
        "name": summary.name,
        "input": model.input[..],
        "layers": layers.collect::<Vec<_>>(),
        "parameters": summary.parameters(),
        "flops": summary.flops(),
        "batch": summary.batch,
        "training_memory": memory(summary.training),
        "prediction_memory": memory(summary.prediction),
        "training_bytes": traffic(summary.training_traffic),
        "prediction_bytes": traffic(summary.prediction_traffic),
    })
}
