// end_gradient_4: as end_gradient_1.wgsl, for rows whose length is a multiple of four.

@group(0) @binding(3) var<storage, read> winners: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

// Writes four sums of a row.
fn store(row: u32, column: u32, sums: vec4<f32>) { y[(row * p.columns + column) / 4u] = sums; }

// No gradient is pooled.
fn store_window(row: u32, column: u32, s0: vec4<f32>, s1: vec4<f32>, s2: vec4<f32>, s3: vec4<f32>) {}
