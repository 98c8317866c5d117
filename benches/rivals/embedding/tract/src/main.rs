//! The network, as ONNX, on tract.

use std::error::Error;

use tract_onnx::prelude::*;

const SHAPE: [usize; 4] = [1, 224, 224, 3];

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let model = tract_onnx::onnx()
        .model_for_path(&arguments[1])?
        .with_input_fact(0, f32::fact(SHAPE).into())?
        .into_optimized()?
        .into_runnable()?;
    let file = std::fs::read(&arguments[2])?;
    let picture: Vec<f32> = file.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let answers = model.run(tvec![Tensor::from_shape(&SHAPE, &picture)?.into()])?;
    println!("{:?}", answers[0].try_as_plain_ram()?.as_slice::<f32>()?);
    Ok(())
}
