// conv2d: convolution (cross-correlation, as in Keras and PyTorch) with bias and activation.
//
//   y[n,i,j,o] = activate(bias[o] + sum over u, v, c of
//                x[n, i*stride_y + u*dilation_y - pad_top, j*stride_x + v*dilation_x - pad_left, c] * weight[u,v,c,o])
//
// Shapes   common/conv2d.wgsl; bias [out_channels], added if `biased` is 1; else any tensor stands in its place
// Mapping  an implicit product (common/gemm.wgsl): rows are output pixels (n, i, j), k is (u, v, c), columns are
//          output channels. The matrix of patches is computed while it is loaded, never stored.
// Cost     with 4 | channels, four consecutive k share one tap: one bounds check for four neighbouring floats

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn a_row(row: u32) -> vec3<u32> { return unflatten(row, vec2(p.out_height, p.out_width)); }

fn a_depth(k: u32) -> vec3<u32> { return unflatten(k, vec2(p.window_width, p.channels)); }

fn x_at(out: vec3<u32>, tap: vec3<u32>) -> f32 {
    let at = x_index(out.x, out.y, out.z, tap);
    if at == OUTSIDE { return 0.0; }
    return x[at];
}

fn load_a(out: vec3<u32>, tap: vec3<u32>) -> vec4<f32> {
    if p.channels % 4u == 0u {
        let at = x_index(out.x, out.y, out.z, tap);
        if at == OUTSIDE { return vec4(0.0); }
        return vec4(x[at], x[at + 1u], x[at + 2u], x[at + 3u]);
    }
    let inner = vec2(p.window_width, p.channels);
    let tap1 = next(tap, inner);
    let tap2 = next(tap1, inner);
    let tap3 = next(tap2, inner);
    return vec4(x_at(out, tap), x_at(out, tap1), x_at(out, tap2), x_at(out, tap3));
}

fn weight_at(k: u32, column: u32) -> f32 {
    if k >= p.depth || column >= p.columns { return 0.0; }
    return weight[k * p.columns + column];
}

fn load_b(k: u32, column: u32) -> vec4<f32> {
    return vec4(
        weight_at(k, column), weight_at(k, column + 1u), weight_at(k, column + 2u), weight_at(k, column + 3u),
    );
}

fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var o = 0u; o < 4u && column + o < p.columns; o++) {
        var sum = sums[o];
        if p.biased == 1u { sum += bias[column + o]; }
        y[row * p.columns + column + o] = activate(p.kind, p.slope, sum);
    }
}

@compute @workgroup_size(THREADS)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    gemm(group_index(group, groups), thread);
}
