// end_gradient_1: where a gradient goes, for rows of any length. It has no bias and no activation. `winners` belong to dy, and
// any tensor stands in their place, unread, where dy is not routed (common/routed.wgsl).

@group(0) @binding(3) var<storage, read> winners: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Writes four sums of a row, those left of the last column.
fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var j = 0u; j < 4u && column + j < p.columns; j++) {
        y[row * p.columns + column + j] = sums[j];
    }
}

// No gradient is pooled.
fn store_window(row: u32, column: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {}
