//! Pixels to floats: channels, packing, the usual conventions.

use lookalike::check::{Check, bytes, gpu};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::Normalize;
use lookalike::tensor::{Data, TensorType};

#[test]
fn around_a_word_and_a_workgroup() {
    for shape in
        [[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 1, 3], [1, 1, 1, 4], [2, 5, 7, 3], [3, 5, 17, 1], [1, 16, 16, 1]]
    {
        for normalize in [Normalize::unit(), Normalize::torch(), Normalize::caffe()] {
            Check::new(&format!("{shape:?}, {normalize:?}"))
                .input(bytes(shape, 1))
                .without_gradients()
                .run(|graph, v| Ok(vec![graph.normalize(v[0], normalize)?]));
        }
    }
}

#[test]
fn folded_grid() {
    Check::new("folded")
        .input(bytes([2, 17, 19, 3], 1))
        .without_gradients()
        .folded()
        .run(|graph, v| Ok(vec![graph.normalize(v[0], Normalize::caffe())?]));
}

/// One pixel, RGB (255, 0, 128), on the GPU.
fn pixel(normalize: Normalize) -> Vec<f32> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::u8([1, 1, 1, 3]));
    let y = graph.normalize(x, normalize).unwrap();
    let mut plan = Plan::new(&graph, &Params::new(gpu()), &[y]).unwrap();
    plan.write("x", &Data::U8(vec![255, 0, 128])).unwrap();
    plan.run().unwrap();
    plan.read(y).unwrap().to_f32()
}

#[test]
fn the_usual_conventions() {
    let close = |found: Vec<f32>, expected: [f32; 3]| {
        approx::assert_relative_eq!(found.as_slice(), expected.as_slice(), max_relative = 1e-6);
    };
    close(pixel(Normalize::unit()), [1.0, 0.0, 0.501_960_8]);
    // (1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225
    close(pixel(Normalize::torch()), [2.248_908_3, -2.035_714_3, 0.426_492_37]);
    close(pixel(Normalize::caffe()), [128.0 - 103.939, -116.779, 255.0 - 123.68]);
}

#[test]
fn other_inputs_are_refused() {
    let mut graph = Graph::new();
    let mut problem = |ty: TensorType| {
        let x = graph.input("x", ty);
        graph.normalize(x, Normalize::unit()).unwrap_err().to_string()
    };
    assert_eq!(
        problem(TensorType::u8([2, 4, 4, 5])),
        "normalize: x has 5 channels, expected 1 to 4 (x: u8 [2, 4, 4, 5])"
    );
    assert!(problem(TensorType::u8([4, 4, 3])).contains("rank 3"));
    assert_eq!(problem(TensorType::f32([2, 4, 4, 3])), "normalize: input 0 is f32, expected u8");
}
