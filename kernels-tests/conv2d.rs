//! Convolution; its gradients are operators with kernels of their own, checked here too.

use lookalike::check::{Check, halves, normal};
use lookalike::graph::Graph;
use lookalike::ops::{Activation, Conv2d, Padding};
use lookalike::tensor::{DType, HostTensor, TensorType};

/// x `[batch, height, width, channels]` and weight `[window height, window width, channels, out]`.
struct Case {
    name: &'static str,
    x: [usize; 4],
    window: [usize; 2],
    out: usize,
    conv: Conv2d,
}

impl Case {
    fn check(&self) -> Check {
        let Case { name, x, window: [u, v], out, .. } = *self;
        let [batch, height, width, channels] = x;
        let terms = (u * v * channels.max(out)).max(batch * height * width) + 1;
        Check::new(&format!("{name}: {x:?}, window {u} x {v} to {out}, {:?}", self.conv))
            .input(normal(x, 1))
            .input(normal([u, v, channels, out], 2))
            .input(normal([out], 3))
            .terms(terms)
    }

    /// Runs it with x and weight in 16-bit floats, and each variant.
    fn run_halves(&self, variants: &[&'static str]) {
        let Case { name, x, window: [u, v], out, .. } = *self;
        let check = Check::new(&format!("halves, {name}: {x:?}, window {u} x {v} to {out}, {:?}", self.conv))
            .input(halves(&normal(x, 1)))
            .input(halves(&normal([u, v, x[3], out], 2)))
            .input(normal([out], 3))
            .terms(u * v * x[3] + 1)
            .without_gradients()
            .variants(variants);
        check.run(|graph, v| {
            let (x, weight) = (graph.cast(v[0], DType::F16)?, graph.cast(v[1], DType::F16)?);
            let y = graph.conv2d(x, weight, Some(v[2]), self.conv)?;
            assert_eq!(graph.ty(y).dtype, DType::F16);
            Ok(vec![y])
        });
    }

    fn run(&self, check: Check) {
        check.run(|graph, v| Ok(vec![graph.conv2d(v[0], v[1], Some(v[2]), self.conv)?]));
    }
}

const PRODUCTS: [&str; 5] = ["tile-32", "tile-64", "tile-128", "narrow", "subgroup"];
const WINOGRAD: [&str; 2] = ["winograd-2", "winograd-4"];

fn same() -> Conv2d {
    Conv2d { padding: Padding::Same, ..Conv2d::default() }
}

fn padded(padding: [[usize; 2]; 2]) -> Conv2d {
    Conv2d { padding: Padding::Explicit(padding), ..Conv2d::default() }
}

#[test]
fn around_the_tiles() {
    let case = |name, x, window, out| Case { name, x, window, out, conv: same() };
    let cases = [
        case("one pixel", [1, 1, 1, 1], [1, 1], 1),
        case("one pixel under a window", [1, 1, 1, 2], [3, 3], 3),
        case("31 pixels, 33 channels", [1, 1, 31, 3], [1, 3], 33),
        case("32 pixels, 32 channels, depth 36", [1, 4, 8, 4], [3, 3], 32),
        case("33 pixels, depth 31", [1, 3, 11, 31], [1, 1], 31),
        case("65 pixels, 65 channels", [1, 5, 13, 8], [2, 1], 65),
        case("two images", [2, 5, 7, 3], [3, 3], 5),
        case("fours of inputs only", [2, 5, 6, 4], [3, 3], 5),
        case("fours of outputs only", [2, 5, 6, 3], [3, 3], 12),
        case("fours, 133 pixels, 132 channels", [1, 7, 19, 4], [3, 3], 132),
    ];
    for case in cases {
        case.run(case.check().variants(&PRODUCTS));
    }
}

#[test]
fn windows_strides_dilations_paddings() {
    let case = |name, x, window, out, conv| Case { name, x, window, out, conv };
    let strided = |stride, padding| Conv2d { stride, padding, ..Conv2d::default() };
    let dilated = |dilation, padding| Conv2d { dilation, padding, ..Conv2d::default() };
    let cases = [
        case("valid", [2, 6, 5, 3], [3, 2], 4, Conv2d::default()),
        case("even window, asymmetric same", [1, 5, 6, 4], [2, 4], 3, same()),
        case("asymmetric same under a stride", [2, 6, 7, 3], [3, 3], 4, strided([2, 2], Padding::Same)),
        case("a stride longer than the window", [1, 7, 8, 4], [1, 2], 4, strided([2, 3], Padding::Valid)),
        case("pixels that no window meets", [1, 6, 9, 2], [2, 2], 3, strided([3, 4], Padding::Valid)),
        case("dilated", [1, 7, 8, 4], [3, 2], 5, dilated([2, 3], Padding::Valid)),
        case("dilated same", [1, 5, 4, 3], [3, 3], 2, dilated([2, 1], Padding::Same)),
        case(
            "all at once",
            [2, 8, 9, 3],
            [3, 2],
            5,
            Conv2d {
                stride: [2, 3],
                dilation: [2, 3],
                padding: Padding::Explicit([[3, 0], [1, 2]]),
                ..Conv2d::default()
            },
        ),
        case("one side padded", [1, 4, 4, 4], [3, 3], 4, padded([[2, 0], [0, 1]])),
        case("padded beyond the window", [1, 2, 3, 2], [2, 2], 3, padded([[3, 2], [4, 5]])),
        case("1 x 1", [2, 5, 5, 6], [1, 1], 7, Conv2d::default()),
        case("1 x 1 under a stride", [1, 5, 6, 4], [1, 1], 3, strided([2, 2], Padding::Same)),
    ];
    for case in cases {
        case.run(case.check());
    }
}

#[test]
fn winograd() {
    let case = |name, x, out, conv| Case { name, x, window: [3, 3], out, conv };
    let sigmoid = Conv2d { activation: Activation::Sigmoid, ..same() };
    let cases = [
        case("one tile", [1, 4, 4, 8], 8, same()),
        case("one pixel", [2, 1, 1, 8], 16, same()),
        case("parts of tiles", [2, 7, 5, 16], 8, sigmoid),
        case("valid", [1, 9, 6, 8], 24, Conv2d::default()),
        case("one side padded", [1, 6, 7, 8], 8, padded([[2, 0], [1, 2]])),
        case("a padding that its input gradient cannot take", [1, 5, 5, 8], 8, padded([[3, 1], [1, 3]])),
        case("32 channels", [1, 13, 14, 32], 40, same()),
    ];
    for case in cases {
        case.run(case.check().variants(&WINOGRAD));
    }
}

#[test]
fn winograd_on_the_cpu() {
    let case = |name, x, out, conv| Case { name, x, window: [3, 3], out, conv };
    let relu = Conv2d { activation: Activation::Relu, ..same() };
    let cases = [
        case("whole tiles", [1, 16, 16, 64], 64, relu),
        case("parts of tiles", [2, 15, 17, 64], 80, relu),
        case("valid", [1, 19, 16, 80], 64, Conv2d::default()),
        case("more than one group of bands", [2, 57, 62, 64], 64, same()),
        case("one side padded", [1, 17, 18, 64], 64, padded([[2, 0], [0, 1]])),
    ];
    for case in cases {
        // The plain body covers the gradients.
        case.run(case.check().without_gradients());
    }
}

#[test]
fn halves_in_every_way() {
    let case = |name, x, window, out, conv| Case { name, x, window, out, conv };
    let relu = Conv2d { activation: Activation::Relu, ..same() };
    let strided = Conv2d { stride: [2, 1], dilation: [1, 2], ..same() };
    let products = [
        case("one pixel", [1, 1, 1, 1], [1, 1], 1, same()),
        case("an odd number of all", [1, 5, 13, 7], [2, 3], 33, relu),
        case("a picture", [2, 9, 8, 3], [3, 3], 16, relu),
        case("fours of inputs only", [2, 5, 6, 4], [3, 3], 5, strided),
        case("fours, 133 pixels, 132 channels", [1, 7, 19, 4], [3, 3], 132, same()),
        case("a split depth", [1, 4, 5, 64], [3, 3], 6, relu),
        case("a split depth of odd rows", [1, 4, 5, 61], [3, 3], 5, relu),
    ];
    for case in products {
        case.run_halves(&PRODUCTS);
    }
    for (name, x, out) in [("parts of tiles", [2, 7, 5, 16], 8), ("32 channels", [1, 13, 14, 32], 40)] {
        case(name, x, [3, 3], out, relu).run_halves(&WINOGRAD);
    }
}

#[test]
fn sums_of_halves_are_not_halves() {
    // From 16384 on, 16-bit floats are 16 apart: adding one, or four, changes none.
    let large: Vec<f32> = std::iter::once(16384.0).chain([1.0; 127]).collect();
    let check = Check::new("one large, 127 ones")
        .input(HostTensor::new([1, 1, 1, 128], large))
        .input(HostTensor::new([1, 1, 128, 4], vec![1.0f32; 512]));
    check.without_gradients().variants(&PRODUCTS).run(|graph, v| {
        let (x, weight) = (graph.cast(v[0], DType::F16)?, graph.cast(v[1], DType::F16)?);
        Ok(vec![graph.conv2d(x, weight, None, Conv2d::default())?])
    });
}

#[test]
fn both_factors_have_one_width() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1, 4, 4, 4]));
    let weight = graph.input("weight", TensorType::f32([3, 3, 4, 4]));
    let half = graph.cast(x, DType::F16).unwrap();
    let message = graph.conv2d(half, weight, None, same()).unwrap_err().to_string();
    assert_eq!(message, "conv2d: input 1 is f32, expected f16");
}

