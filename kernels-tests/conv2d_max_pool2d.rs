//! Convolution and pooling, which run as one on a GPU where nobody else reads what lies between.

use lookalike::check::{Check, gpu, halves, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Activation, Conv2d, Padding, Pool2d};
use lookalike::tensor::{DType, HostTensor, TensorType};

fn relu() -> Conv2d {
    Conv2d { padding: Padding::Same, activation: Activation::Relu, ..Conv2d::default() }
}

fn check(name: &str, x: [usize; 4], out: usize, conv: Conv2d, variants: &[&'static str]) {
    let check = Check::new(&format!("{name}: {x:?} to {out}"))
        .input(normal(x, 1))
        .input(normal([3, 3, x[3], out], 2))
        .input(normal([out], 3))
        .terms(9 * x[3])
        .without_gradients()
        .variants(variants);
    let check = if conv.activation == Activation::Tanh { check.saturated() } else { check };
    check.run(|graph, v| {
        let y = graph.conv2d(v[0], v[1], Some(v[2]), conv)?;
        Ok(vec![graph.max_pool2d(y, Pool2d::square(2))?])
    });
}

#[test]
fn every_variant_pools() {
    let products = ["tile-32", "tile-64", "tile-128", "narrow", "subgroup"];
    check("even", [2, 8, 6, 4], 8, relu(), &products);
    check("a last row and column left out", [1, 9, 7, 3], 5, relu(), &products);
    check("linear, so that maxima are negative", [1, 6, 6, 3], 34, Conv2d::default(), &products);
    check("many windows", [1, 34, 30, 4], 20, relu(), &products);
    let winograd = ["winograd-2", "winograd-4"];
    check("tiles", [2, 8, 12, 8], 8, relu(), &winograd);
    check("parts of tiles", [1, 9, 7, 8], 16, Conv2d { activation: Activation::Tanh, ..relu() }, &winograd);
}

#[test]
fn of_halves() {
    let check = |x: [usize; 4], out: usize, variants: &[&'static str]| {
        Check::new(&format!("halves {x:?} to {out}"))
            .input(halves(&normal(x, 1)))
            .input(halves(&normal([3, 3, x[3], out], 2)))
            .input(normal([out], 3))
            .terms(9 * x[3])
            .without_gradients()
            .variants(variants)
            .run(|graph, v| {
                let (x, weight) = (graph.cast(v[0], DType::F16)?, graph.cast(v[1], DType::F16)?);
                let y = graph.conv2d(x, weight, Some(v[2]), relu())?;
                Ok(vec![graph.max_pool2d(y, Pool2d::square(2))?])
            });
    };
    check([1, 9, 7, 3], 5, &["tile-32", "tile-64", "tile-128", "narrow", "subgroup"]);
    check([1, 4, 4, 40], 8, &["tile-32", "winograd-2", "winograd-4"]);
}

#[test]
fn a_split_depth_is_pooled_apart() {
    check("few pixels, many channels", [1, 4, 4, 40], 8, relu(), &["tile-32"]);
}

/// Inputs of a layer whose sums are small integers, no two in a window alike and none zero: whatever a variant rounds, it
/// finds the same winners. The first channel tells the pixels of a window apart by 2, the others add multiples of 8, the
/// bias 1.
fn distinct(x: [usize; 4], out: usize, stride: [usize; 2]) -> [HostTensor; 3] {
    let [_, height, width, channels] = x;
    let whole = |values: HostTensor, most: f32| {
        values.to_f32().into_iter().map(move |v| v.round().clamp(-most, most))
    };
    let pixel = |at: usize| {
        let (row, column) = (at / channels / width % height, at / channels % width);
        (row / stride[0] % 2 * 2 + column / stride[1] % 2) as f32
    };
    let pixels = whole(normal(x, 1), 2.0).enumerate();
    let pixels = pixels.map(|(at, v)| if at % channels == 0 { pixel(at) } else { v }).collect::<Vec<_>>();
    let centre = |tap: usize| if tap == 4 { 2.0 } else { 0.0 };
    let taps = whole(normal([3, 3, channels, out], 2), 1.0).enumerate();
    let taps = taps
        .map(
            |(at, v)| if (at / out).is_multiple_of(channels) { centre(at / out / channels) } else { 8.0 * v },
        )
        .collect::<Vec<_>>();
    [
        HostTensor::new(x, pixels),
        HostTensor::new([3, 3, channels, out], taps),
        HostTensor::new([out], vec![1f32; out]),
    ]
}

/// In training the gradients are routed to the winners while they are loaded, in every variant of every kernel.
#[test]
fn every_variant_routes_gradients() {
    let check = |name: &str, x: [usize; 4], out: usize, conv: Conv2d, variants: &[&'static str]| {
        let [pixels, weight, bias] = distinct(x, out, conv.stride);
        Check::new(&format!("{name}: {x:?} to {out}"))
            .input(pixels)
            .input(weight)
            .input(bias)
            .terms(x[0] * x[1] * x[2] * 9)
            .variants(variants)
            .run(|graph, v| {
                let y = graph.conv2d(v[0], v[1], Some(v[2]), conv)?;
                Ok(vec![graph.max_pool2d(y, Pool2d::square(2))?])
            });
    };
    let products = ["tile-32", "tile-64", "tile-128", "narrow", "subgroup"];
    check("even", [2, 8, 6, 4], 8, relu(), &products);
    check("a last row and column left out", [1, 9, 7, 3], 4, relu(), &products);
    check("linear", [1, 6, 6, 3], 36, Conv2d::default(), &products);
    check("many windows", [1, 34, 30, 4], 20, relu(), &products);
    check("a split depth", [1, 4, 4, 40], 8, relu(), &["tile-32"]);
    check("strides", [2, 11, 9, 4], 4, Conv2d { stride: [2, 1], ..relu() }, &products);
    let winograd = ["winograd-2", "winograd-4"];
    check("tiles", [2, 8, 12, 8], 8, relu(), &winograd);
    check("parts of tiles", [1, 9, 7, 8], 16, relu(), &winograd);
}

/// Kernels of a plan for what follows a convolution.
fn kernels(build: impl Fn(&mut Graph, lookalike::graph::Var) -> Vec<lookalike::graph::Var>) -> Vec<String> {
    let mut graph = Graph::new();
    let x = graph.input("x", TensorType::f32([1, 8, 8, 3]));
    let weight = graph.state_filled("weight", TensorType::f32([3, 3, 3, 4]), 0.5).unwrap();
    let y = graph.conv2d(x, weight, None, relu()).unwrap();
    let outputs = build(&mut graph, y);
    let plan = Plan::new(&graph, &Params::new(gpu()), &outputs).unwrap();
    plan.works().iter().map(|work| work.kernel.split('/').next().unwrap().to_string()).collect()
}

#[test]
fn they_stay_apart_where_they_must() {
    let pool = |pool: Pool2d| kernels(move |graph, y| vec![graph.max_pool2d(y, pool).unwrap()]);
    assert_eq!(pool(Pool2d::square(2)), ["conv2d"]);
    assert_eq!(pool(Pool2d::square(3)), ["conv2d", "max_pool2d"]);
    assert_eq!(pool(Pool2d { stride: [1, 1], ..Pool2d::square(2) }), ["conv2d", "max_pool2d"]);
    assert_eq!(pool(Pool2d { ceil: true, ..Pool2d::square(2) }), ["conv2d", "max_pool2d"]);
    let same = Pool2d { padding: Padding::Explicit([[1, 1], [0, 0]]), ..Pool2d::square(2) };
    assert_eq!(pool(same), ["conv2d", "max_pool2d"]);
    let read_twice = kernels(|graph, y| vec![graph.max_pool2d(y, Pool2d::square(2)).unwrap(), y]);
    assert_eq!(read_twice, ["conv2d", "max_pool2d"]);
}

/// In training, the activation's gradient joins that of the pooling, whatever the windows.
#[test]
fn the_gradient_goes_through_both() {
    for (window, stride) in [(2, 2), (3, 2)] {
        for activation in
            [Activation::Relu, Activation::LeakyRelu(0.3), Activation::Sigmoid, Activation::Tanh]
        {
            let pool = Pool2d { stride: [stride; 2], ..Pool2d::square(window) };
            Check::new(&format!("window {window}, {activation:?}"))
                .input(normal([2, 7, 6, 3], 1))
                .input(normal([3, 3, 3, 5], 2))
                .terms(100)
                .run(|graph, v| {
                    let y = graph.conv2d(v[0], v[1], None, Conv2d { activation, ..relu() })?;
                    Ok(vec![graph.max_pool2d(y, pool)?])
                });
        }
    }
    let gradient_kernels = kernels(|graph, y| {
        let pooled = graph.max_pool2d(y, Pool2d::square(2)).unwrap();
        let one = graph.fill([1, 4, 4, 4], 1.0).unwrap();
        let weight = graph.state_filled("weight", TensorType::f32([3, 3, 3, 4]), 0.5).unwrap();
        graph.gradients_of(&[(pooled, one)], &[weight]).unwrap()
    });
    assert_eq!(gradient_kernels, ["builtin", "conv2d", "conv2d_weight_gradient"]);
}
