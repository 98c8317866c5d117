// right_4: the second factor of a product where it lies in memory, for rows whose length is a multiple of four.

@group(0) @binding(2) var<storage, read> right: array<In4>;

fn right_at(at: u32) -> f32 { return f32(right[at / 4u][at % 4u]); }

// Four neighbours from `at` on, a multiple of four.
fn right_four(at: u32) -> vec4<f32> { return vec4<f32>(right[at / 4u]); }

// b at k and four columns from `column` on, where b lies row by row; zeros outside.
fn right_rows(k: u32, column: u32) -> vec4<f32> {
    if k >= p.depth || column >= p.columns { return vec4(0.0); }
    return right_four(k * p.columns + column);
}