#[test]
fn a_long_depth_is_split() {
    let case = Case { name: "all three", x: [1, 16, 17, 30], window: [3, 3], out: 34, conv: same() };
    case.run(case.check().variants(&PRODUCTS));
}

#[test]
fn the_cpu_takes_patches_in_tiles() {
    let case = |name, x, out, conv| Case { name, x, window: [3, 3], out, conv };
    let strided = Conv2d { stride: [2, 1], ..same() };
    let cases = [
        case("more than one tile", [2, 12, 13, 2], 3, same()),
        case("a depth of 576, each tap a product", [1, 12, 13, 64], 2, same()),
        case("each tap a product, strided", [2, 7, 6, 64], 3, strided),
        case("pixels in two pieces", [1, 64, 65, 1], 2, same()),
    ];
    for case in cases {
        case.run(case.check());
    }
}

#[test]
fn activations() {
    for activation in [Activation::Relu, Activation::LeakyRelu(0.3), Activation::Sigmoid, Activation::Tanh] {
        for (name, channels) in [("one split", 3), ("split", 30)] {
            let conv = Conv2d { activation, ..same() };
            let case = Case { name, x: [1, 4, 5, channels], window: [3, 3], out: 6, conv };
            case.run(case.check());
        }
    }
}

#[test]
fn without_bias_there_are_two_gradients() {
    Check::new("no bias")
        .input(normal([2, 4, 5, 3], 1))
        .input(normal([3, 3, 3, 4], 2))
        .terms(40)
        .run(|graph, v| Ok(vec![graph.conv2d(v[0], v[1], None, same())?]));
}

