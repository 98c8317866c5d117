// conv2d_weight_gradient: the gradient of a convolution with respect to its weight.
//
//   dweight[u,v,c,o] = sum over n, i, j of
//       x[n, i*stride_y + u*dilation_y - pad_top, j*stride_x + v*dilation_x - pad_left, c] * dy[n,i,j,o]
//
// Shapes   common/conv2d.wgsl
// Mapping  an implicit product (common/gemm.wgsl): rows are (u, v, c), k is an output pixel (n, i, j), columns are
//          output channels. There are few rows and columns and many pixels, so the depth is usually split.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;

fn a_row(row: u32) -> vec3<u32> { return unflatten(row, vec2(p.window_width, p.channels)); }

fn a_depth(k: u32) -> vec3<u32> { return unflatten(k, vec2(p.out_height, p.out_width)); }

fn x_at(tap: vec3<u32>, out: vec3<u32>) -> f32 {
    let at = x_index(out.x, out.y, out.z, tap);
    if at == OUTSIDE { return 0.0; }
    return x[at];
}

fn load_a(tap: vec3<u32>, out: vec3<u32>) -> vec4<f32> {
    let inner = vec2(p.out_height, p.out_width);
    let out1 = next(out, inner);
    let out2 = next(out1, inner);
    let out3 = next(out2, inner);
    return vec4(x_at(tap, out), x_at(tap, out1), x_at(tap, out2), x_at(tap, out3));
}

fn dy_at(k: u32, column: u32) -> f32 {
    if k >= p.depth || column >= p.columns { return 0.0; }
    return dy[k * p.columns + column];
}

fn load_b(k: u32, column: u32) -> vec4<f32> {
    return vec4(dy_at(k, column), dy_at(k, column + 1u), dy_at(k, column + 2u), dy_at(k, column + 3u));
}

fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var o = 0u; o < 4u && column + o < p.columns; o++) {
        dweight[row * p.columns + column + o] = sums[o];
    }
}

@compute @workgroup_size(THREADS)
fn gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    gemm(group_index(group, groups), thread);
}
