// global_avg_pool2d: the gradient of the mean over an image. The mean itself is a column_sum.
//
//   y[n,c]      = sum over h, w of x[n,h,w,c] / pixels
//   dx[n,h,w,c] = dy[n,c] / pixels
//
// Shapes   x, dx   [batch, height, width, channels], pixels = height * width
//          y, dy   [batch, channels]
// Mapping  one thread per element of dx

struct Params { len: u32, pixels: u32, channels: u32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    let n = i / (p.pixels * p.channels);
    dx[i] = dy[n * p.channels + i % p.channels] / f32(p.pixels);
}
