// right_1: the second factor of a product, its bias and its result, for rows of any length.
//
// Bias     is added if `biased` is 1; else any tensor stands in its place, unread

@group(0) @binding(2) var<storage, read> right: array<In>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

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

// Ends four sums of a row and writes those left of the last column.
fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var j = 0u; j < 4u && column + j < p.columns; j++) {
        var sum = sums[j];
        if p.biased == 1u { sum += bias[column + j]; }
        y[row * p.columns + column + j] = to_out(activate(p.kind, p.slope, sum));
    }
}
