//! Matrix products, of either factor or its transpose.

use lookalike::check::{Check, normal};
use lookalike::graph::Graph;
use lookalike::ops::Transpose;
use lookalike::tensor::TensorType;

const ALL: [Transpose; 4] = [
    Transpose { a: false, b: false },
    Transpose { a: false, b: true },
    Transpose { a: true, b: false },
    Transpose { a: true, b: true },
];

fn check(name: &str, [rows, columns, depth]: [usize; 3], transpose: Transpose) -> Check {
    let a = if transpose.a { [depth, rows] } else { [rows, depth] };
    let b = if transpose.b { [columns, depth] } else { [depth, columns] };
    Check::new(&format!("{name}, {rows} x {columns} x {depth}, {transpose:?}"))
        .input(normal(a, 1))
        .input(normal(b, 2))
        .terms(depth.max(rows).max(columns))
}

fn run(check: Check, transpose: Transpose) {
    check.run(|graph, v| Ok(vec![graph.matmul(v[0], v[1], transpose)?]));
}

#[test]
fn around_the_tiles() {
    let sizes = [
        [1, 1, 1],
        [31, 33, 32],
        [32, 32, 33],
        [33, 31, 31],
        [64, 65, 16],
        [65, 64, 17],
        [3, 5, 70],
        [36, 40, 44],
        [132, 132, 12],
    ];
    for transpose in ALL {
        for size in sizes {
            run(check("one split", size, transpose).variants(&["tile-32", "tile-64", "tile-128"]), transpose);
        }
    }
}

#[test]
fn a_long_depth_is_split() {
    for transpose in ALL {
        for depth in [255, 256, 300, 1025] {
            run(
                check("split", [5, 7, depth], transpose).variants(&["tile-32", "tile-64", "tile-128"]),
                transpose,
            );
        }
    }
}

#[test]
fn the_cpu_cuts_the_longest_axis() {
    for size in [[300, 3, 5], [3, 300, 5], [3, 5, 2100]] {
        run(check("cut", size, Transpose::default()), Transpose::default());
    }
}

#[test]
fn folded_grid() {
    run(check("many tiles", [100, 130, 3], Transpose::default()).folded(), Transpose::default());
    run(check("many splits", [5, 3, 1200], Transpose::default()).folded(), Transpose::default());
}

#[test]
fn errors_name_the_shapes() {
    let mut graph = Graph::new();
    let a = graph.input("a", TensorType::f32([3, 4]));
    let b = graph.input("b", TensorType::f32([5, 6]));
    let cube = graph.input("cube", TensorType::f32([5, 6, 7]));
    let message = graph.matmul(a, b, Transpose::default()).unwrap_err().to_string();
    assert!(message.contains("[3, 4]") && message.contains("[5, 6]"), "{message}");
    let message = graph.matmul(cube, b, Transpose::default()).unwrap_err().to_string();
    assert!(message.contains("[5, 6, 7]"), "{message}");
}
