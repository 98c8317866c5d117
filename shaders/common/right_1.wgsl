// right_1: the second factor of a product, its bias and its result, for rows of any length.
//
// Bias     is added if `biased` is 1; else any tensor stands in its place, unread

const RIGHT_WIDTH = 1u;
@group(0) @binding(2) var<storage, read> right: array<In>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

fn right_at(at: u32) -> f32 { return f32(right[at]); }

// Four neighbours from `at` on.
fn right_four(at: u32) -> vec4<f32> {
    return vec4(right_at(at), right_at(at + 1u), right_at(at + 2u), right_at(at + 3u));
}

// Ends four sums of a row and writes those left of the last column.
fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var j = 0u; j < 4u && column + j < p.columns; j++) {
        var sum = sums[j];
        if p.biased == 1u { sum += bias[column + j]; }
        y[row * p.columns + column + j] = to_out(activate(p.kind, p.slope, sum));
    }
}
