//! Max pooling.

use lookalike::check::{Check, apart, gpu, halves, normal};
use lookalike::graph::{Graph, Params, Plan};
use lookalike::ops::{Padding, Pool2d};
use lookalike::tensor::{DType, Data, HostTensor, TensorType};
use lookalike::{Device, Error};

const SIDES: Padding = Padding::Explicit([[1, 0], [2, 1]]);

fn pool(window: [usize; 2], stride: [usize; 2], padding: Padding, ceil: bool) -> Pool2d {
    Pool2d { window, stride, padding, ceil }
}

fn case(name: &str, shape: [usize; 4]) -> Check {
    Check::new(name).input(apart(shape, 1))
}

#[test]
fn windows_side_by_side() {
    let square = Pool2d::square(2);
    for (name, shape, pool) in [
        ("one pixel", [1, 1, 1, 1], Pool2d::square(1)),
        ("one window", [1, 2, 2, 1], square),
        ("an odd row and column are dropped", [2, 5, 7, 3], square),
        ("stride larger than the window", [1, 8, 9, 2], pool([2, 1], [3, 4], Padding::Valid, false)),
        ("a window cut off by the end", [1, 5, 7, 3], pool([2, 2], [2, 2], Padding::Valid, true)),
        ("same padding", [1, 5, 7, 3], pool([2, 2], [2, 2], Padding::Same, false)),
        ("asymmetric padding", [1, 6, 5, 2], pool([3, 3], [3, 3], SIDES, false)),
        ("one below a workgroup of windows", [1, 2, 2 * 255, 1], square),
        ("a workgroup of windows", [1, 2, 2 * 256, 1], square),
        ("one above a workgroup of windows", [1, 2, 2 * 257, 1], square),
    ] {
        case(name, shape).run(|graph, v| Ok(vec![graph.max_pool2d(v[0], pool)?]));
    }
}

#[test]
fn of_halves() {
    for (name, shape, pool) in [
        ("halves, one window", [1, 2, 2, 1], Pool2d::square(2)),
        ("halves, an odd row and column", [2, 5, 7, 3], Pool2d::square(2)),
        ("halves, more than a workgroup", [1, 2, 2 * 257, 1], Pool2d::square(2)),
        ("halves, overlapping", [1, 6, 7, 5], pool([3, 3], [2, 1], Padding::Same, false)),
    ] {
        Check::new(name).input(halves(&normal(shape, 1))).without_gradients().run(|graph, v| {
            let x = graph.cast(v[0], DType::F16)?;
            let y = graph.max_pool2d(x, pool)?;
            assert_eq!(graph.ty(y).dtype, DType::F16);
            Ok(vec![y, graph.flatten(y)?])
        });
    }
}

#[test]
fn overlapping_windows() {
    for (name, shape, pool) in [
        ("window larger than the image", [1, 1, 2, 1], pool([3, 3], [1, 1], Padding::Same, false)),
        ("same padding, stride 1", [2, 5, 4, 3], pool([3, 3], [1, 1], Padding::Same, false)),
        ("same padding, stride 2", [1, 6, 7, 2], pool([3, 3], [2, 2], Padding::Same, false)),
        ("asymmetric padding, pairs", [1, 6, 7, 5], pool([2, 4], [1, 3], SIDES, false)),
        ("ceil mode", [1, 6, 7, 2], pool([3, 3], [2, 2], Padding::Valid, true)),
        ("ceil mode with padding", [1, 6, 8, 2], pool([3, 3], [2, 2], SIDES, true)),
        ("one below a workgroup", [1, 5, 51, 1], pool([2, 2], [1, 1], Padding::Valid, false)),
        ("a workgroup", [1, 16, 16, 1], pool([2, 2], [1, 1], Padding::Valid, false)),
        ("one above a workgroup", [1, 1, 257, 1], pool([1, 2], [1, 1], Padding::Valid, false)),
    ] {
        case(name, shape).terms(9).run(|graph, v| Ok(vec![graph.max_pool2d(v[0], pool)?]));
    }
}

#[test]
fn folded_grid() {
    for pool in [Pool2d::square(2), pool([3, 3], [2, 2], Padding::Valid, false)] {
        case("folded", [2, 32, 33, 9])
            .terms(9)
            .folded()
            .run(|graph, v| Ok(vec![graph.max_pool2d(v[0], pool)?]));
    }
}

/// y and dx for dy = 1, 2, 3, … on a device, as bits.
fn forward_and_backward(device: &Device, shape: [usize; 4], x: &[f32], pool: Pool2d) -> [Vec<f32>; 2] {
    let params = Params::new(device);
    let mut graph = Graph::new();
    let input = graph.input("x", TensorType::f32(shape));
    let y = graph.max_pool2d(input, pool).unwrap();
    let dy = graph.input("dy", graph.ty(y).clone());
    let dx = graph.gradients_of(&[(y, dy)], &[input]).unwrap()[0];
    let mut plan = Plan::new(&graph, &params, &[y, dx]).unwrap();
    plan.write("x", &x.into()).unwrap();
    let ramp: Vec<f32> = (1..=graph.ty(y).len()).map(|i| i as f32).collect();
    plan.write("dy", &ramp.into()).unwrap();
    plan.run_poisoned().unwrap();
    [y, dx].map(|var| plan.read(var).as_ref().map(HostTensor::to_f32).unwrap())
}

