// pool2d: the parameters of max_pool2d and avg_pool2d, whose windows lie as common/windows.wgsl says.
//
// The host ensures that at least one pixel of each window is inside the image: the padding of each side is smaller
// than the window.

struct Params {
    batch: u32, height: u32, width: u32, channels: u32, out_height: u32, out_width: u32,
    window_height: u32, window_width: u32, stride_y: u32, stride_x: u32, top: u32, left: u32,
    // The activation that gave x, for max_pool2d's gradient.
    kind: u32, slope: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
