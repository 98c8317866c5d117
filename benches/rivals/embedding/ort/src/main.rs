//! The network, as ONNX, on ONNX Runtime. `ONNX_RUNTIME` names its library.

use std::error::Error;

use ort::session::Session;
use ort::value::Tensor;

const SHAPE: [usize; 4] = [1, 224, 224, 3];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let environment = ort::init_from(std::env::var("ONNX_RUNTIME")?)?.build()?;
    let mut session = Session::builder(&environment)?.commit_from_file(&arguments[1])?;
    let file = std::fs::read(&arguments[2])?;
    let picture: Vec<f32> = file.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let answers = session.run(ort::inputs![Tensor::from_array((SHAPE, picture))?])?;
    println!("{:?}", answers[0].try_extract_tensor::<f32>()?.1);
    Ok(())
}
