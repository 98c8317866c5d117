//! The sum over all axes but the last.

use lookalike::check::{Check, normal};

fn check(name: &str, shape: &[usize]) -> Check {
    let rows = shape.iter().product::<usize>() / shape[shape.len() - 1];
    Check::new(&format!("{name} {shape:?}")).input(normal(shape, 1)).terms(rows).without_gradients()
}

#[test]
fn around_a_workgroup() {
    let shapes: [&[usize]; 9] =
        [&[1], &[1, 1], &[7, 31], &[8, 32], &[9, 33], &[255, 1], &[65, 3], &[2, 3, 5, 65], &[256, 2]];
    for shape in shapes {
        check("one pass", shape).run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
    }
}

#[test]
fn long_columns_are_summed_in_chunks() {
    for shape in [[257, 1], [512, 17], [1000, 33]] {
        check("two passes", &shape).run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
    }
}

#[test]
fn folded_grid() {
    check("many columns", &[3, 225]).folded().run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
    check("many chunks", &[9, 200, 3]).folded().run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
}
