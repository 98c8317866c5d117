// matmul: the product of two matrices, either of which may be read transposed.
//
//   y[i, j] = activate(sum over k of a[i, k] * b[k, j] + bias[j])
//
// Shapes   left is a [rows, depth], right is b [depth, columns], y [rows, columns], bias [columns]. a[i, k] lies at
//          i * a_row_stride + k * a_depth_stride, b[k, j] at k * b_depth_stride + j * b_column_stride. In each pair
//          one stride is 1.
// Mapping  common/product.wgsl

struct Params {
    rows: u32, columns: u32, depth: u32, split_depth: u32, biased: u32, kind: u32, slope: f32, pooled: u32,
    a_row_stride: u32, a_depth_stride: u32, b_depth_stride: u32, b_column_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

fn a_row(row: u32) -> vec3<u32> { return vec3(row, 0u, 0u); }

fn a_depth(k: u32) -> vec3<u32> { return vec3(k, 0u, 0u); }

fn a_at(row: u32, k: u32) -> f32 {
    if row >= p.rows || k >= p.depth { return 0.0; }
    return left_at(row * p.a_row_stride + k * p.a_depth_stride);
}

fn b_at(k: u32, column: u32) -> f32 {
    if k >= p.depth || column >= p.columns { return 0.0; }
    return right_at(k * p.b_depth_stride + column * p.b_column_stride);
}

fn load_a(row: vec3<u32>, depth: vec3<u32>) -> vec4<f32> {
    let i = row.x;
    let k = depth.x;
    if LEFT_WIDTH == 4u {
        if i >= p.rows || k >= p.depth { return vec4(0.0); }
        return left_four(i * p.a_row_stride + k);
    }
    return vec4(a_at(i, k), a_at(i, k + 1u), a_at(i, k + 2u), a_at(i, k + 3u));
}

fn load_a_rows(row: vec3<u32>, depth: vec3<u32>) -> vec4<f32> {
    let i = row.x;
    let k = depth.x;
    if LEFT_WIDTH == 4u {
        if i >= p.rows || k >= p.depth { return vec4(0.0); }
        return left_four(i + k * p.a_depth_stride);
    }
    return vec4(a_at(i, k), a_at(i + 1u, k), a_at(i + 2u, k), a_at(i + 3u, k));
}

fn load_b(k: u32, column: u32) -> vec4<f32> {
    if p.b_column_stride == 1u { return right_rows(k, column); }
    return vec4(b_at(k, column), b_at(k, column + 1u), b_at(k, column + 2u), b_at(k, column + 3u));
}
