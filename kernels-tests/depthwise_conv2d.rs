//! Depthwise convolution; its gradients are operators with kernels of their own, checked here too.

use lookalike::Error;
use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::ops::{DepthwiseConv2d, Padding};
use lookalike::tensor::TensorType;

const SIDES: Padding = Padding::Explicit([[1, 0], [2, 1]]);

fn conv(stride: [usize; 2], padding: Padding) -> DepthwiseConv2d {
    DepthwiseConv2d { stride, padding }
}

fn same() -> DepthwiseConv2d {
    conv([1, 1], Padding::Same)
}

/// x `[batch, height, width, channels]`, a kernel of this window, a bias.
fn check(name: &str, x: [usize; 4], window: [usize; 2]) -> Check {
    let [batch, height, width, channels] = x;
    Check::new(&format!("{name}: {x:?}, window {window:?}"))
        .input(normal(x, 1))
        .input(normal([window[0], window[1], channels, 1], 2))
        .input(normal([channels], 3))
        .terms((window[0] * window[1]).max(batch * height * width) + 1)
}

fn run(check: Check, conv: DepthwiseConv2d) {
    check.run(|graph, v| Ok(vec![graph.depthwise_conv2d(v[0], v[1], Some(v[2]), conv)?]));
}

#[test]
fn channels() {
    for channels in [1, 3, 4, 5, 8, 15, 16, 32, 33] {
        run(check("odd sizes", [2, 5, 7, channels], [3, 3]), same());
        run(check("a stride", [1, 6, 5, channels], [3, 3]), conv([2, 2], Padding::Same));
    }
}

#[test]
fn windows_strides_paddings() {
    for (name, x, window, conv) in [
        ("one pixel", [1, 1, 1, 1], [1, 1], DepthwiseConv2d::default()),
        ("one pixel under a window", [1, 1, 1, 4], [3, 3], same()),
        ("a window larger than the image", [2, 1, 2, 3], [5, 5], same()),
        ("1 x 1", [2, 5, 4, 6], [1, 1], DepthwiseConv2d::default()),
        ("1 x 1 under a stride", [1, 5, 6, 4], [1, 1], conv([2, 2], Padding::Same)),
        ("valid", [2, 6, 5, 3], [3, 3], DepthwiseConv2d::default()),
        ("valid, stride 2", [1, 7, 8, 4], [3, 3], conv([2, 2], Padding::Valid)),
        ("asymmetric same", [2, 7, 6, 4], [5, 2], same()),
        ("asymmetric same under a stride", [2, 6, 7, 3], [3, 3], conv([2, 2], Padding::Same)),
        ("a stride for each axis", [1, 8, 9, 4], [3, 3], conv([1, 2], Padding::Same)),
        ("asymmetric padding", [2, 6, 7, 5], [5, 2], conv([2, 3], SIDES)),
        ("asymmetric padding, fours", [1, 6, 7, 8], [3, 3], conv([2, 1], SIDES)),
        ("pixels that no window meets", [1, 6, 9, 2], [2, 2], conv([3, 4], Padding::Valid)),
        (
            "windows wholly in the padding",
            [1, 2, 3, 4],
            [2, 2],
            conv([1, 2], Padding::Explicit([[3, 2], [4, 5]])),
        ),
    ] {
        run(check(name, x, window), conv);
    }
}

#[test]
fn around_the_chunks_of_lines() {
    run(check("one below a chunk", [1, 255, 1, 3], [3, 1]), same());
    run(check("a chunk", [2, 8, 16, 4], [3, 3]), same());
    run(check("one above a chunk", [1, 257, 1, 4], [1, 1]), same());
    run(check("several, the last not whole", [3, 9, 37, 2], [1, 3]), same());
}

#[test]
fn folded_grid() {
    run(check("element-wise", [2, 32, 33, 3], [2, 1]).folded(), same());
    run(check("fours", [2, 32, 33, 12], [1, 2]).folded(), same());
}

#[test]
fn without_bias_there_are_two_gradients() {
    for channels in [3, 8] {
        Check::new("no bias")
            .input(normal([2, 4, 5, channels], 1))
            .input(normal([3, 3, channels, 1], 2))
            .terms(40)
            .run(|graph, v| Ok(vec![graph.depthwise_conv2d(v[0], v[1], None, same())?]));
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let mut graph = Graph::new();
    let mut tensor = |name: &str, shape: &[usize]| graph.input(name, TensorType::f32(shape));
    let x = tensor("x", &[1, 6, 5, 4]);
    let kernel = tensor("kernel", &[3, 3, 4, 1]);
    let twice = tensor("twice", &[3, 3, 4, 2]);
    let other = tensor("other", &[3, 3, 5, 1]);
    let flat = tensor("flat", &[4, 1]);
    let large = tensor("large", &[3, 6, 4, 1]);
    let mut problem = |x, kernel, bias, conv| {
        let problem = graph.depthwise_conv2d(x, kernel, bias, conv).unwrap_err();
        assert!(matches!(&problem, Error::Shape { op: "depthwise_conv2d", .. }), "{problem}");
        problem.to_string()
    };
    let message = problem(x, twice, None, same());
    assert_eq!(
        message,
        "depthwise_conv2d: kernel gives 2 outputs per channel, expected 1 (kernel: [3, 3, 4, 2])"
    );
    let message = problem(x, other, None, same());
    assert_eq!(
        message,
        "depthwise_conv2d: x has 4 channels but kernel expects 5 (x: [1, 6, 5, 4], kernel: [3, 3, 5, 1])"
    );
    assert!(problem(flat, kernel, None, same()).contains("[4, 1]"));
    assert!(problem(x, flat, None, same()).contains("[4, 1]"));
    assert!(problem(x, kernel, Some(flat), same()).contains("bias has shape [4, 1], expected [4]"));
    problem(x, large, None, DepthwiseConv2d::default());
    problem(x, kernel, None, conv([0, 1], Padding::Same));
}
