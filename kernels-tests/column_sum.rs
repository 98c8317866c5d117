//! The sum over all axes but the last.

use lookalike::check::{Check, normal};

fn check(name: &str, shape: &[usize]) -> Check {
    let rows = shape.iter().product::<usize>() / shape[shape.len() - 1];
    Check::new(&format!("{name} {shape:?}")).input(normal(shape, 1)).terms(rows).without_gradients()
}

#[test]
fn around_a_workgroup() {
    let shapes: [&[usize]; 8] =
        [&[1], &[1, 1], &[15, 16], &[16, 16], &[17, 17], &[33, 15], &[2, 3, 5, 33], &[512, 3]];
    for shape in shapes {
        check("one pass", shape).run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
    }
}

#[test]
fn long_columns_are_summed_in_pieces() {
    for shape in [[513, 1], [1000, 17], [1024, 16]] {
        check("two passes", &shape).run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
    }
}

#[test]
fn folded_grid() {
    check("many columns", &[3, 200]).folded().run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
    check("many pieces", &[5, 200, 3]).folded().run(|graph, v| Ok(vec![graph.column_sum(v[0])?]));
}
