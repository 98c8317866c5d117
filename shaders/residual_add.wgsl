// residual_add: the sum of two images of different sizes, each extended with zeros, and its activation; its gradients.
//
//   forward   y[n,h,w,c]  = activate(a[n,h,w,c] + b[n,h,w,c])      an element outside of its image is 0
//   backward  dx[n,h,w,c] = dy[n,h,w,c] * slope(y[n,h,w,c])        for the elements that the image x has
//
// Shapes      a, b, x, dx  [batch, height, width, channels]; each image has its own last three
//             y, dy        the larger of both along each of the three
// Activation  common/activation.wgsl
// Mapping     one thread per element of y (forward) or dx (backward); neighbours differ in channel

// Sizes are (height, width, channels). Backward knows one image, `a`; `b` is not read.
struct Params {
    batch: u32,
    kind: u32,
    slope: f32,
    a_height: u32, a_width: u32, a_channels: u32,
    b_height: u32, b_width: u32, b_channels: u32,
    y_height: u32, y_width: u32, y_channels: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// Picture, row, column, channel of element `index` of images of this size.
fn place(index: u32, size: vec3<u32>) -> vec4<u32> {
    let pixel = index / size.z;
    let row = pixel / size.y;
    return vec4(row / size.x, row % size.x, pixel % size.y, index % size.z);
}

fn index_of(at: vec4<u32>, size: vec3<u32>) -> u32 {
    return ((at.x * size.x + at.y) * size.y + at.z) * size.z + at.w;
}

@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    let y_size = vec3(p.y_height, p.y_width, p.y_channels);
    if i >= p.batch * y_size.x * y_size.y * y_size.z { return; }
    let at = place(i, y_size);
    let a_size = vec3(p.a_height, p.a_width, p.a_channels);
    let b_size = vec3(p.b_height, p.b_width, p.b_channels);
    var sum = 0.0;
    if all(at.yzw < a_size) { sum = a[index_of(at, a_size)]; }
    if all(at.yzw < b_size) { sum += b[index_of(at, b_size)]; }
    y[i] = activate(p.kind, p.slope, sum);
}

@group(0) @binding(1) var<storage, read> result: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    let x_size = vec3(p.a_height, p.a_width, p.a_channels);
    if i >= p.batch * x_size.x * x_size.y * x_size.z { return; }
    let at = index_of(place(i, x_size), vec3(p.y_height, p.y_width, p.y_channels));
    dx[i] = dy[at] * activation_slope(p.kind, p.slope, result[at]);
}