#[test]
fn folded_grid() {
    let pixels = Case { name: "many tiles", x: [2, 12, 13, 5], window: [1, 2], out: 33, conv: same() };
    pixels.run(pixels.check().folded());
    let depth = Case { name: "many splits", x: [1, 64, 33, 5], window: [2, 1], out: 3, conv: same() };
    depth.run(depth.check().folded());
}

#[test]
fn errors_name_the_shapes() {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([8, 224, 224, 4]));
    let weight = graph.input("weight", TensorType::f32([3, 3, 3, 64]));
    let message = graph.conv2d(x, weight, None, same()).unwrap_err().to_string();
    assert_eq!(
        message,
        "conv2d: x has 4 channels but weight expects 3 (x: [8, 224, 224, 4], weight: [3, 3, 3, 64])"
    );
    let fitting = graph.input("fitting", TensorType::f32([3, 3, 4, 64]));
    let flat = graph.input("flat", TensorType::f32([64, 1]));
    let message = graph.conv2d(x, fitting, Some(flat), same()).unwrap_err().to_string();
    assert!(message.contains("[64, 1]") && message.contains("[64]"), "{message}");
    assert!(graph.conv2d(flat, fitting, None, same()).is_err());
    let small = graph.input("small", TensorType::f32([1, 2, 2, 4]));
    assert!(graph.conv2d(small, fitting, None, Conv2d::default()).is_err());
    assert!(graph.conv2d(x, fitting, None, Conv2d { stride: [0, 1], ..same() }).is_err());
}
