//! Networks that keep their tensors in 16-bit floats.

use std::sync::Arc;

use lookalike::check;
use lookalike::graph::{Graph, Params, Plan};
use lookalike::models::{Model, ScratchCnn, scratch_cnn};
use lookalike::nn::layers::{
    Activation, AveragePooling2d, BatchNormalization, Conv2d, Dense, DepthwiseConv2d, Dropout, Flatten,
    GlobalAveragePooling2d, LeakyRelu, MaxPooling2d, Prelu, ResidualBlock, SeparableBlock,
};
use lookalike::nn::{Layer, LayerActivation};
use lookalike::ops::Padding;
use lookalike::tensor::{Data, Precision, Shape, TensorType};
use lookalike::{Device, Result};

/// What the model makes of a batch, and the types that its operators read.
fn predict(device: &Device, model: &Model, precision: Precision) -> Result<(Vec<f64>, String)> {
    let params = Params::new(device);
    model.initialize(&params, 3)?;
    let mut graph = Graph::new();
    let shape: Vec<usize> = [2].into_iter().chain(model.input.iter().copied()).collect();
    let x = graph.input("x", TensorType::f32(shape.clone()));
    let y = model.predict(&mut graph, x, precision)?;
    let mut plan = Plan::new(&graph, &params, &[y])?;
    let len = shape.iter().product::<usize>();
    plan.write("x", &Data::F32((0..len).map(|i| (i * i % 255) as f32 / 255.0).collect()))?;
    plan.run()?;
    let read: Vec<&str> = plan.works().iter().map(|work| &*work.inputs).collect();
    Ok((plan.read(y)?.to_f64(), read.join("; ")))
}

/// Compares a GPU, and the CPU path's rounding, with 32-bit tensors.
fn check(model: &Model) {
    let (expected, read) = predict(&Device::reference(), model, Precision::F32).unwrap();
    assert!(!read.contains("f16"), "{read}");
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for device in [&Device::cpu(), check::gpu()].into_iter().filter(|device| device.has_f16()) {
        let (found, read) = predict(device, model, Precision::F16).unwrap();
        assert!(read.contains("f16"), "{read}");
        let error = found.iter().zip(&expected).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
        // 2⁻¹¹ for each of a few layers.
        assert!(error < 4e-3 * largest, "{error:.1e} of {largest:.1e} on {device}");
        assert!(error > 1e-7 * largest, "nothing was rounded on {device}");
    }
}

#[test]
fn the_scratch_cnn() {
    check(&scratch_cnn(&ScratchCnn { size: 21, widths: vec![5, 8], dense: 9, ..ScratchCnn::new(3) }));
}

#[test]
fn layers_that_take_none_get_floats() {
    let conv = |name: &str, activation| -> Arc<dyn Layer> {
        Arc::new(Conv2d { activation, use_bias: false, ..Conv2d::same_relu(name, 6, 3) })
    };
    let average = AveragePooling2d {
        name: "average".into(),
        pool_size: [2; 2],
        strides: [1; 2],
        padding: Padding::Valid,
    };
    let layers: Vec<Arc<dyn Layer>> = vec![
        conv("c1", LayerActivation::LINEAR),
        Arc::new(Activation { name: "relu".into(), activation: LayerActivation::RELU }),
        Arc::new(MaxPooling2d::square("pool", 2)),
        Arc::new(Prelu { name: "prelu".into(), rank: 4 }),
        conv("c2", LayerActivation::LINEAR),
        Arc::new(LeakyRelu { name: "leaky".into(), negative_slope: 0.3 }),
        Arc::new(average),
        conv("c3", LayerActivation::RELU),
        Arc::new(BatchNormalization::new("norm")),
        Arc::new(DepthwiseConv2d {
            name: "depthwise".into(),
            kernel_size: [3; 2],
            strides: [1; 2],
            padding: Padding::Same,
            activation: LayerActivation::RELU,
            use_bias: true,
        }),
        Arc::new(ResidualBlock { name: "residual".into(), filters: 6, halve: false }),
        Arc::new(SeparableBlock { name: "separable".into(), filters: 6, strides: [1; 2] }),
        conv("c4", LayerActivation::RELU),
        Arc::new(GlobalAveragePooling2d { name: "all".into() }),
        Arc::new(Dense::new("d1", 7, LayerActivation::RELU)),
        Arc::new(Dropout { name: "dropout".into(), rate: 0.5 }),
        Arc::new(Flatten { name: "flatten".into() }),
        Arc::new(Dense::new("d2", 3, LayerActivation::LINEAR)),
        Arc::new(Activation { name: "softmax".into(), activation: LayerActivation::Softmax }),
    ];
    check(&Model { name: "mixed".into(), input: Shape::from([12, 11, 3]), layers, frozen: 0 });
}

#[test]
fn the_last_layer_may_be_a_convolution() {
    let layers: Vec<Arc<dyn Layer>> = vec![Arc::new(Conv2d::same_relu("c", 4, 3))];
    check(&Model { name: "base".into(), input: Shape::from([5, 5, 3]), layers, frozen: 1 });
}
