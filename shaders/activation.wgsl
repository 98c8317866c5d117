// activation: an activation applied element by element, and its gradient.
//
//   y[i]  = activate(x[i])
//   dx[i] = dy[i] * slope at y[i]
//
// Shapes   any; `len` elements
// Types    of x and y in forward: common/float.wgsl
// Mapping  one thread per element
// Cost     the gradient reads y, which the next layer keeps anyway, and not x
// Source   common/activation.wgsl holds the formulas

struct Params { len: u32, kind: u32, slope: f32 }

@group(0) @binding(0) var<uniform> p: Params;

@group(0) @binding(1) var<storage, read> x: array<In>;
@group(0) @binding(2) var<storage, read_write> out: array<Out>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    out[i] = to_out(activate(p.kind, p.slope, f32(x[i])));
}

@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let i = linear_index(id, groups);
    if i >= p.len { return; }
    dx[i] = dy[i] * activation_slope(p.kind, p.slope, y[i]);
}
