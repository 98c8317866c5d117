//! SFace with the weights that ship, against numbers that `scripts/convert-sface.py` prints.

use lookalike::Device;
use lookalike::check;
use lookalike::graph::{Graph, Params, Plan};
use lookalike::models::{FacePlacement, SFACE_FEATURES, sface_base, sface_normalize, sface_weights};
use lookalike::nn::Mode;
use lookalike::tensor::{Data, TensorType};

const SIZE: usize = FacePlacement::ArcFace.size();

/// The first of the 128 numbers of two pictures, by the script's own arithmetic in 64 bits.
const EXPECTED: [[f64; 8]; 2] = [
    [0.0395616, 0.1527886, 0.0121602, -0.0126389, 0.0402979, 0.0436465, -0.0712591, -0.1035480],
    [0.0759994, 0.2367772, -0.0306113, -0.0456776, -0.1271762, -0.0010830, -0.1097803, -0.0915201],
];

/// The script's pictures.
fn pictures() -> Vec<u8> {
    let pixel = |i: usize| ((i / 3 % SIZE).pow(2) / 97 + i / 3 / SIZE * (1 + i % 3)) as u8;
    (0..2 * SIZE * SIZE * 3).map(pixel).collect()
}

fn embed(device: &Device) -> Vec<f64> {
    let params = Params::new(device);
    sface_base().load(&params, &sface_weights().unwrap()).unwrap();
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u8([2, SIZE, SIZE, 3]));
    let x = graph.normalize(x, sface_normalize()).unwrap();
    let y = sface_base().build(&mut graph, x, Mode::Predict, 0, None).unwrap();
    let mut plan = Plan::new(&graph, &params, &[y]).unwrap();
    plan.write("x", &Data::U8(pictures())).unwrap();
    plan.run().unwrap();
    plan.read(y).unwrap().to_f64()
}

#[test]
fn every_device_makes_the_same_numbers_of_a_picture() {
    let reference = embed(&Device::reference());
    for (row, expected) in reference.chunks_exact(SFACE_FEATURES).zip(EXPECTED) {
        let length: f64 = row.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-9, "{length}");
        for (found, expected) in row.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }
    for device in [&Device::cpu(), check::gpu()] {
        let found = embed(device);
        let error = found.iter().zip(&reference).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
        println!("{device}: {error:.1e}");
        assert!(error < 1e-5, "{error:.1e} on {device}");
    }
}