/// Checks y and dx on every device, for windows side by side and, with a stride of 1, for the other kernel.
fn expect(name: &str, x: [f32; 4], y: f32, dx: [f32; 4]) {
    let overlapping = pool([2, 2], [1, 1], Padding::Valid, false);
    for device in [gpu().clone(), Device::cpu(), Device::reference()] {
        for pool in [Pool2d::square(2), overlapping] {
            let [found, gradient] = forward_and_backward(&device, [1, 2, 2, 1], &x, pool);
            assert!(found[0] == y || found[0].is_nan() && y.is_nan(), "{name} on {device}: {found:?}");
            assert_eq!(gradient, dx, "{name} on {device}");
        }
    }
}

#[test]
fn ties_infinities_and_nan_are_those_of_pytorch() {
    // y = torch.nn.functional.max_pool2d(x, 2); y.backward(torch.ones_like(y))
    const LOW: f32 = f32::NEG_INFINITY;
    const NAN: f32 = f32::NAN;
    expect("a tie", [1.0, 3.0, 3.0, 3.0], 3.0, [0.0, 1.0, 0.0, 0.0]);
    expect("both zeros are equal", [-1.0, -0.0, 0.0, -1.0], 0.0, [0.0, 1.0, 0.0, 0.0]);
    expect("negative numbers", [-3.0, -2.0, -1.0, -2.0], -1.0, [0.0, 0.0, 1.0, 0.0]);
    expect("wholly minus infinity", [LOW; 4], LOW, [1.0, 0.0, 0.0, 0.0]);
    expect("infinity", [1.0, f32::INFINITY, LOW, 2.0], f32::INFINITY, [0.0, 1.0, 0.0, 0.0]);
    expect("a NaN wins", [1.0, NAN, f32::INFINITY, 2.0], NAN, [0.0, 1.0, 0.0, 0.0]);
    expect("a negative NaN wins", [1.0, 2.0, -NAN, 2.0], NAN, [0.0, 0.0, 1.0, 0.0]);
    expect("the last of two NaN wins", [NAN, 1.0, NAN, 2.0], NAN, [0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn overlapping_windows_add_up_in_the_winner() {
    // The middle wins in all four windows: 1 + 2 + 3 + 4.
    let x = [0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 0.0];
    let overlapping = pool([2, 2], [1, 1], Padding::Valid, false);
    for device in [gpu().clone(), Device::cpu()] {
        let [y, dx] = forward_and_backward(&device, [1, 3, 3, 1], &x, overlapping);
        assert_eq!(y, [9.0; 4]);
        assert_eq!(dx, [0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn padding_never_wins() {
    Check::new("negative numbers at the rim")
        .input(HostTensor::new([1, 2, 2, 1], vec![-1.0f32, -2.0, -3.0, -4.0]))
        .run(|graph, v| Ok(vec![graph.max_pool2d(v[0], pool([3, 3], [1, 1], Padding::Same, false))?]));
}

#[test]
fn pictures_of_different_sizes_in_one_batch() {
    let extents = [[7u32, 9], [6, 8], [1, 1], [0, 5], [5, 0], [7, 4], [100, 100]];
    let pools = [
        ("side by side, cut off", pool([2, 2], [2, 2], Padding::Valid, true)),
        ("overlapping", pool([3, 3], [2, 2], Padding::Valid, true)),
        ("padded", pool([3, 3], [1, 2], SIDES, false)),
    ];
    for (name, pool) in pools {
        let extent = HostTensor::new([extents.len(), 2], extents.concat());
        // So many channels that the grid is folded.
        let check = case(name, [extents.len(), 7, 9, 50]).input(extent).without_gradients();
        check.folded().run(|graph, v| Ok(vec![graph.max_pool2d_within(v[0], v[1], pool)?]));
    }
}

#[test]
fn with_the_whole_extent_it_is_max_pool2d() {
    let pool = pool([3, 3], [2, 2], Padding::Valid, true);
    for device in [&Device::reference(), &Device::cpu(), gpu()] {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f32([2, 6, 7, 5]));
        let extent = graph.input("extent", TensorType::u32([2, 2]));
        let outputs = [graph.max_pool2d(x, pool).unwrap(), graph.max_pool2d_within(x, extent, pool).unwrap()];
        let mut plan = Plan::new(&graph, &Params::new(device), &outputs).unwrap();
        plan.write("x", apart([2, 6, 7, 5], 3).data()).unwrap();
        plan.write("extent", &Data::U32(vec![6, 7, 6, 7])).unwrap();
        plan.run().unwrap();
        let [plain, within] = outputs.map(|y| plan.read(y).unwrap().to_f32());
        assert!(plain == within && plain.iter().any(|&y| y != 0.0), "{device}");
    }
}

#[test]
fn wrong_shapes_are_refused() {
    let refused = |shape: &[usize], pool: Pool2d| {
        let mut graph = Graph::new();
        let x = graph.input("x", TensorType::f32(shape));
        match graph.max_pool2d(x, pool).unwrap_err() {
            Error::Shape { op: "max_pool2d", problem } => problem,
            other => panic!("{other}"),
        }
    };
    assert!(refused(&[4, 4, 3], Pool2d::square(2)).contains("[4, 4, 3]"));
    assert!(refused(&[1, 4, 1, 3], Pool2d::square(2)).contains("does not fit"));
    assert!(refused(&[1, 4, 4, 3], Pool2d::square(0)).contains("at least 1"));
    let wide = pool([2, 2], [1, 1], Padding::Explicit([[0, 2], [0, 0]]), false);
    assert!(refused(&[1, 4, 4, 3], wide).contains("[1, 4, 4, 3]"));
}
