// right_1: the second factor of a product where it lies in memory, for rows of any length.

@group(0) @binding(2) var<storage, read> right: array<In>;

fn right_at(at: u32) -> f32 { return f32(right[at]); }

// Four neighbours from `at` on.
fn right_four(at: u32) -> vec4<f32> {
    return vec4(right_at(at), right_at(at + 1u), right_at(at + 2u), right_at(at + 3u));
}

// b at k and four columns from `column` on, where b lies row by row; zeros outside.
fn right_rows(k: u32, column: u32) -> vec4<f32> {
    return vec4(
        right_in_row(k, column), right_in_row(k, column + 1u), right_in_row(k, column + 2u), right_in_row(k, column + 3u),
    );
}

fn right_in_row(k: u32, column: u32) -> f32 {
    if k >= p.depth || column >= p.columns { return 0.0; }
    return right_at(k * p.columns + column);
}
