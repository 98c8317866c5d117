// end_1: how a product ends and where it goes, for rows of any length.
//
// Bias     is added if `biased` is 1; else any tensor stands in its place, unread

@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<Out>;

// Ends four sums of a row and writes those left of the last column.
fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var j = 0u; j < 4u && column + j < p.columns; j++) {
        var sum = sums[j];
        if p.biased == 1u { sum += bias[column + j]; }
        y[row * p.columns + column + j] = to_out(activate(p.kind, p.slope, sum));
    }
}

// The same of the maximum over a window.
fn store_window(row: u32, column: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    store(row, column, larger(larger(s0, s1), larger(s2, s3)));
}
