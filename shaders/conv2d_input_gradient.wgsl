// conv2d_input_gradient: the gradient of a convolution with respect to its input.
//
//   dx[n,h,w,c] = sum over u, v, o of dy[n,i,j,o] * weight[u,v,c,o]
//                 where i*stride_y = h + pad_top - u*dilation_y and j*stride_x = w + pad_left - v*dilation_x;
//                 a tap for which no such output exists adds nothing
//
// Shapes   common/conv2d.wgsl
// Mapping  an implicit product (common/gemm.wgsl): rows are input pixels (n, h, w), k is (u, v, o), columns are input
//          channels. It gathers, so every run adds in the same order; weight is read transposed where it lies.
// Cost     with a stride, all but one in stride_y * stride_x products are with zero

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

fn a_row(row: u32) -> vec3<u32> { return unflatten(row, vec2(p.height, p.width)); }

fn a_depth(k: u32) -> vec3<u32> { return unflatten(k, vec2(p.window_width, p.out_channels)); }

// Flat index into dy of channel tap.z of the output that meets the input pixel at the tap, or OUTSIDE.
fn dy_index(pixel: vec3<u32>, tap: vec3<u32>) -> u32 {
    let from_top = pixel.y + p.pad_top;
    let from_left = pixel.z + p.pad_left;
    let down = tap.x * p.dilation_y;
    let right = tap.y * p.dilation_x;
    if pixel.x >= p.batch || tap.x >= p.window_height || down > from_top || right > from_left { return OUTSIDE; }
    let i = (from_top - down) / p.stride_y;
    let j = (from_left - right) / p.stride_x;
    if i * p.stride_y + down != from_top || j * p.stride_x + right != from_left { return OUTSIDE; }
    if i >= p.out_height || j >= p.out_width { return OUTSIDE; }
    return ((pixel.x * p.out_height + i) * p.out_width + j) * p.out_channels + tap.z;
}

fn dy_at(pixel: vec3<u32>, tap: vec3<u32>) -> f32 {
    let at = dy_index(pixel, tap);
    if at == OUTSIDE { return 0.0; }
    return dy[at];
}

fn load_a(pixel: vec3<u32>, tap: vec3<u32>) -> vec4<f32> {
    if p.out_channels % 4u == 0u {
        let at = dy_index(pixel, tap);
        if at == OUTSIDE { return vec4(0.0); }
        return vec4(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]);
    }
    let inner = vec2(p.window_width, p.out_channels);
    let tap1 = next(tap, inner);
    let tap2 = next(tap1, inner);
    let tap3 = next(tap2, inner);
    return vec4(dy_at(pixel, tap), dy_at(pixel, tap1), dy_at(pixel, tap2), dy_at(pixel, tap3));
}

// `row` is the tap's first channel in weight: (u, v, 0) as one index.
fn weight_at(row: u32, channel: u32, o: u32) -> f32 {
    if channel >= p.channels { return 0.0; }
    return weight[(row + channel) * p.out_channels + o];
}

fn load_b(k: u32, column: u32) -> vec4<f32> {
    if k >= p.depth { return vec4(0.0); }
    let row = k / p.out_channels * p.channels;
    let o = k % p.out_channels;
    return vec4(
        weight_at(row, column, o),
        weight_at(row, column + 1u, o),
        weight_at(row, column + 2u, o),
        weight_at(row, column + 3u, o),
    );
}

fn store(row: u32, column: u32, sums: vec4<f32>) {
    for (var c = 0u; c < 4u && column + c < p.columns; c++) {
        dx[row * p.columns + column + c] = sums[c];
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
