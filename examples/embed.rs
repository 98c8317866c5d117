//! Who is on a photo: `cargo run --example embed --no-default-features --features vision MODEL PHOTO`
use lookalike::Device;
use lookalike::recognize::Recognizer;
use lookalike::vision::{MAX_PIXELS, decode};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [model, photo] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("MODEL PHOTO");
    let recognizer = Recognizer::open(&Device::open()?, model.as_ref())?;
    for face in recognizer.recognize(&decode(photo.as_ref(), MAX_PIXELS)?)? {
        let name = face.name.as_deref().unwrap_or("unknown");
        println!("{name} (nearest {}, {:.1} %)", face.nearest, 100.0 * face.confidence);
    }
    Ok(())
}
