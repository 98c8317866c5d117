// end_4: where a product goes once it has ended (common/bias_4.wgsl), for rows whose length is a multiple of four.

@group(0) @binding(4) var<storage, read_write> y: array<Out4>;

// Ends four sums of a row and writes them.
fn store(row: u32, column: u32, sums: vec4<f32>) {
    y[(row * p.columns + column) / 4u] = to_out4(ended(column, sums));
}

// The same of the maximum over a window.
fn store_window(row: u32, column: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {
    store(row, column, larger(larger(s0, s1), larger(s2, s3)));
}
