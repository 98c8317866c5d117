// depthwise_conv2d: a convolution of each channel by itself, with bias, and its gradients.
//
//   y[n,i,j,c]     = sum over u,v of x[n,h,w,c] * kernel[u,v,c] + bias[c] with h = i*stride_y + u - top,
//                    w = j*stride_x + v - left; pixels outside the image are 0
//   dx[n,h,w,c]    = sum over the windows (i, j) that cover (h, w) of dy[n,i,j,c] * kernel[u,v,c]
//   dkernel[u,v,c] = sum over n,i,j of dy[n,i,j,c] * x[n,h,w,c]
//
// Shapes   x, dx            [batch, height, width, channels]
//          y, dy            [batch, out_height, out_width, channels]
//          kernel, dkernel  [window_height, window_width, channels, 1]
//          bias             [channels], added if `biased` is 1; else any tensor stands in its place, unread
// Numbers  common/channels_1.wgsl or, where 4 | channels, channels_4.wgsl: `channels` counts these
// Windows  common/windows.wgsl
// Mapping  one thread per Number of y (forward) or dx (backward_input), and of [chunk, u, v, c] (kernel_sums), where a
//          chunk is `chunk` lines (n, i) of dy; column_sum adds the chunks. Neighbours differ in channel.

struct Params {
    batch: u32, height: u32, width: u32, channels: u32, out_height: u32, out_width: u32,
    window_height: u32, window_width: u32, stride_y: u32, stride_x: u32, top: u32, left: u32,
    biased: u32, chunk: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// First and one past the last tap inside the image of the window at `i` along an axis.
fn taps(i: u32, stride: u32, window: u32, before: u32, size: u32) -> vec2<u32> {
    let start = i * stride;
    return vec2(max(start, before) - start, min(max(start, before + size) - start, window));
}

// First and one past the last window along an axis whose tap `v` is inside the image.
fn windows(v: u32, stride: u32, before: u32, size: u32, out: u32) -> vec2<u32> {
    let first = (max(before, v) - v + stride - 1u) / stride;
    let end = (max(before + size, v) - v + stride - 1u) / stride;
    return vec2(first, min(end, out));
}

fn kernel_index(u: u32, v: u32, c: u32) -> u32 { return (u * p.window_width + v) * p.channels + c; }

@group(0) @binding(1) var<storage, read> x: array<Number>;
@group(0) @binding(2) var<storage, read> kernel: array<Number>;
@group(0) @binding(3) var<storage, read> bias: array<Number>;
@group(0) @binding(4) var<storage, read_write> y: array<Number>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.out_height * p.out_width * p.channels { return; }
    let at = place(index, p.out_height, p.out_width);
    let rows = taps(at.row, p.stride_y, p.window_height, p.top, p.height);
    let columns = taps(at.column, p.stride_x, p.window_width, p.left, p.width);
    var sum = Number();
    for (var u = rows.x; u < rows.y; u++) {
        let h = at.row * p.stride_y + u - p.top;
        for (var v = columns.x; v < columns.y; v++) {
            let w = at.column * p.stride_x + v - p.left;
            sum += x[x_index(at.n, h, w, at.c)] * kernel[kernel_index(u, v, at.c)];
        }
    }
    if p.biased == 1u { sum += bias[at.c]; }
    y[index] = sum;
}

@group(0) @binding(1) var<storage, read> dy: array<Number>;
@group(0) @binding(3) var<storage, read_write> dx: array<Number>;

@compute @workgroup_size(WORKGROUP)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    if index >= p.batch * p.height * p.width * p.channels { return; }
    let at = place(index, p.height, p.width);
    let rows = covering(at.row + p.top, p.window_height, p.stride_y, p.out_height);
    let columns = covering(at.column + p.left, p.window_width, p.stride_x, p.out_width);
    var sum = Number();
    for (var i = rows.x; i < rows.y; i++) {
        let u = at.row + p.top - i * p.stride_y;
        for (var j = columns.x; j < columns.y; j++) {
            let v = at.column + p.left - j * p.stride_x;
            sum += dy[y_index(at.n, i, j, at.c)] * kernel[kernel_index(u, v, at.c)];
        }
    }
    dx[index] = sum;
}

@group(0) @binding(2) var<storage, read> dy_summed: array<Number>;
@group(0) @binding(3) var<storage, read_write> sums: array<Number>;

@compute @workgroup_size(WORKGROUP)
fn kernel_sums(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = linear_index(id, groups);
    let lines = p.batch * p.out_height;
    let c = index % p.channels;
    let tap = index / p.channels % (p.window_height * p.window_width);
    let first = index / (p.channels * p.window_height * p.window_width) * p.chunk;
    if first >= lines { return; }
    let u = tap / p.window_width;
    let v = tap % p.window_width;
    let columns = windows(v, p.stride_x, p.left, p.width, p.out_width);
    var sum = Number();
    for (var at = first; at < min(first + p.chunk, lines); at++) {
        let n = at / p.out_height;
        let i = at % p.out_height;
        let rows = taps(i, p.stride_y, p.window_height, p.top, p.height);
        if u < rows.x || u >= rows.y { continue; }
        let h = i * p.stride_y + u - p.top;
        var line = Number();
        for (var j = columns.x; j < columns.y; j++) {
            let w = j * p.stride_x + v - p.left;
            line += dy_summed[y_index(n, i, j, c)] * x[x_index(n, h, w, c)];
        }
        sum += line;
    }
    sums[index] = sum;
}
