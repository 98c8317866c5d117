// conv2d: what a convolution and its two gradients share.
//
// Shapes   x [batch, height, width, channels], weight [window_height, window_width, channels, out_channels],
//          y [batch, out_height, out_width, out_channels]
// Taps     Output (i, j) meets input (i * stride_y + u * dilation_y - pad_top, j * stride_x + v * dilation_x - pad_left)
//          at the tap (u, v).
// Padding  reads as zero. A position above or left of the image wraps around to a huge number, so one comparison
//          per axis rejects both sides.

struct Params {
    // The product that each kernel computes, for common/product.wgsl, and what ends it.
    rows: u32, columns: u32, depth: u32, split_depth: u32, biased: u32, kind: u32, slope: f32, pooled: u32,
    batch: u32, height: u32, width: u32, channels: u32, out_height: u32, out_width: u32, out_channels: u32,
    window_height: u32, window_width: u32, stride_y: u32, stride_x: u32, dilation_y: u32, dilation_x: u32,
    pad_top: u32, pad_left: u32,
}
const OUTSIDE = 0xffffffffu;

@group(0) @binding(0) var<uniform> p: Params;

// The indices along three axes behind a flat one; `inner` are the sizes of the last two.
fn unflatten(flat: u32, inner: vec2<u32>) -> vec3<u32> {
    let rest = flat / inner.y;
    return vec3(rest / inner.x, rest % inner.x, flat % inner.y);
}

// The indices one further: unflatten(flat + 1, inner) without its divisions.
fn next(at: vec3<u32>, inner: vec2<u32>) -> vec3<u32> {
    if at.z + 1u < inner.y { return vec3(at.xy, at.z + 1u); }
    if at.y + 1u < inner.x { return vec3(at.x, at.y + 1u, 0u); }
    return vec3(at.x + 1u, 0u, 0u);
}

// Flat index into x of channel tap.z that the tap (tap.x, tap.y) meets at output (n, i, j), or OUTSIDE.
fn x_index(n: u32, i: u32, j: u32, tap: vec3<u32>) -> u32 {
    let y = i * p.stride_y + tap.x * p.dilation_y - p.pad_top;
    let x = j * p.stride_x + tap.y * p.dilation_x - p.pad_left;
    if n >= p.batch || tap.x >= p.window_height || y >= p.height || x >= p.width { return OUTSIDE; }
    return ((n * p.height + y) * p.width + x) * p.channels + tap.z;
}
