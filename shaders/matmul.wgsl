// matmul: the product of two matrices, either of which may be read transposed.
//
//   y[i, j] = activate(sum over k of a[i, k] * b[k, j] + bias[j])
//
// Shapes   a [rows, depth], b [depth, columns], y [rows, columns], bias [columns]. a[i, k] lies at
//          i * a_row_stride + k * a_depth_stride, b[k, j] at k * b_depth_stride + j * b_column_stride.
// Bias     is added if `biased` is 1; else any tensor stands in its place, unread.
// Mapping  common/gemm.wgsl

struct Params {
    rows: u32, columns: u32, depth: u32, split_depth: u32, biased: u32, kind: u32, slope: f32,
    a_row_stride: u32, a_depth_stride: u32, b_depth_stride: u32, b_column_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn a_row(row: u32) -> vec3<u32> { return vec3(row, 0u, 0u); }

fn a_depth(k: u32) -> vec3<u32> { return vec3(k, 0u, 0u); }

fn a_at(row: u32, k: u32) -> f32 {
    if row >= p.rows || k >= p.depth { return 0.0; }
    return a[row * p.a_row_stride + k * p.a_depth_stride];
}

fn b_at(k: u32, column: u32) -> f32 {
    if k >= p.depth || column >= p.columns { return 0.0; }
    return b[k * p.b_depth_stride + column * p.b_column_stride];
}

fn load_a(row: vec3<u32>, depth: vec3<u32>) -> vec4<f32> {
    let i = row.x;
    let k = depth.x;
    return vec4(a_at(i, k), a_at(i, k + 1u), a_at(i, k + 2u), a_at(i, k + 3u));
}

fn load_b(k: u32, column: u32) -> vec4<f32> {
    return vec4(b_at(k, column), b_at(k, column + 1u), b_at(k, column + 2u), b_at(k, column + 3u));
}

fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var j = 0u; j < 4u && column + j < p.columns; j++) {
        var sum = sums[j];
        if p.biased == 1u { sum += bias[column + j]; }
        y[row * p.columns + column + j] = activate(p.kind, p.slope, sum);
    }
}

@compute @workgroup_size(THREADS)
fn product(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    gemm(group_index(group, groups), thread);
}
