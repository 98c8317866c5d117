//! The network on Lookalike. `LOOKALIKE_ADAPTER` names the device, `PIPELINE_CACHE` a folder to keep compiled pipelines in.

use std::error::Error;
use std::path::Path;

use lookalike::Device;
use lookalike::gpu::GpuOptions;
use lookalike::models::{ModelFile, Predictor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let cache = std::env::var_os("PIPELINE_CACHE").map(Into::into);
    let device = Device::open_with(&GpuOptions { cache, ..GpuOptions::default() })?;
    let mut predictor = Predictor::new(&device, ModelFile::open(Path::new(&arguments[1]))?)?;
    let file = std::fs::read(&arguments[2])?;
    let pixels: Vec<u8> = file.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes) as u8).collect();
    println!("{:?}", predictor.predict(&pixels)?[0]);
    Ok(())
}
